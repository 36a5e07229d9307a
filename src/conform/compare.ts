/** Compares what a host showed with what the kernel showed, operation by operation. */
import { comparableMessages } from "./kernel-log.ts";
import type { Observed } from "./runner.ts";

/** Where host and kernel differ. */
export interface Divergence {
  readonly file: string;
  /** Line of the script. */
  readonly line: number;
  readonly op: string;
  readonly field: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** Operations of a recording that are not to be compared (unreliable.json). */
export interface Exemption {
  /** From this script line on nothing is. */
  readonly from?: number;
  /** Of these lines `ev` is not: delivery raced with a rollback. */
  readonly race?: readonly number[];
}

/**
 * Observations that the host may lack: arm64's kernel messages and chips. `step` and `got` say how
 * far the recorder came in opening container, group and device, which is one call here.
 */
export const IGNORED: ReadonlySet<string> = new Set(["log", "chips", "step", "got"]);

/** Fields of an operation that differ. Of a kernel log only messages about interrupts count. */
export function differences(
  expected: Observed,
  got: Observed,
): { field: string; expected: unknown; got: unknown }[] {
  const fields = new Set([...Object.keys(expected), ...Object.keys(got)]);
  const found: { field: string; expected: unknown; got: unknown }[] = [];
  for (const field of fields) {
    if (IGNORED.has(field) && !(field in got)) continue;
    const ours = got[field];
    const recorded = expected[field];
    const theirs =
      field === "log" && Array.isArray(recorded) ? comparableMessages(recorded) : recorded;
    if (canonical(theirs) !== canonical(ours)) found.push({ field, expected: theirs, got: ours });
  }
  return found;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON with sorted keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
