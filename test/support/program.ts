/** The command line as a process of its own, for tests of signals and exit codes. */
import { fileURLToPath } from "node:url";
import { conformWorkerUrl } from "../../src/run/worker-urls.ts";

const path = (url: string): string => fileURLToPath(new URL(url, import.meta.url));

/** As for worker threads: from dist where `npm test` has just built it, else from the sources. */
export const fromDist = conformWorkerUrl().pathname.endsWith(".js");

/** Arguments of node that start it. */
export const PROGRAM: readonly string[] = fromDist
  ? [path("../../dist/src/cli/main.js")]
  : ["--import", new URL("../tsx-loader.mjs", import.meta.url).href, path("../../src/cli/main.ts")];
