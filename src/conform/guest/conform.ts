/** Runs a guest's kernel and drivers against what real ones wrote in a recording of a VMM. */
import type { Divergence } from "../compare.ts";
import { readText } from "../files.ts";
import { guestWrites } from "../vmm/calls.ts";
import { parseVmmRecording, type RecordedLine, recordedVmm } from "../vmm/recording.ts";
import { ComparingBus, type NotCompared } from "./bus.ts";
import { FunctionImage, vcpusOf } from "./image.ts";
import type { CreateReplayGuest } from "./machine.ts";
import { GuestPlayer } from "./player.ts";
import { type Segment, Sessions } from "./session.ts";

/** What became of the guest's layer of one recording. */
export interface GuestConformance {
  /** Writes that were compared. */
  readonly ops: number;
  readonly divergences: readonly Divergence[];
  /** Writes that were not, by why. */
  readonly notCompared: readonly NotCompared[];
}

/** Runs the recording `file`. Throws UsageError for one that is malformed. */
export function conformGuestRecording(
  file: string,
  createGuest: CreateReplayGuest,
): GuestConformance {
  const lines = parseVmmRecording(readText(file), file);
  const segments = Sessions.of(lines);
  const fromGuest = guestWrites(lines);
  const images = new Map<string, FunctionImage>();
  for (const name of devicesOf(lines)) images.set(name, new FunctionImage(lines, fromGuest, name));
  const bus = new ComparingBus(file, images, recordedVmm(file, lines).isRemapped);
  const devices = [...images].map(([name, { driver }]) => ({ name, driver }));
  const player = new GuestPlayer(
    createGuest,
    {
      vcpus: vcpusOf(file, lines),
      kernel: file.includes("l2k61") ? "linux-6.1" : "linux-6.12",
      devices: [...images.values()].map(({ spec }) => spec),
      lineOnly: isLineOnly(lines),
      absent: absentOf(lines, segments),
    },
    devices,
    bus,
  );
  for (const segment of segments) player.play(segment);
  return { ops: bus.compared, divergences: bus.divergences, notCompared: merged(bus.notCompared) };
}

function devicesOf(lines: readonly RecordedLine[]): string[] {
  const opened = lines.filter(({ op, dev }) => op === "get_device_fd" && dev !== undefined);
  return [...new Set(opened.map(({ dev }) => dev!))];
}

/** Nobody ever turned a message interrupt on: the guest was told not to. */
function isLineOnly(lines: readonly RecordedLine[]): boolean {
  return !lines.some(({ op, index }) => op === "set_irqs" && (index === "MSIX" || index === "MSI"));
}

/** Devices that come after the machine's first reset. */
function absentOf(lines: readonly RecordedLine[], segments: readonly Segment[]): string[] {
  const first = segments[0]?.line ?? 0;
  const early = lines.filter(({ op, i }) => op === "get_device_fd" && i < first);
  const present = new Set(early.map(({ dev }) => dev));
  return devicesOf(lines).filter((device) => !present.has(device));
}

/** One entry for each reason, at its first place. */
function merged(list: readonly NotCompared[]): NotCompared[] {
  const byWhy = new Map<string, NotCompared>();
  for (const found of list) {
    const known = byWhy.get(found.why);
    const writes = (known?.writes ?? 0) + found.writes;
    byWhy.set(found.why, { ...(known ?? found), writes });
  }
  return [...byWhy.values()];
}
