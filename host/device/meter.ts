/** Counts and stamps the interrupts of one device: the host's half of ledger and latency. */
import { FATE, type Fate, type FateCounts } from "../../src/measure/fates.ts";
import { type DeviceRows, type IrqKind, rowOf } from "../../src/measure/rows.ts";
import { MERGED, NOT_HANDLED } from "../../src/measure/stages.ts";
import type { LevelTokens } from "../../src/shm/level-tokens.ts";
import type { StampLogWriter } from "../../src/shm/stamp-log.ts";
import type { Clock } from "../../src/time/clock.ts";

/**
 * As the time of a raise: now. The clock is then read where its reading is stored; a number that is
 * handed down through calls costs an allocation wherever they are not inlined.
 */
export const NOW = -1;
/** A row without a token on the host's side of the border. */
const NOT_RAISED = -1;
/** It has one that is no latency sample. */
const NOT_STAMPED = -2;
const RAISED = 0;
const HANDLER = 1;
const SIGNALLED = 2;

/** Where all devices of a guest count; arrays have an element a row. */
export class MeterStorage {
  readonly raised: Float64Array;
  readonly injected: Float64Array;
  readonly fates: FateCounts;
  readonly clock: Clock;
  readonly log: StampLogWriter;
  readonly levelTokens: LevelTokens;
  /** Stamp handler and signal too, not only the raise. */
  readonly allStages: boolean;
  /** When the oldest token that has not left the host was raised, NOT_STAMPED or NOT_RAISED. */
  readonly raisedAt: Float64Array;
  /** Tokens that have left for the guest: the sequence number of the next one. */
  readonly sent: Float64Array;

  constructor(
    rows: number,
    fates: FateCounts,
    clock: Clock,
    border: { readonly log: StampLogWriter; readonly levelTokens: LevelTokens },
    allStages: boolean,
  ) {
    this.raised = new Float64Array(rows);
    this.injected = new Float64Array(rows);
    this.raisedAt = new Float64Array(rows).fill(NOT_RAISED);
    this.sent = new Float64Array(rows);
    this.fates = fates;
    this.clock = clock;
    this.log = border.log;
    this.levelTokens = border.levelTokens;
    this.allStages = allStages;
  }
}

export class DeviceMeter {
  readonly rows: DeviceRows;
  readonly #store: MeterStorage;
  /** Row whose oldest token is the one just raised, or -1. Delivery is one call chain. */
  #fresh = -1;
  /** Of the token on its way, ns. */
  readonly #stamps = new Float64Array(3);

  constructor(rows: DeviceRows, store: MeterStorage) {
    this.rows = rows;
    this.#store = store;
  }

  row(kind: IrqKind, vector: number): number {
    return rowOf(this.rows, kind, vector);
  }

  /**
   * A token is created; `atNs` is when the device meant to raise it (open loop: intended time), or
   * NOW.
   */
  raise(row: number, atNs: number): void {
    const store = this.#store;
    const stamps = this.#stamps;
    store.raised[row]!++;
    this.#fresh = store.raisedAt[row] === NOT_RAISED ? row : -1;
    if (!store.log.isSample(store.sent[row]!)) {
      if (this.#fresh === row) store.raisedAt[row] = NOT_STAMPED;
      return;
    }
    if (atNs === NOW) store.clock.stamp(stamps, HANDLER);
    else stamps[HANDLER] = atNs;
    stamps[SIGNALLED] = stamps[HANDLER]!;
    if (this.#fresh === row) store.raisedAt[row] = stamps[HANDLER]!;
  }

  /** The host's interrupt handler begins. */
  handler(row: number): void {
    if (this.#isStamped(row)) this.#store.clock.stamp(this.#stamps, HANDLER);
  }

  /** Right before the eventfd is signalled. */
  signalled(row: number): void {
    if (this.#isStamped(row)) this.#store.clock.stamp(this.#stamps, SIGNALLED);
  }

  /** The token is about to be posted by the IOMMU: no handler of the host will run. */
  posting(row: number): void {
    this.#stamps[HANDLER] = NOT_HANDLED;
    if (this.#isStamped(row)) this.#store.clock.stamp(this.#stamps, SIGNALLED);
  }

  /** Its oldest token is a sample with the stamps between the ends too. */
  #isStamped(row: number): boolean {
    const store = this.#store;
    return store.allStages && store.log.isSample(store.sent[row]!);
  }

  /** A level-triggered token is about to be requested at the guest's interrupt controller. */
  levelRequested(row: number): void {
    this.#store.levelTokens.add(row);
  }

  /** An irqfd has requested it at the virtual APIC, or the IOMMU has posted it. */
  injected(row: number): void {
    this.#store.injected[row]!++;
    this.sent(row);
  }

  /** The token has left the host: in an eventfd's counter, or requested at the virtual APIC. */
  sent(row: number): void {
    const store = this.#store;
    const raisedAt = store.raisedAt[row]!;
    const sequence = store.sent[row]!++;
    if (raisedAt === NOT_RAISED) return;
    store.raisedAt[row] = NOT_RAISED;
    if (raisedAt === NOT_STAMPED) return;
    this.#stamps[RAISED] = raisedAt;
    store.log.appendTimes(row, sequence, this.#stamps);
  }

  /** `n` tokens that were in an eventfd came back: the kernel read its counter. */
  tookBack(row: number, n: number, fate: Fate = "coalesced-eventfd"): void {
    this.#store.sent[row]! -= n;
    this.#store.fates.count(row, FATE[fate], n);
  }

  /** Of `n` tokens in an eventfd the oldest goes another way, and the others with it. */
  recalled(row: number, n: number): void {
    this.#store.sent[row]! -= n;
    if (n > 1) this.#store.fates.count(row, FATE["coalesced-eventfd"], n - 1);
  }

  /** A token merged with an older one, whose stamps go on. */
  merged(row: number, fate: Fate): void {
    const store = this.#store;
    store.fates.count(row, FATE[fate]);
    if (this.#fresh !== row) return;
    // No older one is here: it waits in the guest.
    const stamped = store.allStages && store.raisedAt[row] !== NOT_STAMPED;
    if (stamped && store.sent[row]! > 0) this.#logMerged(row);
    store.raisedAt[row] = NOT_RAISED;
  }

  /** It has no handler of its own, but a time from its raise to that of the one it merged with. */
  #logMerged(row: number): void {
    const store = this.#store;
    const stamps = this.#stamps;
    stamps[RAISED] = store.raisedAt[row]!;
    stamps[HANDLER] = MERGED;
    store.log.appendTimes(row, store.sent[row]! - 1, stamps);
  }

  /** `n` tokens are lost. */
  dropped(row: number, fate: Fate, n = 1): void {
    this.#store.fates.count(row, FATE[fate], n);
    this.#store.raisedAt[row] = NOT_RAISED;
  }

  /** `n` tokens wait at the end of the run. */
  pending(row: number, fate: Fate, n = 1): void {
    this.#store.fates.count(row, FATE[fate], n);
  }
}
