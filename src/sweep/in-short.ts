/**
 * The answer of a comparison in a few sentences, all from its figures: whom idle irqs harmed under
 * which policy and where, who avoided that and for what, and so what speaks for keeping irqs and
 * what for giving them back.
 */
import type { Place } from "./comparison.ts";
import { CAUSED, FAILED, hasHarm, REFUSED_AGAIN } from "./harm.ts";
import { HYPOTHETICAL_VMM } from "./limits.ts";
import type { Order } from "./order.ts";
import { distinct, listText, meanText, placesText, plural, together } from "./words.ts";

/** What giving back and taking again costs the host, as `up to 1.2 times the irqs allocated`. */
const COSTS: readonly { readonly key: string; readonly what: string }[] = [
  { key: "allocations", what: "the irqs allocated" },
  { key: "iecFlushes", what: "the IEC flushes" },
  { key: "rearmP50", what: "the re-arm time" },
];

/** At most seven sentences, but seldom more than six; none where there is nothing to compare. */
export function inShort(all: readonly Place[], seeds: number): string[] {
  const places = all.filter(({ isKnown }) => isKnown);
  const policies = places[0]?.policies ?? [];
  if (policies.length < 2) return [];
  const facts = new Facts(places, policies, seeds);
  return [
    facts.harm(),
    facts.avoided(),
    facts.again(),
    facts.inevitable(),
    facts.undecided(),
    facts.harmless(),
    facts.therefore(),
    seeds === 1 ? "All this is of one seed, and cannot be told from chance." : null,
  ].filter((sentence) => sentence !== null);
}

class Facts {
  readonly #places: readonly Place[];
  readonly #policies: readonly string[];
  /** Where idle irqs make more requests of others fail than under some other policy. */
  readonly #harmful: ReadonlyMap<string, readonly Place[]>;
  /** The places of all of them: there the policy decides. */
  readonly #decided: readonly Place[];
  /** The others, if there are any; else all. */
  readonly #rest: readonly Place[];
  /** Those of the others where it may decide, and the seeds do not tell. */
  readonly #unclear: readonly Place[];
  /** Those where it does not. */
  readonly #even: readonly Place[];
  readonly #seeds: number;
  /** Policies that harm so somewhere, and those that do so nowhere. */
  readonly #harming: readonly string[];
  readonly #sparing: readonly string[];

  constructor(places: readonly Place[], policies: readonly string[], seeds: number) {
    const worse = (place: Place, policy: string): boolean =>
      policies.some((other) => told(place, CAUSED, policy, other) === "more");
    this.#places = places;
    this.#policies = policies;
    this.#harmful = new Map(
      policies.map((policy) => [policy, places.filter((place) => worse(place, policy))]),
    );
    const harms = (policy: string): boolean => this.#harmful.get(policy)!.length > 0;
    this.#decided = places.filter((place) => policies.some((policy) => worse(place, policy)));
    const rest = places.filter((place) => !this.#decided.includes(place));
    this.#rest = rest.length === 0 ? places : rest;
    this.#unclear = rest.filter((place) =>
      policies.some((a) => policies.some((b) => told(place, CAUSED, a, b) === "unclear")),
    );
    this.#even = rest.filter((place) => !this.#unclear.includes(place));
    this.#seeds = seeds;
    this.#harming = policies.filter(harms);
    this.#sparing = policies.filter((policy) => !harms(policy));
  }

  /** With whom idle irqs harmed others that another policy would have spared. */
  harm(): string | null {
    if (this.#harming.length === 0) {
      if (this.#unclear.length > 0) return null;
      return "With no policy did idle irqs make more requests of others fail than with another.";
    }
    const parts = together(this.#harming, (policy) => {
      const where = this.#harmful.get(policy)!;
      return `${rangeText(where, CAUSED, [policy])} ${this.#under(where)}`;
    });
    return (
      "In a run idle irqs made requests of others fail that another policy would have spared: " +
      `${parts.map(({ text, items }) => `with ${listText(items)} ${text}`).join("; ")}.`
    );
  }

  /** Who spared them, and what that cost at most, against the first who did not. */
  avoided(): string | null {
    const [harming] = this.#harming;
    if (harming === undefined) return null;
    if (this.#sparing.length === 0) return "None of the policies spares them everywhere.";
    const parts = together(this.#sparing, (policy) => this.#price(policy, harming));
    const left = rangeText(this.#decided, CAUSED, this.#sparing);
    const all = left === "none" ? "them all" : `all but ${left} of them`;
    const prices = parts.map(({ text, items }, i) => {
      const costs = i > 0 ? "" : items.length === 1 ? "costs " : "cost ";
      return `${listText(items)} ${costs}${text}`;
    });
    const spare = this.#sparing.length === 1 ? "spares" : "spare";
    const where = this.#rest === this.#places ? "against" : "elsewhere, against";
    return `${listText(this.#sparing)} ${spare} ${all}; ${where} ${harming}, ${prices.join("; ")}.`;
  }

  /** Only where nobody is spared: who is granted what others refuse allocates more for that. */
  #price(policy: string, than: string): string {
    const dearer = COSTS.flatMap(({ key, what }) => {
      const times = this.#rest.flatMap((place) => timesAsMuch(place, key, policy, than) ?? []);
      return times.length === 0 ? [] : [`${Math.max(...times).toFixed(2)} times ${what}`];
    });
    return dearer.length === 0 ? "no more" : `up to ${listText(dearer)}`;
  }

  /** What was given back and could not be had again: others had taken it. */
  again(): string | null {
    const where = (policy: string): Place[] =>
      this.#places.filter((place) => meanOf(place, REFUSED_AGAIN, policy) > 0);
    const giving = this.#policies.filter((policy) => where(policy).length > 0);
    if (giving.length === 0) return null;
    const keeper = this.#policies.find((policy) => where(policy).length === 0);
    const parts = together(giving, (policy) => {
      const range = rangeText(where(policy), REFUSED_AGAIN, [policy]);
      const even = where(policy).filter(
        (place) => keeper !== undefined && isNoLess(place, FAILED, policy, keeper),
      );
      const places = even.length === where(policy).length ? "" : ` ${this.#under(even)}`;
      const total = even.length === 0 ? "" : `, no fewer in all than with ${keeper}${places}`;
      return `${range} ${this.#under(where(policy))}${total}`;
    });
    const texts = parts.map(({ text, items }) => `with ${listText(items)} ${text}`);
    return `Requests for irqs that had been given back were refused: ${texts.join("; ")}.`;
  }

  /** Harm that no policy prevents. */
  inevitable(): string | null {
    const open = [...this.#decided, ...this.#unclear];
    const where = this.#places.filter((place) => hasHarm(place) && !open.includes(place));
    if (where.length === 0) return null;
    const static_ = where.filter(({ isEffective }) => !isEffective);
    const other = where.filter(({ isEffective }) => isEffective);
    const part = (of: readonly Place[], why: string): string[] =>
      of.length === 0 ? [] : [`${rangeText(of, CAUSED, this.#policies)} ${this.#under(of)}${why}`];
    const parts = [...part(static_, ", where no single irq can be given back"), ...part(other, "")];
    return `Whatever the policy, idle irqs made requests of others fail: ${parts.join("; ")}.`;
  }

  undecided(): string | null {
    if (this.#unclear.length === 0) return null;
    const range = rangeText(this.#unclear, CAUSED, this.#policies);
    return (
      `At ${plural(this.#seeds, "seed")} it cannot be told whether the policy matters to others ` +
      `${this.#under(this.#unclear)}, where idle irqs made ${range} requests fail.`
    );
  }

  /** Why the others are unharmed: tables that suffice, or too little idle when they did not. */
  harmless(): string | null {
    const safe = this.#places.filter((place) => !hasHarm(place));
    if (safe.length === 0) return null;
    const isShort = (place: Place): boolean =>
      this.#policies.some((policy) => meanOf(place, FAILED, policy) > 0);
    const short = safe.filter(isShort);
    const ample = safe.filter((place) => !isShort(place));
    const parts = [
      ...(ample.length === 0 ? [] : [`no table ran short (${this.#placesText(ample)})`]),
      ...(short.length === 0
        ? []
        : [`too few were idle when one did (${this.#placesText(short)})`]),
    ];
    return `Nobody's idle irqs harmed another where ${parts.join(", nor where ")}.`;
  }

  /** What speaks for giving back, and what for keeping. */
  therefore(): string {
    const cheap = cheapest(this.#even, this.#policies);
    const isAny = cheap.length === this.#policies.length;
    const least = `${listText(cheap)} ${cheap.length === 1 ? "costs" : "cost"} least`;
    if (this.#decided.length === 0 && this.#unclear.length > 0) {
      return "So these seeds do not decide what speaks for giving irqs back; more may (--seeds).";
    }
    if (this.#decided.length === 0) {
      const costs = isAny ? "no policy costs more than another" : least;
      const reason = cheap.length === 0 ? "" : `, and ${costs}`;
      return `So nothing here speaks for giving irqs back before the mode changes${reason}.`;
    }
    const where = this.#placesText(this.#decided);
    const isHypothetical = this.#decided.some(({ vmm }) => vmm === HYPOTHETICAL_VMM);
    const doubt = isHypothetical ? `; ${HYPOTHETICAL_VMM} is hypothetical` : "";
    const sparing = listText(this.#sparing);
    const best =
      this.#sparing.length === 0
        ? `So none is best for others everywhere: it depends on VMM and topology (${where}${doubt})`
        : `So what speaks for ${sparing} is a table that runs short while irqs idle ` +
          `(${where}${doubt})`;
    if (this.#even.length === 0) return `${best}.`;
    const costs = isAny || cheap.length === 0 ? "" : `, and ${least}`;
    const all = plural(this.#places.length, "combination");
    const other = this.#unclear.length === 0 ? "the other " : "";
    const others = `${other}${this.#even.length} of ${all}`;
    return `${best}; in ${others} no policy spares anybody anything${costs}.`;
  }

  #under(places: readonly Place[]): string {
    return `under ${this.#placesText(places)}`;
  }

  #placesText(places: readonly Place[]): string {
    return placesText(places, this.#places);
  }
}

/** Of one seed there is no interval: what differs in it differs. */
function told(place: Place, metric: string, a: string, b: string): Order {
  const order = place.order(metric, a, b);
  if (order !== "unclear") return order;
  const [left, right] = [place.values(metric, a), place.values(metric, b)];
  const pairs = left.flatMap((value, i) => {
    const other = right[i];
    return typeof value === "number" && typeof other === "number" ? [value - other] : [];
  });
  if (pairs.length !== 1) return order;
  return pairs[0]! > 0 ? "more" : "less";
}

/** What seeds do not tell apart is no less if its mean is not. */
function isNoLess(place: Place, metric: string, policy: string, than: string): boolean {
  const order = told(place, metric, policy, than);
  if (order !== "unclear") return order !== "less";
  return meanOf(place, metric, policy) >= meanOf(place, metric, than);
}

function meanOf(place: Place, metric: string, policy: string): number {
  return place.estimate(metric, policy)?.mean ?? 0;
}

/** How many times as much of it `policy` has than another; null if not more, or of nothing. */
function timesAsMuch(place: Place, metric: string, policy: string, than: string): number | null {
  if (told(place, metric, policy, than) !== "more") return null;
  const base = meanOf(place, metric, than);
  return base === 0 ? null : meanOf(place, metric, policy) / base;
}

/** Policies of which no cost is more than another's, wherever that is. */
function cheapest(places: readonly Place[], policies: readonly string[]): string[] {
  return policies.filter((policy) =>
    places.every((place) =>
      COSTS.every(({ key }) =>
        policies.every((other) => told(place, key, policy, other) !== "more"),
      ),
    ),
  );
}

/** `none`, `7`, `7 to 57`: means over places and policies. */
function rangeText(places: readonly Place[], metric: string, policies: readonly string[]): string {
  const means = places.flatMap((place) => policies.map((policy) => meanOf(place, metric, policy)));
  const ends = distinct([Math.min(...means), Math.max(...means)].map(meanText));
  return ends.length === 1 && ends[0] === "0" ? "none" : ends.join(" to ");
}
