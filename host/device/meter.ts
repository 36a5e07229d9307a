/** Counts and stamps the interrupts of one device: the host's half of ledger and latency. */
import { FATE, type Fate, type FateCounts } from "../../src/measure/fates.ts";
import { type DeviceRows, type IrqKind, rowOf } from "../../src/measure/rows.ts";
import { STAMP_HANDLER, STAMP_SIGNALLED, type StampTable } from "../../src/shm/stamps.ts";
import type { Clock } from "../../src/time/clock.ts";

/** Where a guest's devices count; `stamps` is null where nobody measures latency. */
export interface MeterStorage {
  readonly raised: Float64Array;
  readonly injected: Float64Array;
  readonly fates: FateCounts;
  readonly stamps: StampTable | null;
  readonly clock: Clock;
  /** Stamp handler and signal too, not only the raise. */
  readonly allStages: boolean;
}

export class DeviceMeter {
  readonly rows: DeviceRows;
  readonly #store: MeterStorage;
  /** Row whose record the delivery under way has opened, or -1. Delivery is one call chain. */
  #stamping = -1;

  constructor(rows: DeviceRows, store: MeterStorage) {
    this.rows = rows;
    this.#store = store;
  }

  row(kind: IrqKind, vector: number): number {
    return rowOf(this.rows, kind, vector);
  }

  /** A token is created; `atNs` is when the device meant to raise it (open loop: intended time). */
  raise(row: number, atNs: number): void {
    const store = this.#store;
    store.raised[row]!++;
    this.#stamping = store.stamps?.open(row, atNs) === true ? row : -1;
  }

  /** The host's interrupt handler begins. */
  handler(row: number): void {
    const store = this.#store;
    if (this.#stamping !== row || !store.allStages) return;
    store.stamps!.stamp(row, STAMP_HANDLER, store.clock.now());
  }

  /** Right before the eventfd is signalled. */
  signalled(row: number): void {
    const store = this.#store;
    if (this.#stamping !== row || !store.allStages) return;
    store.stamps!.stamp(row, STAMP_SIGNALLED, store.clock.now());
  }

  /** An irqfd set the request bit in the virtual APIC. */
  injected(row: number): void {
    this.#store.injected[row]!++;
  }

  /** A token merged with an older one, whose stamps go on. */
  merged(row: number, fate: Fate): void {
    this.#store.fates.count(row, FATE[fate]);
  }

  /** `n` tokens are lost; a record they may have is void. */
  dropped(row: number, fate: Fate, n = 1): void {
    this.#store.fates.count(row, FATE[fate], n);
    this.#store.stamps?.discard(row);
    this.#stamping = -1;
  }

  /** A token waits at the end of the run. */
  pending(row: number, fate: Fate, n = 1): void {
    this.#store.fates.count(row, FATE[fate], n);
  }
}
