/** `vfio-cosim compare A B`: two results, or two sets of them, side by side. */
import { Option } from "commander";
import { comparisonText } from "../report/compare-text.ts";
import { compareRuns } from "../report/comparison.ts";
import { htmlComparison } from "../report/html-report.ts";
import { canonicalJson } from "../report/json.ts";
import { readRuns } from "../report/stored.ts";
import { EXIT_OK, type Io } from "./io.ts";
import type { AddCommand } from "./program.ts";
import { styleFor } from "./terminal.ts";

interface CompareFlags {
  readonly output: "text" | "json" | "html";
}

async function compare(a: string, b: string, flags: CompareFlags, io: Io): Promise<void> {
  const runs = { a: readRuns(a), b: readRuns(b) };
  const comparison = compareRuns({ label: a, runs: runs.a }, { label: b, runs: runs.b });
  if (flags.output === "json") io.out(canonicalJson(comparison));
  else if (flags.output === "html") io.out(await htmlComparison(comparison, runs));
  else io.out(comparisonText(comparison, styleFor(io)));
}

export const compareCommand: AddCommand = (program, io, done) => {
  program
    .command("compare")
    .description("compare two results, or two directories of several, figure by figure")
    .argument("<a>", "what --out wrote, a result.json, or a directory that has several of them")
    .argument("<b>", "what to compare it with")
    .addOption(
      new Option("-o, --output <format>", "of stdout")
        .choices(["text", "json", "html"])
        .default("text"),
    )
    .action(async (a: string, b: string, flags: CompareFlags) => {
      await compare(a, b, flags, io);
      done(EXIT_OK);
    });
};
