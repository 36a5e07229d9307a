/** `vfio-cosim conform DIR|FILE...`: the host's answers against recordings of real kernels. */
import { availableParallelism } from "node:os";
import { Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import type { ConformResult } from "../conform/conform.ts";
import type { Sides } from "../conform/file-worker.ts";
import { canonicalJson } from "../report/json.ts";
import { clip } from "../report/table.ts";
import { EXIT_FAILED, EXIT_OK, type Io } from "./io.ts";
import { layersText } from "./layers-text.ts";
import type { AddCommand } from "./program.ts";
import { styleFor, widthOf } from "./terminal.ts";

const DIVERGENCES_SHOWN = 20;
const WIDTH = 96;

interface ConformFlags {
  readonly kernel?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function conformText({ totals, divergences, notCompared }: ConformResult): string {
  const lines: string[] = [];
  for (const { file, line, op, field, expected, got } of divergences.slice(0, DIVERGENCES_SHOWN)) {
    lines.push(clip(`${file}:${line}: ${op}`, WIDTH));
    lines.push(clip(`  ${field}: the kernel ${plain(expected)}`, WIDTH));
    lines.push(clip(`  ${" ".repeat(field.length)}  here       ${plain(got)}`, WIDTH));
  }
  const more = divergences.length - DIVERGENCES_SHOWN;
  if (more > 0) lines.push(`and ${formatCount(more)} more (--json has them all)`);
  if (lines.length > 0) lines.push("");
  const { scripts, ops } = totals;
  const found =
    totals.divergences === 1 ? "1 divergence" : `${formatCount(totals.divergences)} divergences`;
  lines.push(`${formatCount(scripts)} recordings, ${formatCount(ops)} operations: ${found}`);
  if (notCompared !== undefined) lines.push(...notComparedLines(notCompared));
  return `${lines.join("\n")}\n`;
}

/** Why writes of guests were not compared, with how many there are and the first of them. */
function notComparedLines(found: NonNullable<ConformResult["notCompared"]>): string[] {
  const reasons = new Map<string, { writes: number; first: string }>();
  for (const { why, writes, file, line } of found) {
    const known = reasons.get(why);
    const first = known?.first ?? `${file.split(/[\\/]/).at(-1)}:${line}`;
    reasons.set(why, { writes: (known?.writes ?? 0) + writes, first });
  }
  const total = found.reduce((sum, { writes }) => sum + writes, 0);
  const lines = [`${formatCount(total)} writes of guests were not compared:`];
  for (const [why, { writes, first }] of reasons) {
    lines.push(clip(`  ${formatCount(writes).padStart(7)}  ${why}`, WIDTH), `           ${first}`);
  }
  return lines;
}

function plain(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

async function loadSides(): Promise<Sides> {
  return (await import("../conform/file-worker.ts")).loadSides();
}

/** On threads where there is enough to do. */
async function compare(
  paths: readonly string[],
  options: { readonly kernel?: string },
): Promise<ConformResult> {
  const { conformFilesParallel, workersFor } = await import("../conform/parallel.ts");
  const workers = workersFor(paths, availableParallelism());
  if (workers > 0) return conformFilesParallel(paths, { ...options, workers });
  const { conformFiles } = await import("../conform/conform.ts");
  return conformFiles(paths, { ...options, ...(await loadSides()) });
}

async function conform(paths: string[], flags: ConformFlags, io: Io): Promise<number> {
  if (flags.verbose === true && flags.json !== true) {
    const { layeredRecordings } = await import("../conform/layered.ts");
    const page = { width: widthOf(io), style: styleFor(io) };
    for (const { file, rows, ...about } of layeredRecordings(paths, await loadSides())) {
      const text = layersText(rows, { ...page, ...about });
      io.out(`${page.style.bold(clip(file, page.width))}\n\n${text}\n`);
    }
  }
  const report = await compare(paths, flags.kernel === undefined ? {} : { kernel: flags.kernel });
  if (report.totals.scripts === 0) {
    throw new UsageError(`${paths.join(" ")}: no recording of ${flags.kernel}`, {
      hint: "leave --kernel out to compare them all",
    });
  }
  io.out(flags.json === true ? canonicalJson(report) : conformText(report));
  return report.totals.divergences > 0 ? EXIT_FAILED : EXIT_OK;
}

export const conformCommand: AddCommand = (program, io, done) => {
  program
    .command("conform")
    .description("compare kernel and VMM models with recordings of real ones, call for call")
    .argument("<paths...>", "directories or recordings (.jsonl)")
    .addOption(
      new Option("--kernel <name>", "only recordings of this kernel").choices([
        "linux-6.1",
        "linux-6.12",
        "linux-7.2",
      ]),
    )
    .option("--json", "print every divergence as JSON")
    .option("-v, --verbose", "show guest, VMM, kernel and pool side by side, line by line")
    .action(async (paths: string[], flags: ConformFlags) => {
      done(await conform(paths, flags, io));
    });
};
