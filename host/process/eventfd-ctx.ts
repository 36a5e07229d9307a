/** The kernel's side of an eventfd: references, and who hears its signals (fs/eventfd.c). */
import { assert } from "../../src/base/assert.ts";
import type { HostPort } from "../../src/shm/border.ts";
import type { DeviceMeter } from "../device/meter.ts";

/** An entry of the eventfd's wait queue: an irqfd or a virqfd. */
export interface EventfdListener {
  /**
   * The eventfd was signalled, and its counter has been read on the listener's behalf. `row` and
   * `meter` tell whose interrupt it is; -1 and null if userspace wrote.
   */
  signalled(row: number, meter: DeviceMeter | null): void;
  /** Userspace closed its descriptor (EPOLLHUP). */
  hangup(): void;
}

const NO_TOKENS = -1;

/** Tokens of one row that were signalled into the counter. */
interface Counted {
  readonly row: number;
  readonly meter: DeviceMeter;
  tokens: number;
}

/** What an eventfd needs of the process it belongs to. */
export type EventfdHome = Pick<HostPort, "eventfds" | "guestPoll" | "wakeGuest">;

/**
 * An eventfd_ctx. It lives until the descriptor is closed and the last kernel user has let go; only
 * then its slot may be used again. A listener takes the signal instead of the counter: the wake-up
 * would read back what the signal has just added.
 */
export class EventfdCtx {
  readonly slot: number;
  readonly #home: EventfdHome;
  readonly #free: (ctx: EventfdCtx) => void;
  readonly #listeners: EventfdListener[] = [];
  /** The first listener, for the hot path. */
  #first: EventfdListener | null = null;
  #references = 1;
  #open = true;
  /**
   * Tokens signalled into the counter; userspace may have read them since. NO_TOKENS: it held
   * something when a listener came, whose tokens the listener took.
   */
  #counted = 0;
  /** Whose the last of them is. */
  #countedRow = -1;
  #countedMeter: DeviceMeter | null = null;
  /** Tokens of other rows that came before those and had not been read: seldom any. */
  #earlier: Counted[] = [];

  /** Starts with the descriptor's reference; `free` is called when the last one is dropped. */
  constructor(slot: number, home: EventfdHome, free: (ctx: EventfdCtx) => void) {
    this.slot = slot;
    this.#home = home;
    this.#free = free;
  }

  /** eventfd_ctx_fdget: one more kernel user. */
  get(): this {
    this.#references++;
    return this;
  }

  /** eventfd_ctx_put. */
  put(): void {
    assert(this.#references > 0, () => `eventfd slot ${this.slot}: put without get`);
    this.#references--;
    if (this.#references === 0) this.#free(this);
  }

  /** The descriptor is closed: listeners detach, kernel users of the counter stay. */
  release(): void {
    assert(this.#open, () => `eventfd slot ${this.slot}: closed twice`);
    this.#open = false;
    for (const listener of [...this.#listeners]) listener.hangup();
    this.#dropCount();
    this.put();
  }

  /** What was signalled after userspace had read for the last time, nobody will read. */
  #dropCount(): void {
    if (this.#counted <= 0) return;
    const count = this.#home.eventfds.read(this.slot);
    for (const { row, meter, tokens } of this.#unread(count)) {
      meter.tookBack(row, tokens, "dropped-closed");
    }
  }

  /** Whose tokens are in the counter if it holds `count`. Userspace reads all or none of them. */
  #unread(count: number): Counted[] {
    const [row, meter] = [this.#countedRow, this.#countedMeter];
    const tokens = Math.min(count, Math.max(this.#counted, 0));
    if (tokens === 0 || meter === null) return [];
    const before = this.#earlier.reduce((sum, each) => sum + each.tokens, 0);
    const none = count < before + this.#counted;
    return [...(none ? [] : this.#earlier), { row, meter, tokens }];
  }

  /** A token of another row comes: those in the counter are told apart from it. */
  #setAside(): void {
    const unread = this.#unread(Number(this.#home.eventfds.count(this.slot)));
    this.#earlier = [];
    for (const each of unread) {
      const same = this.#earlier.find(({ row }) => row === each.row);
      if (same === undefined) this.#earlier.push(each);
      else same.tokens += each.tokens;
    }
    this.#counted = 0;
  }

  /** No token is in the counter any more. */
  #forget(counted: number): void {
    this.#counted = counted;
    if (this.#earlier.length > 0) this.#earlier = [];
  }

  /** True if a read or poll would find a count. */
  get readable(): boolean {
    return this.#home.eventfds.count(this.slot) !== 0n;
  }

  addListener(listener: EventfdListener): void {
    this.#listeners.push(listener);
    this.#first = this.#listeners[0]!;
  }

  /** eventfd_ctx_remove_wait_queue: who leaves takes what the counter holds. */
  removeListener(listener: EventfdListener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
    this.#first = this.#listeners[0] ?? null;
    if (this.#counted !== NO_TOKENS) return;
    this.#forget(0);
    this.#home.eventfds.read(this.slot);
  }

  /**
   * A listener that has just been added looks whether it came too late (vfs_poll): if the counter
   * is not zero it is signalled once, with the tokens there are, and the count stays.
   */
  signalPending(listener: EventfdListener): void {
    const count = this.#home.eventfds.count(this.slot);
    if (count === 0n) return;
    const unread = this.#unread(Number(count));
    this.#forget(NO_TOKENS);
    const last = unread.pop();
    for (const { row, meter, tokens } of unread) meter.tookBack(row, tokens);
    last?.meter.recalled(last.row, last.tokens);
    listener.signalled(last?.row ?? -1, last?.meter ?? null);
  }

  /** eventfd_signal with the token of `row`, or with none (-1, null). Hot path. */
  signal(row: number, meter: DeviceMeter | null): void {
    const home = this.#home;
    if (this.#first !== null) {
      if (this.#counted !== 0) this.#takeCount();
      this.#notify(row, meter);
      return;
    }
    if (!this.#open) {
      // Nobody can ever read it.
      meter?.dropped(row, "dropped-closed");
      return;
    }
    if (row !== this.#countedRow && meter !== null && this.#counted > 0) this.#setAside();
    if (home.eventfds.signal(this.slot)) {
      home.guestPoll.mark(this.slot);
      home.wakeGuest.wake();
    }
    if (meter === null) return;
    this.#counted++;
    this.#countedRow = row;
    this.#countedMeter = meter;
    meter.sent(row);
  }

  /** Userspace wrote to the eventfd; its listeners, if any, take the count. */
  written(): void {
    if (this.#first === null) return;
    if (this.#home.eventfds.read(this.slot) === 0) return;
    this.#notify(-1, null);
  }

  /** eventfd_ctx_do_read in the wake-up: older tokens in the counter go with this one. */
  #takeCount(): void {
    const unread = this.#unread(this.#home.eventfds.read(this.slot));
    this.#forget(0);
    for (const { row, meter, tokens } of unread) meter.tookBack(row, tokens);
  }

  #notify(row: number, meter: DeviceMeter | null): void {
    if (this.#listeners.length === 1) {
      this.#first!.signalled(row, meter);
      return;
    }
    // The token goes to the first; the others hear of it all the same.
    let [r, m]: [number, DeviceMeter | null] = [row, meter];
    for (const listener of [...this.#listeners]) {
      listener.signalled(r, m);
      [r, m] = [-1, null];
    }
  }
}
