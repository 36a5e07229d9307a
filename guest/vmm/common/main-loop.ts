/** A poll loop as far as it reads eventfds: handlers by eventfd slot (QEMU: util/main-loop.c). */
import { FATE } from "../../../src/measure/fates.ts";
import type { MachineEnv } from "../../../src/run/contract.ts";
import type { GuestPort } from "../../../src/shm/border.ts";
import type { Process } from "../../../src/time/process.ts";
import { EFD_CLOEXEC, EFD_NONBLOCK } from "../../../src/uapi/eventfd.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { Tokens } from "../tokens.ts";

/** An event notifier: the descriptor for the kernel, the slot for reading it here. */
export interface Notifier {
  readonly fd: number;
  readonly slot: number;
}

/** What a readable eventfd is for. */
export const HANDLER_NONE = 0;
export const HANDLER_VECTOR = 1;
export const HANDLER_INTX = 2;
export const HANDLER_ERR = 3;
export const HANDLER_REQ = 4;

/** Whom the loop calls; `device` and `vector` are what the handler was set with. */
export interface MainLoopSink {
  /** An MSI or MSI-X vector's own eventfd held a token. Hot path. */
  vectorFired(device: number, vector: number): void;
  intxFired(device: number): void;
  errFired(device: number): void;
  reqFired(device: number): void;
}

const CLOSED = FATE["dropped-closed"];
const PENDING = FATE["pending-eventfd"];

export class MainLoop {
  readonly #env: MachineEnv;
  readonly #port: GuestPort;
  readonly #sys: Syscalls;
  readonly #tokens: Tokens;
  readonly #ready: Int32Array;
  readonly #handler: Uint8Array;
  readonly #device: Int32Array;
  readonly #vector: Int32Array;
  /** Ledger row of the interrupts an eventfd counts; -1: none, or nothing is open in the slot. */
  readonly #row: Int32Array;

  constructor(env: MachineEnv, port: GuestPort, sys: Syscalls, tokens: Tokens) {
    const slots = port.shape.eventfds;
    this.#env = env;
    this.#port = port;
    this.#sys = sys;
    this.#tokens = tokens;
    this.#ready = new Int32Array(Math.max(slots, 32) + 32);
    this.#handler = new Uint8Array(slots);
    this.#device = new Int32Array(slots);
    this.#vector = new Int32Array(slots);
    this.#row = new Int32Array(slots).fill(-1);
  }

  /**
   * event_notifier_init: null where the process can have no more eventfds. `row` is the ledger row
   * of the interrupts it counts, -1 for none.
   */
  *newNotifier(row: number): Process<Notifier | null> {
    const { fd, slot } = yield* this.#sys.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) return null;
    this.#handler[slot] = HANDLER_NONE;
    this.#row[slot] = row;
    return { fd, slot };
  }

  /** event_notifier_cleanup: nobody will read what the eventfd still holds. */
  *closeNotifier(notifier: Notifier): Process {
    const { fd, slot } = notifier;
    this.#handler[slot] = HANDLER_NONE;
    this.#claim(slot, CLOSED);
    this.#row[slot] = -1;
    yield* this.#sys.close(fd);
  }

  /** qemu_set_fd_handler; an eventfd that is readable already will be seen. */
  setHandler({ slot }: Notifier, handler: number, device: number, vector: number): void {
    this.#handler[slot] = handler;
    this.#device[slot] = device;
    this.#vector[slot] = vector;
    if (this.#port.eventfds.count(slot) !== 0n) this.#port.guestPoll.mark(slot);
  }

  clearHandler({ slot }: Notifier): void {
    this.#handler[slot] = HANDLER_NONE;
  }

  /** Reads the eventfds that became readable; returns how many it handled. Hot path. */
  run(sink: MainLoopSink): number {
    const ready = this.#port.guestPoll.drain(this.#ready);
    let handled = 0;
    for (let i = 0; i < ready; i++) {
      const slot = this.#ready[i]!;
      if (this.#handler[slot] === HANDLER_NONE) continue;
      const n = this.#port.eventfds.read(slot);
      if (n === 0) continue;
      handled++;
      this.#env.clock.spend(this.#env.costs.vmmDispatch);
      const row = this.#row[slot]!;
      if (row >= 0) this.#tokens.read(row, n);
      this.#dispatch(slot, sink);
    }
    return handled;
  }

  #dispatch(slot: number, sink: MainLoopSink): void {
    const device = this.#device[slot]!;
    const handler = this.#handler[slot]!;
    if (handler === HANDLER_VECTOR) sink.vectorFired(device, this.#vector[slot]!);
    else if (handler === HANDLER_INTX) sink.intxFired(device);
    else if (handler === HANDLER_ERR) sink.errFired(device);
    else sink.reqFired(device);
  }

  /** At the end of the run: tokens in open eventfds wait, or died with the process. */
  settle(fate = PENDING): void {
    for (let slot = 0; slot < this.#row.length; slot++) this.#claim(slot, fate);
  }

  /** Takes what an open eventfd of interrupts holds; whoever reads a token counts it. */
  #claim(slot: number, fate: number): void {
    const row = this.#row[slot]!;
    if (row < 0) return;
    const n = this.#port.eventfds.read(slot);
    if (n === 0) return;
    this.#tokens.abandon(row, fate, n);
  }
}
