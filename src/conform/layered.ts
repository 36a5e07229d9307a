/** Recordings in layers: guest, VMM, kernel and pool side by side, divergences in their places. */
import type { CreateHost } from "../run/contract.ts";
import type { Divergence } from "./compare.ts";
import { conformRecording, type FileConformance } from "./conform.ts";
import { findRecordings, readText } from "./files.ts";
import { conformGuestRecording } from "./guest/conform.ts";
import type { CreateReplayGuest } from "./guest/machine.ts";
import { kernelRow } from "./kernel-rows.ts";
import { EMPTY_ROW, type LayerDifference, type LayerRow } from "./layers.ts";
import { recordingName } from "./recorded-machine.ts";
import { isIoctlLog } from "./replay/conform-log.ts";
import { parseIoctlLog } from "./replay/log-parser.ts";
import { replayLog } from "./replay/replay.ts";
import { entryText, replayRows } from "./replay/rows.ts";
import { conformVmmRecording } from "./vmm/conform.ts";
import { vmmRows } from "./vmm/layers.ts";
import type { CreateVmm } from "./vmm/machine.ts";
import { isVmmRecording } from "./vmm/recording.ts";

export interface LayerSides {
  readonly createHost: CreateHost;
  readonly createVmm: CreateVmm;
  readonly createReplayGuest: CreateReplayGuest;
}

/** A recording in layers, and the numbers that it comes to. */
export interface LayeredRecording extends FileConformance {
  readonly file: string;
  readonly rows: readonly LayerRow[];
  /** What was recorded is to be shown beside the model's answers. */
  readonly showsRecorded: boolean;
  /** What the pool's shared entries are called; default: IRTEs. */
  readonly entryName?: string;
}

/** Each recording in `paths`, of a VMM, of a kernel, or a log of calls. */
export function* layeredRecordings(
  paths: readonly string[],
  sides: LayerSides,
): Generator<LayeredRecording> {
  for (const file of findRecordings(paths)) {
    if (isVmmRecording(file)) yield layeredVmm(file, sides);
    else if (isIoctlLog(file)) yield layeredLog(file, sides);
    else yield layeredKernel(file, sides);
  }
}

/** The recording of a VMM, with its guest's kernel and drivers on top. */
export function layeredVmm(file: string, sides: LayerSides): LayeredRecording {
  const vmm = conformVmmRecording(file, sides, true);
  const guest = conformGuestRecording(file, sides.createReplayGuest);
  return {
    file,
    ops: vmm.ops + guest.ops,
    divergences: [...vmm.divergences, ...guest.divergences].sort((a, b) => a.line - b.line),
    rows: withGuest(vmmRows(vmm), guest.divergences),
    showsRecorded: false,
  };
}

/** What the modelled guest wrote instead, below what the real one did. */
function withGuest(rows: readonly LayerRow[], found: readonly Divergence[]): LayerRow[] {
  const byLine = new Map<number, LayerDifference[]>();
  for (const { line, field, expected, got } of found) {
    const plain = (value: unknown): string =>
      typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
    const list = byLine.get(line) ?? [];
    list.push({ field, expected: plain(expected), got: plain(got) });
    byLine.set(line, list);
  }
  const merged = rows.map((row) => {
    const differences = byLine.get(row.line);
    if (differences === undefined || row.guest === "") return row;
    byLine.delete(row.line);
    return { ...row, differences: [...row.differences, ...differences] };
  });
  const timeOf = (line: number): number | null =>
    rows.findLast((row) => row.line <= line)?.timeNs ?? null;
  for (const [line, differences] of byLine) {
    merged.push({ ...EMPTY_ROW, line, timeNs: timeOf(line), guest: "(guest)", differences });
  }
  return merged.sort((a, b) => a.line - b.line);
}

function layeredLog(file: string, { createHost }: LayerSides): LayeredRecording {
  const replay = replayLog(parseIoctlLog(readText(file), file), { createHost }, entryText);
  return {
    file,
    ops: replay.calls,
    divergences: replay.divergences.map(({ call, ...rest }) => ({ file, op: call, ...rest })),
    rows: replayRows(replay),
    showsRecorded: true,
    entryName: replay.entryName,
  };
}

function layeredKernel(file: string, { createHost }: LayerSides): LayeredRecording {
  const rows: LayerRow[] = [];
  const name = recordingName(file);
  const found = conformRecording(file, name, { createHost }, new Map(), (op) =>
    rows.push(kernelRow(op)),
  );
  const isIts = name.machine.host.platform === "arm64-its";
  const isV2m = name.machine.host.platform === "arm64-v2m";
  const entryName = isIts ? "LPIs" : isV2m ? "SPIs" : "IRTEs";
  return { file, ...found, rows, showsRecorded: true, entryName };
}
