/** Who is harmed where: failures that idle irqs cause, and all failures, with who suffers them. */
import type { Place } from "./comparison.ts";
import type { RunFigures, Suffered } from "./job.ts";
import { distinct, listText, meanText, namesText } from "./words.ts";

export const CAUSED = "failuresCaused";
export const FAILED = "failures";

type SufferedKey = keyof Suffered;

/** Devices that suffered under a policy, over all seeds. */
export function victimsOf(place: Place, policy: string, key: SufferedKey): string[] {
  const found = new Set<string>();
  for (const run of place.cell(policy).runs) {
    for (const [device, suffered] of Object.entries((run ?? NOBODY).victims)) {
      if (suffered[key] > 0) found.add(device);
    }
  }
  return [...found].sort(byNumber);
}

const NOBODY: Pick<RunFigures, "victims"> = { victims: {} };

/** disk2 before disk10. */
function byNumber(a: string, b: string): number {
  const [, left = a, m = "-1"] = /^(.*?)(\d+)$/.exec(a) ?? [];
  const [, right = b, n = "-1"] = /^(.*?)(\d+)$/.exec(b) ?? [];
  return left === right ? Number(m) - Number(n) : left < right ? -1 : 1;
}

interface Sufferers {
  readonly policies: string[];
  readonly mean: number;
  readonly victims: string;
}

/** Policies with the same mean and the same victims together, the worst first. */
function sufferersBy(place: Place, metric: string, key: SufferedKey): Sufferers[] {
  const found: Sufferers[] = [];
  for (const policy of place.policies) {
    const mean = place.estimate(metric, policy)?.mean ?? 0;
    const victims = namesText(victimsOf(place, policy, key));
    const same = found.find((other) => other.mean === mean && other.victims === victims);
    if (same === undefined) found.push({ policies: [policy], mean, victims });
    else same.policies.push(policy);
  }
  return found.sort((a, b) => b.mean - a.mean);
}

/** Means that cannot be told from each other are not to look as if they could. */
function unclearPairs(place: Place, metric: string): string[] {
  const pairs: string[] = [];
  for (const [i, a] of place.policies.entries()) {
    for (const b of place.policies.slice(i + 1)) {
      if (place.order(metric, a, b) === "unclear") pairs.push(`${a} and ${b}`);
    }
  }
  return pairs;
}

/** Some policy makes others fail here. */
export function hasHarm(place: Place): boolean {
  return place.policies.some((policy) => (place.estimate(CAUSED, policy)?.mean ?? 0) > 0);
}

/**
 * `Under minimal on vtd-small idle irqs made allocations of others fail: 16 with cache (late pays),
 * none with bounded. Whatever the cause, ...`: means over the seeds, with who suffered in any.
 */
export function harmSentence(place: Place): string {
  const caused = sufferersBy(place, CAUSED, "causedByIdle");
  const all = sufferersBy(place, FAILED, "failed");
  const where = `Under ${place.vmm} on ${place.topology}`;
  const first = caused[0]!;
  const harm =
    caused.length === 1
      ? `${meanText(first.mean)} with every policy (${first.victims} ${pays(first)})`
      : caused.map(oneCaused).join(", ");
  const unclear = unclearPairs(place, CAUSED);
  const doubt = unclear.length === 0 ? "" : ` (not distinguishable: ${listText(unclear)})`;
  const total =
    all.length === 1
      ? `Whatever the cause, ${meanText(all[0]!.mean)} failed with every policy`
      : `Whatever the cause, there failed ${all.map(oneFailed).join(", ")}`;
  return `${where} idle irqs made allocations of others fail: ${harm}${doubt}. ${total}.`;
}

function pays({ victims }: Sufferers): string {
  return /,| and | to | of /.test(victims) ? "pay" : "pays";
}

function oneCaused(sufferers: Sufferers): string {
  const { policies, mean, victims } = sufferers;
  if (mean === 0) return `none with ${listText(policies)}`;
  return `${meanText(mean)} with ${listText(policies)} (${victims} ${pays(sufferers)})`;
}

function oneFailed({ policies, mean, victims }: Sufferers): string {
  if (mean === 0) return `none with ${listText(policies)}`;
  return `${meanText(mean)} with ${listText(policies)} (${victims})`;
}

/** Every policy makes the same number of others fail, and lets the same number fail in all. */
export function isEvenHarm(place: Place): boolean {
  return [CAUSED, FAILED].every((metric) => {
    const means = place.policies.map((policy) => place.estimate(metric, policy)?.mean);
    return means.every((mean) => mean === means[0]);
  });
}

/** `On its ... fail whatever the policy: 36 under qemu 10.0, 4 under cloud-hypervisor`. */
export function evenHarm(places: readonly Place[]): string[] {
  return distinct(places.map(({ topology }) => topology)).map((topology) => {
    const parts = places
      .filter((place) => place.topology === topology)
      .map((place) => {
        const mean = place.estimate(CAUSED, place.policies[0]!)?.mean ?? 0;
        return `${meanText(mean)} under ${place.vmm}`;
      });
    return (
      `On ${topology} idle irqs made allocations of others fail whatever the policy: ` +
      `${parts.join(", ")}.`
    );
  });
}
