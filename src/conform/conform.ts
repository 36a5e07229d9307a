/** Runs recordings of real kernels against a host and reports every answer that differs. */
import { dirname, join } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { CreateHost } from "../run/contract.ts";
import { type Divergence, differences, type Exemption } from "./compare.ts";
import { exemptionOf, findRecordings, readText, readTextIfPresent } from "./files.ts";
import type { NotCompared } from "./guest/bus.ts";
import { conformGuestRecording } from "./guest/conform.ts";
import type { CreateReplayGuest } from "./guest/machine.ts";
import type { RanOp } from "./kernel-rows.ts";
import { LeakedState } from "./leaked-state.ts";
import { type RecordingName, recordingName } from "./recorded-machine.ts";
import { checkAgainstScript, parseRecording, type RecordedOp, scriptOps } from "./recording.ts";
import { conformLog, isIoctlLog } from "./replay/conform-log.ts";
import { ScriptRunner } from "./runner.ts";
import { parseLine, type ScriptLine } from "./script.ts";
import { conformVmmRecording } from "./vmm/conform.ts";
import type { CreateVmm } from "./vmm/machine.ts";
import { isVmmRecording, recordedKernel } from "./vmm/recording.ts";

export interface ConformOptions {
  readonly createHost: CreateHost;
  /** For recordings of VMMs, which are left out without it. */
  readonly createVmm?: CreateVmm;
  /** For what guests wrote in recordings of VMMs, which is left out without it. */
  readonly createReplayGuest?: CreateReplayGuest;
  /** Only recordings of this kernel: `linux-6.1` or `linux-6.12`. */
  readonly kernel?: string;
}

export interface ConformResult {
  readonly totals: {
    readonly scripts: number;
    /** Operations whose answers were compared. */
    readonly ops: number;
    readonly divergences: number;
    /** Writes of recorded guests that were not compared; left out if there are none. */
    readonly notCompared?: number;
  };
  readonly divergences: readonly Divergence[];
  /** Those writes, by recording and reason. */
  readonly notCompared?: readonly NotCompared[];
}

/** What became of one recording. */
export interface FileConformance {
  /** Operations whose answers were compared. */
  readonly ops: number;
  readonly divergences: readonly Divergence[];
  readonly notCompared?: readonly NotCompared[];
}

/** Scripts that ran before many recordings, by path: parsed once. */
export type ScriptCache = Map<string, readonly ScriptLine[]>;

/** eventfds beside those the script names. */
const SPARE_EVENTFDS = 16;

/**
 * Runs every recording in `paths` (files, or directories of them), each on a fresh host. Throws
 * UsageError for a recording that is malformed or cut off.
 */
export function conformFiles(paths: readonly string[], options: ConformOptions): ConformResult {
  const scripts: ScriptCache = new Map();
  return conformResult(findRecordings(paths).map((path) => conformFile(path, options, scripts)));
}

/** What became of recordings, in their order; null for one that was left out. */
export function conformResult(files: readonly (FileConformance | null)[]): ConformResult {
  const compared = files.filter((file) => file !== null);
  const divergences = compared.flatMap((file) => file.divergences);
  const ops = compared.reduce((sum, file) => sum + file.ops, 0);
  const totals = { scripts: compared.length, ops, divergences: divergences.length };
  const notCompared = compared.flatMap((file) => file.notCompared ?? []);
  if (notCompared.length === 0) return { totals, divergences };
  const writes = notCompared.reduce((sum, found) => sum + found.writes, 0);
  return { totals: { ...totals, notCompared: writes }, divergences, notCompared };
}

/** Runs one recording on a fresh host; null for one that the options leave out. */
export function conformFile(
  path: string,
  options: ConformOptions,
  scripts: ScriptCache,
): FileConformance | null {
  const { createHost, createVmm, kernel } = options;
  if (isVmmRecording(path)) {
    const isLeftOut = kernel !== undefined && kernel !== recordedKernel(path);
    if (createVmm === undefined || isLeftOut) return null;
    const vmm = conformVmmRecording(path, { createHost, createVmm });
    const { createReplayGuest } = options;
    return createReplayGuest === undefined ? vmm : withGuest(path, vmm, createReplayGuest);
  }
  if (isIoctlLog(path)) return conformLog(path, options);
  const name = recordingName(path);
  if (kernel !== undefined && kernel !== name.machine.host.kernel) return null;
  return conformRecording(path, name, options, scripts);
}

/** The guest's layer on top of the VMM's. */
function withGuest(
  path: string,
  vmm: FileConformance,
  createReplayGuest: CreateReplayGuest,
): FileConformance {
  const guest = conformGuestRecording(path, createReplayGuest);
  const divergences = [...vmm.divergences, ...guest.divergences];
  divergences.sort((a, b) => a.line - b.line);
  return { ops: vmm.ops + guest.ops, divergences, notCompared: guest.notCompared };
}

function readRecording(path: string, name: RecordingName): RecordedOp[] {
  const recorded = parseRecording(readText(path), path);
  const script = join(dirname(path), name.script);
  const text = readTextIfPresent(script);
  if (text !== null) checkAgainstScript(recorded, text, { recording: path, script });
  return recorded;
}

/** A process that ran before the recording's in the same boot. */
interface Earlier {
  readonly lines: readonly ScriptLine[];
  /** It goes on and holds what it has; otherwise it has exited. */
  readonly goesOn: boolean;
}

/** What ran in the boot before the recording: what goes on first. */
function earlierProcesses(
  path: string,
  { machine: { setUp = [] }, before }: RecordingName,
  scripts: ScriptCache,
): Earlier[] {
  const parsed = (key: string, read: () => ScriptLine[]): readonly ScriptLine[] => {
    const lines = scripts.get(key) ?? read();
    scripts.set(key, lines);
    return lines;
  };
  const holding = (): readonly ScriptLine[] =>
    parsed(setUp.join("\n"), () =>
      setUp.map((op, i) => parseLine(op, { file: path, line: i + 1 })),
    );
  const script = (name: string): readonly ScriptLine[] => {
    const file = join(dirname(path), name);
    return parsed(file, () =>
      scriptOps(readEarlier(file, path)).map(({ n, op }) => parseLine(op, { file, line: n })),
    );
  };
  return [
    ...(setUp.length === 0 ? [] : [{ lines: holding(), goesOn: true }]),
    ...before.map((name) => ({ lines: script(name), goesOn: false })),
  ];
}

function readEarlier(script: string, recording: string): string {
  const text = readTextIfPresent(script);
  if (text !== null) return text;
  throw new UsageError("no such file", {
    place: { file: script },
    hint: `it ran before ${recording} in the same boot, and left something: keep both together`,
  });
}

/** Runs the recording of a kernel; `watch` is told of each operation that was compared. */
export function conformRecording(
  file: string,
  name: RecordingName,
  options: ConformOptions,
  scripts: ScriptCache,
  watch?: (op: RanOp) => void,
): FileConformance {
  const recorded = readRecording(file, name);
  const exemption: Exemption = exemptionOf(file, name.key);
  const lines = recorded.map(({ op }, i) => parseLine(op, { file, line: i + 1 }));
  const earlier = earlierProcesses(file, name, scripts);
  const eventfds = Math.max(...[lines, ...earlier.map((e) => e.lines)].map(eventfdsOf));
  const runner = new ScriptRunner(options.createHost, name.machine, eventfds);
  for (const { lines, goesOn } of earlier) {
    for (const line of lines) runner.run(line);
    runner.newProcess(goesOn);
  }
  const leaked = new LeakedState();
  const divergences: Divergence[] = [];
  let ops = 0;
  for (const [i, line] of lines.entries()) {
    const { n, op, observed } = recorded[i]!;
    if (exemption.from !== undefined && n >= exemption.from) break;
    const got = runner.run(line, { file, line: i + 1 });
    const device = leaked.follow(line);
    const both = [observed, got];
    const [expected, ours] = name.inherits ? leaked.forget(device, line, both) : both;
    leaked.learn(device, line, observed);
    ops++;
    const found: Divergence[] = [];
    for (const difference of differences(expected!, ours!)) {
      if (difference.field === "ev" && exemption.race?.includes(n) === true) continue;
      found.push({ file, line: n, op, ...difference });
    }
    divergences.push(...found);
    watch?.({ n, op, expected: observed, got, pool: runner.poolUse(), divergences: found });
  }
  return { ops, divergences };
}

/** Most eventfds the script can have: each one it names, and a new one after each closefd. */
function eventfdsOf(lines: readonly ScriptLine[]): number {
  const ids = new Set<number>();
  let closed = 0;
  for (const { op } of lines) {
    if (op.verb === "sig") ids.add(op.id);
    if (op.verb === "closefd") closed++;
    if (op.verb !== "set") continue;
    for (const datum of op.data) if (datum.kind === "eventfd") ids.add(datum.id);
  }
  return ids.size + closed + SPARE_EVENTFDS;
}
