/** A VMM's recording in three layers: the guest, its VMM, and the kernel with its pool. */
import { errnoName } from "../../base/errno.ts";
import type { Divergence } from "../compare.ts";
import { EMPTY_ROW, type Fold, fdsText, type LayerDifference, type LayerRow } from "../layers.ts";
import type { FdName, VmmCall } from "./calls.ts";
import type { EventfdNames } from "./compare.ts";
import type { VmmConformance, VmmStep } from "./conform.ts";
import { guestRow } from "./guest-rows.ts";

type NameOf = (fd: FdName) => FdName;

/** A call in words, as short as they stay clear: SET_IRQS by its index alone. */
function shortText(call: VmmCall, name: NameOf): string {
  const { op, what, gsi, routes } = call;
  if (routes !== undefined) {
    const gone = routes.gone.length === 0 ? "" : ` without ${routes.gone.join(" ")}`;
    return `routing ${routes.set.join(", ")}${gone}`;
  }
  const [event, resample] = call.fds.map(name);
  if (op === "kvm_irqfd") {
    const again = resample === undefined ? "" : `, resample ${resample}`;
    return `irqfd ${what} ${event} gsi ${gsi}${again}`;
  }
  const fds = fdsText(call.fds.map(name));
  const list = fds === "" ? "" : ` [${fds}]`;
  if (op === "eventfd_close") return `close eventfd ${fds}`;
  const words = op === "set_irqs" ? what : `${op} ${what}`.trim();
  return `${words}${list}`;
}

/** Calls of one vector each may be told together. */
function foldOf(call: VmmCall, prefix: string, name: NameOf): { fold: Fold } | null {
  const [, index, start, rest] = /^(\w+) (\d+) (.*)$/.exec(call.what) ?? [];
  if (call.op !== "set_irqs" || rest === undefined || call.fds.length > 1) return null;
  const text = (vectors: string, fds: string): string =>
    `${prefix}${index} ${vectors} ${rest}${fds === "" ? "" : ` [${fds}]`}`;
  const kind = `${call.dev} ${index} ${rest} ${call.fds.length} ${call.ret}`;
  return { fold: { kind, vector: Number(start), fds: call.fds.map(name), text } };
}

function plain(value: unknown): string {
  if (value === undefined) return "nothing";
  if (!Array.isArray(value)) return typeof value === "string" ? value : JSON.stringify(value);
  return `[${fdsText(value.map(String))}]`;
}

function differenceOf({ field, expected, got }: Divergence): LayerDifference {
  return { field, expected: plain(expected), got: plain(got) };
}

function retText(ret: number): string {
  return ret < 0 ? `-${errnoName(ret)}` : String(ret);
}

function stepRow(
  { expected, got, divergences }: VmmStep,
  timeNs: number | null,
  names: EventfdNames,
  isNamed: boolean,
): LayerRow {
  const call = (expected ?? got)!;
  const mark = expected === null ? "too many: " : got === null ? "missing: " : "";
  const name: NameOf = expected === null ? (fd) => names.renamed(fd) : (fd) => fd;
  const prefix = `${mark}${isNamed && call.dev !== null ? `${call.dev} ` : ""}`;
  return {
    ...EMPTY_ROW,
    line: call.line,
    timeNs,
    vmm: prefix + shortText(call, name),
    recorded: expected === null ? "" : retText(expected.ret),
    answer: got === null ? "" : retText(got.ret),
    pool: got?.pool ?? null,
    differences: divergences.map(differenceOf),
    ...foldOf(call, prefix, name),
  };
}

/** The whole recording, a row an event, nothing folded. */
export function vmmRows(conformance: VmmConformance): LayerRow[] {
  const { lines, inputs, steps, names, aborted, divergences } = conformance;
  const started = lines[0]?.t ?? 0;
  const times = new Map(lines.map(({ i, t }) => [i, t - started]));
  const timeOf = (line: number): number | null => times.get(line) ?? null;
  const devices = new Set(lines.flatMap(({ dev }) => (dev === undefined ? [] : [dev])));
  const isNamed = devices.size > 1;
  const rows: LayerRow[] = [];
  for (const line of lines) {
    const { i, op, text } = line;
    if (op === "note") {
      rows.push({ ...EMPTY_ROW, line: i, timeNs: timeOf(i), note: String(text) });
    } else if (inputs.has(line)) {
      rows.push(guestRow(line, timeOf(i), isNamed));
    }
  }
  for (const step of steps) {
    const { line } = (step.expected ?? step.got)!;
    rows.push(stepRow(step, timeOf(line), names, isNamed));
  }
  rows.sort((a, b) => a.line - b.line);
  const last = lines.at(-1)?.i ?? 0;
  const end = { ...EMPTY_ROW, line: last, timeNs: timeOf(last) };
  if (aborted !== null) rows.push({ ...end, note: `the VMM aborted: ${aborted}` });
  // What is not of a call: irqs that the exit of the process left behind.
  const leaked = divergences.filter(({ op }) => op === "exit").map(differenceOf);
  if (leaked.length > 0) rows.push({ ...end, vmm: "(exit)", differences: leaked });
  return rows;
}
