/** `vfio-cosim report DIR`: a stored result again, in any form. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { renderMeasurement } from "../latency/formats.ts";
import { parseMeasurement } from "../latency/shape.ts";
import { FORMATS, type Format, renderMatrix, renderResult } from "../report/formats.ts";
import { hgrmReport } from "../report/hgrm.ts";
import { MATRIX_SCHEMA } from "../report/policy-matrix.ts";
import { LATENCY_FILE, readStored } from "../report/stored.ts";
import { EXIT_OK, type Io } from "./io.ts";
import type { AddCommand } from "./program.ts";
import { styleFor } from "./terminal.ts";

interface ReportFlags {
  readonly output: Format;
  readonly stage?: string;
}

async function report(path: string, { output, stage }: ReportFlags, io: Io): Promise<void> {
  if (stage !== undefined && output !== "hgrm") {
    throw new UsageError("--stage is for -o hgrm", { hint: "other forms have all stages" });
  }
  const file = latencyFile(path);
  if (file !== null) {
    if (stage !== undefined) {
      throw new UsageError("--stage: a measurement's .hgrm is of its total", {
        hint: "name one of its runs",
      });
    }
    const measured = parseMeasurement(readFileSync(file, "utf8"), file);
    io.out(await renderMeasurement(measured, output, styleFor(io)));
    return;
  }
  const stored = readStored(path);
  if (stored.schema === MATRIX_SCHEMA) {
    io.out(await renderMatrix(stored, output, styleFor(io)));
  } else if (output === "hgrm") {
    io.out(hgrmReport(stored, stage));
  } else {
    io.out(await renderResult(stored, output, styleFor(io)));
  }
}

/** The latency measurement that `path` names, itself or as its directory; null: another result. */
function latencyFile(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat?.isFile() === true) return basename(path) === LATENCY_FILE ? path : null;
  const file = join(path, LATENCY_FILE);
  return existsSync(file) ? file : null;
}

export const reportCommand: AddCommand = (program, io, done) => {
  program
    .command("report")
    .description("show a stored result again: text, HTML, Markdown, CSV, JSON or .hgrm")
    .argument("<dir>", "what --out wrote, or a result.json")
    .addOption(new Option("-o, --output <format>", "of stdout").choices(FORMATS).default("text"))
    .option("--stage <name>", "whose latencies -o hgrm gives; default: total")
    .action(async (path: string, flags: ReportFlags) => {
      await report(path, flags, io);
      done(EXIT_OK);
    });
};
