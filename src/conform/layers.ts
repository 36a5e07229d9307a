/** One moment of a VM in three layers: what its guest wrote, its VMM asked, the kernel answered. */
import type { FdName, PoolUse } from "./vmm/calls.ts";

/** What was recorded and what the model did instead. */
export interface LayerDifference {
  readonly field: string;
  readonly expected: string;
  readonly got: string;
}

/** A row of the three layers; parts that it does not have are "". */
export interface LayerRow {
  /** Line of the file, or `i` of the recording's. */
  readonly line: number;
  /** Since the first line, or null where nobody took the time. */
  readonly timeNs: number | null;
  /** What somebody noted down. */
  readonly note: string;
  readonly guest: string;
  readonly vmm: string;
  /** What the real kernel answered, and what the model did. */
  readonly recorded: string;
  readonly answer: string;
  /** What the host's pool lends after the call; null if the call cannot change it. */
  readonly pool: PoolUse | null;
  readonly differences: readonly LayerDifference[];
  /** For calls that may be told together with the next; see `foldRows`. */
  readonly fold?: Fold;
  readonly write?: TableWrite;
}

/** The guest's write of one word of the MSI-X table. */
export interface TableWrite {
  readonly device: string;
  readonly vector: number;
  readonly field: string;
  readonly value: string;
}

/** A call on one vector of an index, or one that may be repeated word for word. */
export interface Fold {
  /** Calls that can be told together have the same. */
  readonly kind: string;
  readonly vector: number;
  readonly fds: readonly FdName[];
  /** The text of calls on vectors `first` to `last`. */
  text(vectors: string, fds: string): string;
}

/** Fewer rows are not folded. */
const FOLDED_MIN = 3;
const NAMED = /^(\D*)(\d+)$/;

export const EMPTY_ROW: Omit<LayerRow, "line" | "timeNs"> = {
  note: "",
  guest: "",
  vmm: "",
  recorded: "",
  answer: "",
  pool: null,
  differences: [],
};

/** How a run of rows goes on: the next vector each time, or the same call again. */
type Step = 0 | 1;

function stepBetween(a: LayerRow, b: LayerRow): Step | null {
  if (a.fold === undefined || b.fold === undefined || a.fold.kind !== b.fold.kind) return null;
  if (JSON.stringify(a.differences) !== JSON.stringify(b.differences)) return null;
  if (a.recorded !== b.recorded || a.answer !== b.answer) return null;
  if (b.fold.vector === a.fold.vector + 1) return 1;
  return b.fold.vector === a.fold.vector && fdsText(a.fold.fds) === fdsText(b.fold.fds) ? 0 : null;
}

/** Puts together what follows each other vector by vector, word by word or field by field. */
export function foldRows(rows: readonly LayerRow[]): LayerRow[] {
  const folded: LayerRow[] = [];
  for (let at = 0; at < rows.length; ) {
    const [row, length] = foldedCalls(rows, at) ?? foldedWrites(rows, at) ?? [rows[at]!, 1];
    folded.push(row);
    at += length;
  }
  return folded;
}

/** How many rows from `at` on go on as `next` says, at least one. */
function runLength(
  rows: readonly LayerRow[],
  at: number,
  next: (a: LayerRow, b: LayerRow) => boolean,
): number {
  let end = at + 1;
  while (end < rows.length && next(rows[end - 1]!, rows[end]!)) end++;
  return end - at;
}

function foldedCalls(rows: readonly LayerRow[], at: number): [LayerRow, number] | null {
  const step = at + 1 < rows.length ? stepBetween(rows[at]!, rows[at + 1]!) : null;
  if (step === null) return null;
  const length = runLength(rows, at, (a, b) => stepBetween(a, b) === step);
  return length < FOLDED_MIN ? null : [foldedRow(rows.slice(at, at + length), step), length];
}

/** The same word of one entry after the other, or one word after the other of the same entry. */
function foldedWrites(rows: readonly LayerRow[], at: number): [LayerRow, number] | null {
  const first = rows[at]!;
  if (first.write === undefined) return null;
  const { vector, field, value, device } = first.write;
  const prefix = device === "" ? "" : `${device} `;
  const isFine = ({ differences }: LayerRow): boolean => differences.length === 0;
  const entries = runLength(rows, at, (before, after) => {
    const [a, b] = [before.write, after.write];
    if (!isFine(before) || !isFine(after)) return false;
    if (a?.device !== b?.device || a?.field !== b?.field || a?.value !== b?.value) return false;
    return b?.vector === a!.vector + 1;
  });
  if (entries > 1) {
    const guest = `${prefix}entries ${vector}..${vector + entries - 1} ${field} = ${value}`;
    return [{ ...first, guest }, entries];
  }
  const fields = new Set([field]);
  const words = runLength(rows, at, (before, after) => {
    const [a, b] = [before.write, after.write];
    if (!isFine(before) || !isFine(after)) return false;
    if (b === undefined || a!.device !== b.device || a!.vector !== b.vector) return false;
    return !fields.has(b.field) && fields.size < fields.add(b.field).size;
  });
  if (words === 1) return null;
  const said = rows.slice(at, at + words).map(({ write }) => `${write!.field} ${write!.value}`);
  return [{ ...first, guest: `${prefix}entry ${vector} ${said.join(", ")}` }, words];
}

function foldedRow(run: readonly LayerRow[], step: Step): LayerRow {
  const first = run[0]!;
  const last = run.at(-1)!;
  const fold = first.fold!;
  const times = ` (${run.length} calls)`;
  const vmm =
    step === 0
      ? first.vmm
      : fold.text(`${fold.vector}..${last.fold!.vector}`, fdsText(run.flatMap((r) => r.fold!.fds)));
  return { ...first, vmm: vmm + times, pool: last.pool };
}

/** Eventfds as text, with runs of names and repetitions told in short: `e4..e67 -1 x3`. */
export function fdsText(fds: readonly FdName[]): string {
  const parts: string[] = [];
  for (let at = 0; at < fds.length; ) {
    const run = runOfFds(fds, at);
    const [first, last] = [fds[at], fds[at + run.length - 1]];
    if (run.length < FOLDED_MIN) parts.push(...fds.slice(at, at + run.length).map(String));
    else parts.push(run.step === 0 ? `${first} x${run.length}` : `${first}..${last}`);
    at += run.length;
  }
  return parts.join(" ");
}

/** How many eventfds from `at` on are the same one, or numbered one after the other. */
function runOfFds(fds: readonly FdName[], at: number): { length: number; step: Step } {
  const isRepeated = fds[at + 1] === fds[at];
  let end = at + 1;
  while (end < fds.length && (isRepeated ? fds[end] === fds[at] : isNext(fds[end - 1]!, fds[end]!)))
    end++;
  return { length: end - at, step: isRepeated ? 0 : 1 };
}

function isNext(a: FdName, b: FdName): boolean {
  const [, prefix, number] = NAMED.exec(String(a)) ?? [];
  const [, nextPrefix, next] = NAMED.exec(String(b)) ?? [];
  return number !== undefined && prefix === nextPrefix && Number(next) === Number(number) + 1;
}
