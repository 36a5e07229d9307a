/** `vfio-cosim replay FILE`: a VMM's ioctl log on the kernel model, answer beside answer. */
import { readFileSync } from "node:fs";
import { Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import type { LayerRow } from "../conform/layers.ts";
import type { DescribedDevice } from "../conform/replay/log.ts";
import { KERNELS, PLATFORMS } from "../conform/replay/log-header.ts";
import type { Replay } from "../conform/replay/replay.ts";
import { canonicalJson } from "../report/json.ts";
import { clip, wrap } from "../report/table.ts";
import type { HostSpec, Platform } from "../scenario/types.ts";
import { EXIT_FAILED, EXIT_OK, type Io } from "./io.ts";
import { layersText, printable } from "./layers-text.ts";
import { collect } from "./options.ts";
import type { AddCommand } from "./program.ts";
import { styleFor, widthOf } from "./terminal.ts";

const SCHEMA = "vfio-cosim/replay/1";
const STDIN = "-";
const DIVERGENCES_SHOWN = 5;
const DEVICE_LINES_MAX = 3;
const MSIX_MAX = 2048;
const MSI_MAX = 32;
const DEVICE = /^([^=]+)=([a-z0-9-]*)(?::(\d{1,9})(?:,(\d{1,9}))?)?$/;

/** How lines of recordings begin: with their number, or that of the script's line. */
const RECORDED_LINE = /^\{"[in]":/;

interface ReplayFlags {
  readonly kernel?: HostSpec["kernel"];
  readonly platform?: Platform;
  readonly device: readonly string[];
  readonly output: "text" | "json";
  readonly verbose?: boolean;
}

/** `nvme0=nvme:65`, `nic=:10,8`: a model, and how many MSI-X and MSI vectors. */
export function parseDeviceFlag(text: string): DescribedDevice {
  const [, name, model, msix, msi] = DEVICE.exec(text) ?? [];
  if (name === undefined || (model === "" && msix === undefined)) {
    throw new UsageError(`--device ${text}: not NAME=MODEL:VECTORS`, {
      hint: "--device nvme0=nvme:65, or without a model --device nic=:10,8 (MSI-X, MSI)",
    });
  }
  const number = (digits: string | undefined, max: number, kind: string): number | null => {
    if (digits === undefined) return null;
    if (Number(digits) <= max) return Number(digits);
    throw new UsageError(`--device ${text}: ${digits} ${kind} vectors`, {
      hint: `a function has at most ${max} ${kind} vectors`,
    });
  };
  return {
    name,
    model: model === "" ? null : model!,
    msixVectors: number(msix, MSIX_MAX, "MSI-X"),
    msiVectors: number(msi, MSI_MAX, "MSI"),
    intx: null,
    place: {},
  };
}

function readLog(file: string): string {
  try {
    return readFileSync(file === STDIN ? 0 : file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = code === "ENOENT" ? "no such file" : `cannot be read (${code ?? "unknown"})`;
    const hint = "give a log in JSON lines, or - for standard input";
    throw new UsageError(message, { place: { file }, hint });
  }
}

/** The kinds of recordings that conform takes; null for a log. */
async function replayRecording(file: string, flags: ReplayFlags, io: Io): Promise<number | null> {
  const [{ isVmmRecording }, { isKernelRecording }] = await Promise.all([
    import("../conform/vmm/recording.ts"),
    import("../conform/recorded-machine.ts"),
  ]);
  if (file === STDIN || !(isVmmRecording(file) || isKernelRecording(file))) return null;
  // A log may have such a name, too.
  if (!RECORDED_LINE.test(readLog(file))) return null;
  const [{ layeredRecordings }, { loadSides }] = await Promise.all([
    import("../conform/layered.ts"),
    import("../conform/file-worker.ts"),
  ]);
  let found = 0;
  for (const { rows, ops, divergences, ...about } of layeredRecordings([file], await loadSides())) {
    found += divergences.length;
    const totals = { calls: ops, divergences: divergences.length };
    if (flags.output === "json") {
      io.out(canonicalJson({ schema: SCHEMA, file, rows: rows.map(jsonRow), divergences, totals }));
      continue;
    }
    const page = { width: widthOf(io), style: styleFor(io), unfolded: flags.verbose === true };
    io.out(layersText(rows, { ...page, ...about }));
    io.out(`\n${totalsText(ops, divergences.length)}\n`);
  }
  return found > 0 ? EXIT_FAILED : EXIT_OK;
}

function jsonRow({ fold: _, write: __, ...row }: LayerRow): object {
  return row;
}

async function replay(file: string, flags: ReplayFlags, io: Io): Promise<number> {
  const done = await replayRecording(file, flags, io);
  if (done !== null) return done;
  const [{ parseIoctlLog }, { replayLog }, { entryText, replayRows }, { loadHost }] =
    await Promise.all([
      import("../conform/replay/log-parser.ts"),
      import("../conform/replay/replay.ts"),
      import("../conform/replay/rows.ts"),
      import("../run/entries.ts"),
    ]);
  const log = parseIoctlLog(readLog(file), file === STDIN ? "standard input" : file);
  const { createHost } = await loadHost();
  const options = {
    createHost,
    devices: flags.device.map(parseDeviceFlag),
    ...(flags.kernel === undefined ? {} : { kernel: flags.kernel }),
    ...(flags.platform === undefined ? {} : { platform: flags.platform }),
  };
  const result = replayLog(log, options, entryText);
  const rows = replayRows(result);
  io.out(flags.output === "json" ? jsonText(result, rows) : pageText(result, rows, flags, io));
  return result.divergences.length > 0 ? EXIT_FAILED : EXIT_OK;
}

function jsonText(replay: Replay, rows: readonly LayerRow[]): string {
  const { file, host, devices, assumed, entryName, pool, calls, divergences } = replay;
  return canonicalJson({
    schema: SCHEMA,
    file,
    host,
    devices: devices.map(({ name, about, isDeduced }) => ({ name, about, isDeduced })),
    assumed,
    entries: entryName,
    pool,
    rows: rows.map(jsonRow),
    divergences,
    totals: { calls, divergences: divergences.length },
  });
}

function pageText(
  replay: Replay,
  rows: readonly LayerRow[],
  { verbose }: ReplayFlags,
  io: Io,
): string {
  const { host, devices, assumed, entryName, divergences } = replay;
  const width = widthOf(io);
  const style = styleFor(io);
  const machine = [host.kernel, host.platform, `${host.cpus} CPUs`];
  const told = machine.filter((part) => !assumed.some((text) => text.startsWith(part)));
  const head = [style.bold(clip(replay.file, width)), ...indented(told.join(", "), width)];
  if (assumed.length > 0) head.push(...indented(`assumed: ${assumed.join(", ")}`, width));
  for (const { name, about, isDeduced } of devices) {
    const remedy = `the smallest that fits the log (--device ${name}=MODEL:VECTORS)`;
    const text = printable(`${name}: ${about}${isDeduced ? `; ${remedy}` : ""}`);
    head.push(...indented(text, width).slice(0, DEVICE_LINES_MAX));
  }
  const page = { width, style, showsRecorded: true, entryName, unfolded: verbose === true };
  const tail = divergences.length === 0 ? style.good : style.bad;
  const sections = [
    head.join("\n"),
    layersText(rows, page).trimEnd(),
    poolText(replay),
    ...(divergences.length > 0 ? [divergencesText(replay, width)] : []),
    tail(totalsText(replay.calls, divergences.length)),
  ];
  return `${sections.join("\n\n")}\n`;
}

function indented(text: string, width: number): string[] {
  return wrap(text, width - 4).map((line, i) => `${i === 0 ? "  " : "    "}${line}`);
}

/** What the log leaves behind, and what is there when its process has ended. */
function poolText({ pool, entryName }: Replay): string {
  const text = ({ irqs, irtes, vectors }: Replay["pool"]["last"]): string => {
    const shared = `${formatCount(irqs)} irqs, ${formatCount(irtes)} ${entryName}`;
    return `${shared}, ${formatCount(vectors)} vectors`;
  };
  return [
    `pool at the start  ${text(pool.first)}`,
    `     at the end    ${text(pool.last)}`,
    `     after exit    ${text(pool.exit)}`,
  ].join("\n");
}

function divergencesText({ file, divergences }: Replay, width: number): string {
  const plain = (value: unknown): string =>
    typeof value === "string" ? value : JSON.stringify(value);
  const lines = divergences
    .slice(0, DIVERGENCES_SHOWN)
    .flatMap(({ line, call, field, expected, got }) => [
      clip(printable(`${file}:${line}: ${call}`), width),
      clip(`  ${field}: expected ${plain(expected)}, got ${plain(got)}`, width),
    ]);
  const more = divergences.length - DIVERGENCES_SHOWN;
  if (more > 0) lines.push(`and ${formatCount(more)} more (-o json has them all)`);
  return lines.join("\n");
}

function totalsText(calls: number, divergences: number): string {
  const found = divergences === 1 ? "1 divergence" : `${formatCount(divergences)} divergences`;
  return `${formatCount(calls)} ${calls === 1 ? "call" : "calls"}: ${found}`;
}

export const replayCommand: AddCommand = (program, io, done) => {
  program
    .command("replay")
    .description("replay a VMM's ioctl log on the kernel model, answer beside answer")
    .argument("<file>", "a log in JSON lines (README.md), a recording, or - for stdin")
    .addOption(
      new Option("--kernel <name>", "whose answers; default: the header's, or linux-6.12").choices(
        KERNELS,
      ),
    )
    .addOption(
      new Option("--platform <name>", "of the host; default: the header's, or x86-vtd").choices(
        PLATFORMS,
      ),
    )
    .option(
      "--device <name=model:vectors>",
      "what a device of the log is: nvme0=nvme:65 (repeatable)",
      collect,
      [],
    )
    .addOption(
      new Option("-o, --output <format>", "of stdout").choices(["text", "json"]).default("text"),
    )
    .option("-v, --verbose", "show each call on a line of its own, however much they repeat")
    .action(async (file: string, flags: ReplayFlags) => {
      done(await replay(file, flags, io));
    });
};
