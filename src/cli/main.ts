#!/usr/bin/env node
/** Entry of the command line: everything else is in program.ts. */
import { processIo } from "./io.ts";
import { runCli } from "./program.ts";

process.exitCode = await runCli(process.argv.slice(2), processIo());
