/** What a comparison of policies says, in plain words: everything from its numbers. */
import { median } from "../measure/statistics.ts";
import type { Place } from "./comparison.ts";
import { evenHarm, harmSentences, hasHarm, isAnybodyRefused, isEvenHarm, TOLD } from "./harm.ts";
import { METRICS, type Metric } from "./metrics.ts";
import type { Order } from "./order.ts";
import { distinct, listText, placesText, plural } from "./words.ts";

/** Sentences, the most important first. */
export function verdictOf(all: readonly Place[], seeds: number): string[] {
  const places = all.filter(({ isKnown }) => isKnown);
  if (places.length === 0) return ["There are too few runs to say anything."];
  return [
    headline(places, seeds),
    ...noEffect(places),
    ...equalities(places),
    ...harmSentences(
      places.filter((place) => isAnybodyRefused(place) && !isEvenHarm(place)),
      places,
    ),
    ...evenHarm(
      places.filter((place) => hasHarm(place) && isEvenHarm(place)),
      places,
    ),
    ...againstFirst(places, seeds),
  ];
}

function allEqual(place: Place): boolean {
  return place.groups().length === 1;
}

function headline(places: readonly Place[], seeds: number): string {
  const { policies } = places[0]!;
  if (policies.length === 1) return `There is only ${policies[0]}: nothing to compare it with.`;
  const total = plural(places.length, "combination");
  const equal = places.filter(allEqual);
  const inEvery = seeds === 1 ? "with the one seed" : `in each of ${seeds} seeds`;
  if (equal.length === places.length) {
    return `The choice of policy has no effect: all are equal in every figure ${inEvery}.`;
  }
  const others = places.filter((place) => !equal.includes(place));
  const where = placesText(others, places);
  if (places.length === 1) return `Policies differ under ${where}.`;
  if (equal.length === 0) return `Policies differ in all ${total} of VMM and topology.`;
  return (
    `Policies differ in ${others.length} of ${total} of VMM and topology: under ${where}. ` +
    `In the other ${equal.length} all are equal in every figure ${inEvery}.`
  );
}

/** Topologies and VMMs on which nothing differs, and why, where that is known. */
function noEffect(places: readonly Place[]): string[] {
  const topologies = distinct(places.map(({ topology }) => topology));
  const vmms = distinct(places.map(({ vmm }) => vmm));
  const same = (of: (place: Place) => boolean): boolean => places.filter(of).every(allEqual);
  const flat = topologies.filter((name) => same(({ topology }) => topology === name));
  const static_ = flat.filter((name) =>
    places.every((place) => place.topology !== name || !place.isEffective),
  );
  const other = flat.filter((name) => !static_.includes(name));
  const equalVmms =
    flat.length === topologies.length ? [] : vmms.filter((name) => same(({ vmm }) => vmm === name));
  const sentences: string[] = [];
  if (static_.length > 0) {
    sentences.push(
      `On ${listText(static_)} the choice has no effect, whatever the VMM: single irqs cannot be ` +
        "given back there, so that each policy is cache.",
    );
  }
  if (other.length > 0) {
    sentences.push(`On ${listText(other)} the choice has no effect, whatever the VMM.`);
  }
  if (equalVmms.length > 0) {
    sentences.push(`Under ${listText(equalVmms)} the choice has no effect, whatever the topology.`);
  }
  return sentences;
}

/** `cache = free-on-unset under qemu 10.0 on ...`, where some but not all are equal. */
function equalities(places: readonly Place[]): string[] {
  const byGroup = new Map<string, Place[]>();
  for (const place of places) {
    const groups = place.groups();
    if (groups.length === 1) continue;
    for (const group of groups) {
      if (group.length < 2) continue;
      const name = group.join(" = ");
      byGroup.set(name, [...(byGroup.get(name) ?? []), place]);
    }
  }
  if (byGroup.size === 0) return [];
  const parts = [...byGroup].map(([name, where]) => `${name} under ${placesText(where, places)}`);
  return [`Equal, in every figure: ${parts.join("; ")}.`];
}

/** Figures that sentences on harm have not told, place by place. */
const OF_HOST = METRICS.filter(({ key }) => !TOLD.includes(key));

/**
 * Each other policy against the first in all other figures: where it is worse, better, not to be
 * told.
 */
function againstFirst(places: readonly Place[], seeds: number): string[] {
  const [first, ...others] = places[0]!.policies;
  if (first === undefined) return [];
  return others.map((policy) => {
    const where = places.filter((place) => !place.areEqual(policy, first));
    if (where.length === 0) return `${policy} is nowhere different from ${first}.`;
    const found = OF_HOST.map((metric) => contrastOf(where, metric, policy, first));
    const better = found.filter(({ less }) => less.length > 0).map(lessText);
    const worse = found.filter(({ more }) => more.length > 0).map(moreText);
    const unclear = found.filter((contrast) => contrast.unclear > 0).map(unclearText);
    const parts = [
      better.length === 0 ? "better in nothing" : `better: ${better.join(", ")}`,
      worse.length === 0 ? "worse in nothing" : `worse: ${worse.join(", ")}`,
      ...(unclear.length === 0
        ? []
        : [`not distinguishable at ${plural(seeds, "seed")}: ${unclear.join(", ")}`]),
    ];
    const combinations = plural(where.length, "combination");
    const difference = `${policy} differs from ${first} in ${combinations}`;
    return `${difference}; apart from refusals, ${parts.join("; ")}.`;
  });
}

/** Where a policy has less or more of a figure than another: how many times as much. */
export interface Contrast {
  readonly metric: Metric;
  /** A ratio of means for each place; null where the other has none of it. */
  readonly less: readonly (number | null)[];
  readonly more: readonly (number | null)[];
  readonly unclear: number;
}

export function contrastOf(
  places: readonly Place[],
  metric: Metric,
  a: string,
  b: string,
): Contrast {
  const { key } = metric;
  const ratio = (place: Place): number | null => {
    const [mean, base] = [place.estimate(key, a)?.mean ?? 0, place.estimate(key, b)?.mean ?? 0];
    return base === 0 ? null : mean / base;
  };
  const having = (order: Order): Place[] =>
    places.filter((place) => place.order(key, a, b) === order);
  return {
    metric,
    less: having("less").map(ratio),
    more: having("more").map(ratio),
    unclear: having("unclear").length,
  };
}

function lessText({ metric, less }: Contrast): string {
  return `${metric.less} (${times(less)})`;
}

function moreText({ metric, more }: Contrast): string {
  return `${metric.more} (${times(more)})`;
}

function unclearText({ metric, unclear }: Contrast): string {
  return `${metric.title} (in ${unclear})`;
}

/** `in 6, x1.49`: in how many places, and the median ratio where there is one. */
function times(ratios: readonly (number | null)[]): string {
  const known = ratios.filter((ratio) => ratio !== null);
  if (known.length === 0) return `in ${ratios.length}`;
  const middle = median(known);
  if (middle === 0) return `in ${ratios.length}, to none`;
  return `in ${ratios.length}, x${middle < 0.1 ? middle.toPrecision(1) : middle.toFixed(2)}`;
}
