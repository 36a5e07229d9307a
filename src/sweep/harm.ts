/** Who is harmed where: failures that idle irqs cause, and all failures, with who suffers them. */
import type { Place } from "./comparison.ts";
import type { RunFigures, Suffered } from "./job.ts";
import { listText, meanText, namesText, placesText } from "./words.ts";

export const CAUSED = "failuresCaused";
export const FAILED = "failures";
export const REFUSED_AGAIN = "refusedAgain";

/** Figures of which the sentences here tell. */
export const TOLD: readonly string[] = [CAUSED, FAILED, "victims", REFUSED_AGAIN];

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
  /** No other policy has another mean or other victims. */
  readonly ofAll: boolean;
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
    if (same === undefined) found.push({ policies: [policy], ofAll: false, mean, victims });
    else same.policies.push(policy);
  }
  return found
    .map((sufferers) => ({ ...sufferers, ofAll: found.length === 1 }))
    .sort((a, b) => b.mean - a.mean);
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

/** Requests were refused under some policy, whatever the cause. */
export function isAnybodyRefused(place: Place): boolean {
  const isRefused = (policy: string): boolean => (place.estimate(FAILED, policy)?.mean ?? 0) > 0;
  return hasHarm(place) || place.policies.some(isRefused);
}

/** A sentence for each way in which policies differ, with the places where it is this one. */
export function harmSentences(where: readonly Place[], all: readonly Place[]): string[] {
  const byText = new Map<string, Place[]>();
  for (const place of where) {
    const text = harmText(place);
    byText.set(text, [...(byText.get(text) ?? []), place]);
  }
  return [...byText].map(([text, places]) => `Under ${placesText(places, all)} ${text}`);
}

/**
 * `idle irqs made requests of others fail: 16 with cache (late pays), none with bounded. ...`:
 * means over the seeds, with who suffered in any.
 */
function harmText(place: Place): string {
  const caused = sufferersBy(place, CAUSED, "causedByIdle");
  const all = sufferersBy(place, FAILED, "failed");
  const unclear = unclearPairs(place, CAUSED);
  const doubt = unclear.length === 0 ? "" : ` (not distinguishable: ${listText(unclear)})`;
  const harm = hasHarm(place)
    ? `idle irqs made requests of others fail: ${caused.map(oneCaused).join(", ")}${doubt}`
    : "nothing idle made a request of another fail";
  const again = againText(place);
  const total = isSame(caused, all)
    ? "There were no other failures"
    : `Whatever the cause, there failed ${all.map(oneFailed).join(", ")}`;
  return `${harm}. ${total}${again}.`;
}

/** All failures are those that idle irqs caused. */
function isSame(caused: readonly Sufferers[], all: readonly Sufferers[]): boolean {
  return JSON.stringify(caused) === JSON.stringify(all);
}

/** `, of these 5 with free-on-unset for irqs that had been given back`. */
function againText(place: Place): string {
  const parts = sufferersBy(place, REFUSED_AGAIN, "failed")
    .filter(({ mean }) => mean > 0)
    .map(({ policies, mean }) => `${meanText(mean)} with ${listText(policies)}`);
  return parts.length === 0 ? "" : `; for irqs that had been given back ${parts.join(", ")}`;
}

function pays({ victims }: Sufferers): string {
  return /,| and | to | of /.test(victims) ? "pay" : "pays";
}

function oneCaused(sufferers: Sufferers): string {
  const { mean, victims } = sufferers;
  const who = withText(sufferers);
  return mean === 0 ? `none ${who}` : `${meanText(mean)} ${who} (${victims} ${pays(sufferers)})`;
}

function oneFailed(sufferers: Sufferers): string {
  const { mean, victims } = sufferers;
  const who = withText(sufferers);
  return mean === 0 ? `none ${who}` : `${meanText(mean)} ${who} (${victims})`;
}

function withText({ policies, ofAll }: Sufferers): string {
  return ofAll ? "with every policy" : `with ${listText(policies)}`;
}

/** Every policy makes the same number of others fail, and lets the same number fail in all. */
export function isEvenHarm(place: Place): boolean {
  return [CAUSED, FAILED].every((metric) => {
    const means = place.policies.map((policy) => place.estimate(metric, policy)?.mean);
    return means.every((mean) => mean === means[0]);
  });
}

/** `Whatever the policy idle irqs made requests of others fail: 36 under qemu 10.0 on its, ...`. */
export function evenHarm(places: readonly Place[], all: readonly Place[]): string[] {
  const byMean = new Map<string, Place[]>();
  for (const place of places) {
    const mean = meanText(place.estimate(CAUSED, place.policies[0]!)?.mean ?? 0);
    byMean.set(mean, [...(byMean.get(mean) ?? []), place]);
  }
  if (byMean.size === 0) return [];
  const parts = [...byMean].map(([mean, where]) => `${mean} under ${placesText(where, all)}`);
  return [`Whatever the policy, idle irqs made requests of others fail: ${parts.join("; ")}.`];
}
