/** Runs a recording of a real VMM against the model of it, on the model of the kernel. */
import type { CreateHost } from "../../run/contract.ts";
import type { Divergence } from "../compare.ts";
import { readText } from "../files.ts";
import { recordedCalls, sortByDevice, type VmmCall } from "./calls.ts";
import { align, callDifferences, callText, EventfdNames, type Pair } from "./compare.ts";
import { type CreateVmm, ReplayMachine } from "./machine.ts";
import { Player } from "./player.ts";
import { recordedDevice } from "./recorded-function.ts";
import { parseVmmRecording, type RecordedLine, recordedVmm } from "./recording.ts";

export interface VmmSides {
  readonly createHost: CreateHost;
  readonly createVmm: CreateVmm;
}

/** A recorded call and the model's, and how they differ. */
export interface VmmStep extends Pair {
  readonly divergences: readonly Divergence[];
}

/** What became of one recording. */
export interface VmmConformance {
  readonly lines: readonly RecordedLine[];
  /** Lines that were played. */
  readonly inputs: ReadonlySet<RecordedLine>;
  /** Calls of both sides beside each other, device by device. */
  readonly steps: readonly VmmStep[];
  readonly names: EventfdNames;
  /** Calls that were compared. */
  readonly ops: number;
  readonly divergences: readonly Divergence[];
  /** The assertion that the VMM failed. */
  readonly aborted: string | null;
}

/**
 * Runs the recording `file`; `watchesPool` for `layersText`. Throws UsageError for one that is
 * malformed.
 */
export function conformVmmRecording(
  file: string,
  sides: VmmSides,
  watchesPool = false,
): VmmConformance {
  const lines = parseVmmRecording(readText(file), file);
  const vmm = recordedVmm(file, lines);
  const devices = devicesOf(lines).map((name) => recordedDevice(lines, name));
  const machine = new ReplayMachine(sides, vmm, devices);
  machine.tap.watchesPool = watchesPool;
  const player = new Player(machine, lines, vmm.irqchip === "split" && !vmm.isRemapped);
  const inputs = new Set<RecordedLine>();
  for (const line of lines) if (player.play(line)) inputs.add(line);
  machine.exit();
  const expected = sortByDevice(recordedCalls(lines), vmm);
  const got = sortByDevice(machine.tap.calls, vmm);
  const names = new EventfdNames();
  const steps: VmmStep[] = [];
  for (const device of new Set([...expected.keys(), ...got.keys()])) {
    for (const pair of align(expected.get(device) ?? [], got.get(device) ?? [])) {
      steps.push({ ...pair, divergences: pairDivergences(file, pair, names) });
    }
  }
  const divergences = steps.flatMap((step) => step.divergences);
  for (const { name } of devices) {
    const held = machine.tap.held(name);
    if (held === 0) continue;
    const line = lines.at(-1)!.i;
    divergences.push({ file, line, op: "exit", field: "msi_irqs", expected: 0, got: held });
  }
  divergences.sort((a, b) => a.line - b.line);
  const { aborted } = machine;
  return { lines, inputs, steps, names, ops: steps.length, divergences, aborted };
}

/** Devices in the order in which the VMM opened them. */
function devicesOf(lines: readonly RecordedLine[]): string[] {
  const opened = lines.filter(({ op, dev }) => op === "get_device_fd" && dev !== undefined);
  return [...new Set(opened.map(({ dev }) => dev!))];
}

function pairDivergences(file: string, { expected, got }: Pair, names: EventfdNames): Divergence[] {
  if (expected === null || got === null) {
    const { line } = (expected ?? got)!;
    const text = (call: VmmCall | null): string | undefined =>
      call === null
        ? undefined
        : callText(call, call === got ? (fd) => names.renamed(fd) : undefined);
    const op = (expected ?? got)!.op;
    return [{ file, line, op, field: "call", expected: text(expected), got: text(got) }];
  }
  return callDifferences(expected, got, names).map((difference) => ({
    file,
    line: expected.line,
    op: callText(expected),
    ...difference,
  }));
}
