/** Which orders of policies change when one cost is halved or doubled. */
import { UsageError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import type { MatrixSensitivity } from "../report/policy-matrix.ts";
import { didYouMean } from "../scenario/suggest.ts";
import { type Costs, DEFAULT_COSTS } from "../time/costs.ts";
import { type GridRunOptions, type RunQueue, runGrid } from "./compare.ts";
import { type CellRuns, type Place, placesOf } from "./comparison.ts";
import type { GridCell } from "./grid.ts";
import { TOLD } from "./harm.ts";
import { METRICS, type Metric } from "./metrics.ts";
import type { Order } from "./order.ts";
import { splitList } from "./policies.ts";
import { listText, plural } from "./words.ts";

const COST_NAMES = Object.keys(DEFAULT_COSTS) as (keyof Costs)[];

/** Seeds with which each changed cost is run. */
export const SENSITIVITY_SEEDS = 3;

const CHANGES = [
  { name: "halved", factor: 0.5 },
  { name: "doubled", factor: 2 },
] as const;

/** Costs of a list, or all of them; throws UsageError. */
export function parseCostNames(list: string | true): (keyof Costs)[] {
  if (list === true) return [...COST_NAMES];
  return splitList("--sensitivity", list).map((name) => {
    const found = COST_NAMES.find((known) => known === name);
    if (found !== undefined) return found;
    const hint = didYouMean(name, COST_NAMES) ?? "";
    throw new UsageError(`--sensitivity: there is no cost ${name}`, { hint });
  });
}

/** An order of two policies that is another one with the changed cost. */
export interface Flip {
  readonly metric: Metric;
  readonly place: Place;
  readonly a: string;
  readonly b: string;
  readonly before: Order;
  readonly after: Order;
}

/** Orders that say something; equal is what does not differ enough to matter, too. */
const WORDS: Readonly<Partial<Record<Order, string>>> = {
  equal: "as much",
  alike: "as much",
  less: "less",
  more: "more",
};

/** From less to more, or from equal to either: not what merely cannot be told any more. */
function isFlip(before: Order, after: Order): boolean {
  const [then, now] = [WORDS[before], WORDS[after]];
  return then !== undefined && now !== undefined && then !== now;
}

/** Orders that change between the same places; `base` and `changed` have the same seeds. */
export function flipsOf(base: readonly Place[], changed: readonly Place[]): Flip[] {
  return base.flatMap((place) => {
    const then = changed.find(
      ({ vmm, topology }) => vmm === place.vmm && topology === place.topology,
    );
    if (then === undefined) return [];
    return pairs(place.policies).flatMap(([a, b]) =>
      METRICS.flatMap((metric): Flip[] => {
        const [before, after] = [place.order(metric.key, a, b), then.order(metric.key, a, b)];
        return isFlip(before, after) ? [{ metric, place, a, b, before, after }] : [];
      }),
    );
  });
}

function pairs(policies: readonly string[]): [string, string][] {
  return policies.flatMap((a, i) => policies.slice(i + 1).map((b): [string, string] => [a, b]));
}

const FLIPS_SHOWN = 3;

/** One row of the table; `orders` is how many there are in all. */
export function sensitivityRow(
  cost: string,
  change: string,
  flips: readonly Flip[],
  orders: number,
): MatrixSensitivity {
  const shown = flips.slice(0, FLIPS_SHOWN).map(flipText);
  const more = flips.length - shown.length;
  const verdict =
    flips.length === 0
      ? `all ${orders} orders stand`
      : `${flips.length} of ${orders} orders change: ${shown.join("; ")}` +
        (more > 0 ? `; and ${more} more` : "");
  return { cost, change, flips: flips.length > 0, verdict };
}

/** `re-arm latency, p50, under minimal on vtd: bounded against cache was more, is less`. */
function flipText({ metric, place, a, b, before, after }: Flip): string {
  const where = `${metric.title}, under ${place.vmm} on ${place.topology}`;
  return `${where}: ${b} against ${a} was ${opposite(before)}, is ${opposite(after)}`;
}

/** How the second of a pair compares with the first. */
function opposite(order: Order): string {
  return order === "less" ? "more" : order === "more" ? "less" : "as much";
}

export interface Sensitivity {
  readonly rows: MatrixSensitivity[];
  /** All of them in a sentence; null if there is none. */
  readonly summary: string | null;
  readonly isInterrupted: boolean;
}

export interface SensitivityOptions extends GridRunOptions {
  readonly names: readonly (keyof Costs)[];
}

/**
 * Runs the grid again for each change. Where all policies were equal they are not run again, which
 * the table cannot show: see `limitOfSensitivity`.
 */
export async function runSensitivity(
  cells: readonly GridCell[],
  base: readonly CellRuns[],
  queue: RunQueue,
  options: SensitivityOptions,
): Promise<Sensitivity> {
  const seeds = options.seeds.slice(0, SENSITIVITY_SEEDS);
  const places = placesOf(
    base.map((cell) => ({ ...cell, runs: cell.runs.slice(0, seeds.length) })),
  );
  const differing = places.filter((place) => place.isKnown && place.groups().length > 1);
  const chosen = cells.filter(({ vmm, topology }) =>
    differing.some((place) => place.vmm === vmm && place.topology === topology),
  );
  const orders = differing.reduce(
    (sum, { policies }) => sum + pairs(policies).length * METRICS.length,
    0,
  );
  const rows: MatrixSensitivity[] = [];
  const changed: ChangedOrders[] = [];
  const steps = options.names.flatMap((name) => CHANGES.map((change) => ({ name, change })));
  for (const [i, { name, change }] of steps.entries()) {
    const { signal, onProgress } = options;
    const known = cells.find(({ scenario }) => scenario !== null)?.scenario?.costs[name];
    const cost = options.costs[name] ?? known ?? DEFAULT_COSTS[name];
    const runs = await runGrid(chosen, queue, {
      ...options,
      seeds,
      costs: { ...options.costs, [name]: cost * change.factor },
      onProgress: (done, total, failed) =>
        onProgress?.(i * total + done, steps.length * total, failed),
    });
    if (runs.isInterrupted || signal?.aborted === true) {
      return { rows, summary: null, isInterrupted: true };
    }
    const flips = flipsOf(differing, placesOf(runs.cells));
    rows.push(sensitivityRow(name, change.name, flips, orders));
    changed.push({ change: `${name} ${change.name}`, flips });
  }
  return { rows, summary: summaryOf(changed, options.names.length, orders), isInterrupted: false };
}

interface ChangedOrders {
  /** `irqAlloc halved`. */
  readonly change: string;
  readonly flips: readonly Flip[];
}

/** The answer of all rows in a sentence; null where there was no order to change. */
export function summaryOf(
  changed: readonly ChangedOrders[],
  costs: number,
  orders: number,
): string | null {
  if (orders === 0) return null;
  const what = `Halving and doubling ${plural(costs, "cost")}, one at a time,`;
  const pairs = `${plural(orders, "order")} of two policies`;
  const flipping = changed.filter(({ flips }) => flips.length > 0);
  if (flipping.length === 0) return `${what} changes none of ${pairs}.`;
  const most = Math.max(...flipping.map(({ flips }) => flips.length));
  const harming = flipping.filter(({ flips }) =>
    flips.some(({ metric }) => TOLD.includes(metric.key)),
  );
  const harm =
    harming.length === 0
      ? "none of them in who is refused irqs"
      : `some in who is refused irqs (${listText(harming.map(({ change }) => change))})`;
  return `${what} changes at most ${formatCount(most)} of ${pairs}, ${harm}.`;
}

/** What the table leaves out. */
export function limitOfSensitivity(seeds: number): string {
  const n = Math.min(seeds, SENSITIVITY_SEEDS);
  return (
    `Costs were changed one at a time, with ${plural(n, "seed")}, and only where policies ` +
    "differed at all."
  );
}
