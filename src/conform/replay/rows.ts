/** A replayed log in three layers: what was asked, answered and answered here, and the pool. */

import { VFIO_IRQ_INDEX_NAMES } from "../../uapi/vfio.ts";
import { EMPTY_ROW, type Fold, fdsText, type LayerRow } from "../layers.ts";
import { guestRow } from "../vmm/guest-rows.ts";
import type { LogEntry, SetIrqsEntry } from "./log.ts";
import { type Replay, type ReplayStep, recordedRet, retText } from "./replay.ts";

const FLAG_NAMES = ["NONE", "BOOL", "EVENTFD", "MASK", "UNMASK", "TRIGGER"];
const INFO_FLAG_NAMES = ["EVENTFD", "MASKABLE", "AUTOMASKED", "NORESIZE"];

function bitNames(bits: number, names: readonly string[]): string {
  if (bits >= 2 ** names.length) return `0x${bits.toString(16)}`;
  return names.filter((_, bit) => (bits & (1 << bit)) !== 0).join("|") || "0";
}

function indexName(index: number): string {
  return VFIO_IRQ_INDEX_NAMES[index] ?? `index ${index}`;
}

function setIrqsText(entry: SetIrqsEntry, start: string | number, fds: string): string {
  const { index, count, flags, bools } = entry;
  const words = `${indexName(index)} ${start} ${count} ${bitNames(flags, FLAG_NAMES)}`;
  if (fds !== "") return `${words} [${fds}]`;
  return bools.length > 0 ? `${words} [${fdsText(bools.map(String))}]` : words;
}

/** An entry in words; the device's name stands before where there are several. */
export function entryText(entry: LogEntry): string {
  switch (entry.op) {
    case "set_irqs":
      return setIrqsText(entry, entry.start, fdsText(entry.fds));
    case "get_irq_info":
      return `get_irq_info ${indexName(entry.index)}`;
    case "irqfd": {
      const resample = entry.resample === null ? "" : `, resample ${entry.resample}`;
      return `irqfd ${entry.act} ${entry.fd} gsi ${entry.gsi}${resample}`;
    }
    case "eventfd":
      return `eventfd ${entry.fd}`;
    case "eventfd_close":
      return `close eventfd ${entry.fd}`;
    case "command":
      return `command register = 0x${entry.value.toString(16)}`;
    case "comment":
    case "shown":
      return entry.text;
    case "guest":
      return entry.written.op;
    default:
      return entry.op;
  }
}

/** Calls of one vector each may be told together. */
function foldOf(entry: LogEntry, prefix: string): { fold: Fold } | null {
  if (entry.op !== "set_irqs") return null;
  const { device, index, start, count, flags, fds, ret } = entry;
  if (entry.bools.length > 0 || fds.length > 1) return null;
  const kind = JSON.stringify([device, index, count, flags, fds.length, ret]);
  return {
    fold: {
      kind,
      vector: start,
      fds,
      text: (vectors, list) => prefix + setIrqsText(entry, vectors, list),
    },
  };
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
}

function infoText({ entry, played }: ReplayStep): string {
  if (entry.op !== "get_irq_info" || played.info === null) return "";
  const [count, flags] = played.info;
  return `: ${count} ${bitNames(flags, INFO_FLAG_NAMES)}`;
}

/** What a call of the log is without its result. */
function rowOf(step: ReplayStep, time: number | null, prefix: string): LayerRow {
  const { entry, played, divergences } = step;
  const base = { ...EMPTY_ROW, line: entry.line, timeNs: time };
  if (entry.op === "comment") return { ...base, note: entry.text };
  const isOpen = entry.op === "open";
  const recorded = recordedRet(entry);
  const found = isOpen && recorded !== null ? Math.min(0, recorded) : recorded;
  const isCall = played.ret !== null && entry.op !== "command";
  return {
    ...base,
    vmm: prefix + entryText(entry) + infoText(step),
    recorded: isCall ? retText(found) || "?" : "",
    answer: isCall ? retText(played.ret) : "",
    pool: played.pool,
    differences: divergences.map(({ field, expected, got }) => ({
      field,
      expected: plain(expected),
      got: plain(got),
    })),
    ...foldOf(entry, prefix),
  };
}

/** Every entry of the log as a row; nothing is folded but writes of the guest. */
export function replayRows(replay: Replay): LayerRow[] {
  const { steps, devices } = replay;
  const started = steps.find(({ entry }) => entry.timeNs !== null)?.entry.timeNs ?? 0;
  const since = (t: number | null): number | null => (t === null ? null : t - started);
  const isNamed = devices.length > 1;
  return steps.map((step) => {
    const { entry } = step;
    const time = since(entry.timeNs);
    if (entry.op === "guest") return guestRow(entry.written, time, isNamed);
    return rowOf(step, time, isNamed && "device" in entry ? `${entry.device} ` : "");
  });
}
