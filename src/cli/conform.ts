/** `vfio-cosim conform DIR|FILE...`: the host's answers against recordings of real kernels. */
import { Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import type { ConformResult } from "../conform/conform.ts";
import type { CreateVmm } from "../conform/vmm/machine.ts";
import { canonicalJson } from "../report/json.ts";
import { clip } from "../report/table.ts";
import { EXIT_FAILED, EXIT_OK, type Io } from "./io.ts";
import type { AddCommand } from "./program.ts";

const DIVERGENCES_SHOWN = 20;
const WIDTH = 96;

interface ConformFlags {
  readonly kernel?: string;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

export function conformText({ totals, divergences }: ConformResult): string {
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
  return `${lines.join("\n")}\n`;
}

function plain(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

async function conform(paths: string[], flags: ConformFlags, io: Io): Promise<number> {
  const [{ conformFiles, conformLayers }, { loadHost, loadVmm }] = await Promise.all([
    import("../conform/conform.ts"),
    import("../run/entries.ts"),
  ]);
  const [{ createHost }, { createVmm }] = await Promise.all([loadHost(), loadVmm<CreateVmm>()]);
  const sides = { createHost, createVmm };
  const options = flags.kernel === undefined ? sides : { ...sides, kernel: flags.kernel };
  if (flags.verbose === true && flags.json !== true) {
    for (const text of conformLayers(paths, sides)) io.out(text);
  }
  const report = conformFiles(paths, options);
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
    .option("-v, --verbose", "of a VMM's recording show guest, VMM and kernel side by side")
    .action(async (paths: string[], flags: ConformFlags) => {
      done(await conform(paths, flags, io));
    });
};
