/**
 * Allocations that failed, why, and whose idle irqs it was: Kevin Tian's objection to a cache
 * ("what one device reserves is gone for the others") as a count, for each holder and each victim.
 */
import type { AllocationFailure, FailureCounts } from "../../src/run/contract.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { Grant, Shortage } from "./shortage.ts";

/** Failures that the report shows, the last ones. */
const SHOWN_MAX = 32;

/** What others than the asker held without a handler of the table that was short. */
export interface IdleView {
  /** Entries or vectors, all others together. */
  readonly idle: number;
  /** The device that had most of them, by name, and how many. */
  readonly idlest: string | null;
  readonly idlestIdle: number;
  /** Entries in a row: true if they would have been found among free and idle ones. */
  readonly rowFits: boolean;
}

export type LookForIdle = (shortage: Shortage) => IdleView;

export class AllocationFailures {
  readonly #clock: Clock;
  readonly #look: LookForIdle;
  /** By asker: what there was when its allocation failed, and how many in a row it was for. */
  readonly #views = new Map<string, { readonly asked: number; readonly view: IdleView }>();
  readonly #shown: AllocationFailure[] = [];
  readonly #holders = new Map<string, number>();
  readonly #victims = new Map<string, { failed: number; causedByIdle: number }>();
  #total = 0;
  #causedByIdle = 0;

  constructor(clock: Clock, look: LookForIdle) {
    this.#clock = clock;
    this.#look = look;
  }

  /** An allocation fails just now. Of several for one request, what was asked for first counts. */
  happens(shortage: Shortage): void {
    const { asked } = shortage;
    const before = this.#views.get(shortage.for);
    if (before !== undefined && before.asked > asked) return;
    this.#views.set(shortage.for, { asked, view: this.#look(shortage) });
  }

  /** The request was granted in full after all. */
  forget(asker: string): void {
    this.#views.delete(asker);
  }

  /**
   * The request that it was for is over, and got less than it wanted. An idle reservation is the
   * cause only if the request had been granted in full without any.
   */
  record(grant: Grant, shortage: Shortage): void {
    const { asked: row, view } = this.#views.get(shortage.for) ?? {
      asked: shortage.asked,
      view: this.#look(shortage),
    };
    this.forget(shortage.for);
    const { device, kind, asked, got } = grant;
    const missing = asked - Math.max(0, got);
    const enough = row > 1 ? view.rowFits : view.idle >= missing;
    const causedByIdle = view.idlest !== null && enough;
    this.#total++;
    const victim = this.#victims.get(device) ?? { failed: 0, causedByIdle: 0 };
    victim.failed++;
    this.#victims.set(device, victim);
    if (causedByIdle) {
      this.#causedByIdle++;
      victim.causedByIdle++;
      this.#holders.set(view.idlest!, (this.#holders.get(view.idlest!) ?? 0) + 1);
    }
    const { table, size, used, most, mostEntries, mostOwner } = shortage;
    const mostIdle = Math.max(0, mostEntries - most.armed());
    const { idle, idlest, idlestIdle } = view;
    this.#shown.push({
      at: this.#clock.now(),
      device,
      kind,
      asked,
      got,
      table,
      size,
      used,
      most: most.name,
      mostEntries,
      mostIdle,
      ...(mostOwner && { mostOwner: mostOwner.name, mostOwnerEntries: mostOwner.entries }),
      idle,
      idlest,
      idlestIdle,
      causedByIdle,
    });
    if (this.#shown.length > SHOWN_MAX) this.#shown.shift();
  }

  counts(): FailureCounts {
    return {
      total: this.#total,
      causedByIdle: this.#causedByIdle,
      holders: Object.fromEntries(this.#holders),
      victims: Object.fromEntries(
        [...this.#victims].map(([device, victim]) => [device, { ...victim }]),
      ),
    };
  }

  /** The last of them, oldest first. */
  last(): AllocationFailure[] {
    return [...this.#shown];
  }
}
