/** A recording of a kernel as rows: each operation, the kernel's answer, the model's. */
import { type Divergence, IGNORED } from "./compare.ts";
import { EMPTY_ROW, type LayerRow } from "./layers.ts";
import type { Observed } from "./runner.ts";
import type { PoolUse } from "./vmm/calls.ts";

/** An operation that ran. */
export interface RanOp {
  /** Line of the script. */
  readonly n: number;
  readonly op: string;
  readonly expected: Observed;
  readonly got: Observed;
  readonly pool: PoolUse;
  readonly divergences: readonly Divergence[];
}

function retText({ ret, errno }: Observed): string {
  if (errno !== undefined) return `-${errno}`;
  return ret === undefined ? "" : String(ret);
}

function plain(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

/** What an operation showed beside its result: `held 4 vec 0-1`, `ev {"1":1}`. */
function observations(observed: Observed): string {
  const { ret: _, errno: __, st, ...rest } = observed;
  const state = Object.entries((st ?? {}) as Observed).map(([key, value]) => `${key} ${value}`);
  const others = Object.entries(rest)
    .filter(([key]) => !IGNORED.has(key))
    .map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  const all = [...state, ...others];
  return all.length === 0 ? "" : `: ${all.join(", ")}`;
}

export function kernelRow({ n, op, expected, got, pool, divergences }: RanOp): LayerRow {
  return {
    ...EMPTY_ROW,
    line: n,
    timeNs: null,
    vmm: op + observations(got),
    recorded: retText(expected),
    answer: retText(got),
    pool,
    differences: divergences.map((found) => ({
      field: found.field,
      expected: plain(found.expected),
      got: plain(found.got),
    })),
  };
}
