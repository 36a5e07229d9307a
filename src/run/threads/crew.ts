/** All workers of a run: how they are started, who of them is alive, how they are ended. */
import type { Remote } from "comlink";
import type { Scenario } from "../../scenario/types.ts";
import { createWord } from "../../shm/arena.ts";
import {
  CONTROL_GUEST_EPOCH,
  CONTROL_GUEST_PARKED,
  CONTROL_STOP,
  createBorder,
} from "../../shm/border.ts";
import { AlwaysWaker, Attention, FutexWaker } from "../../shm/waker.ts";
import type { GuestPlan } from "../contract.ts";
import { borderShape, planGuests } from "../plan.ts";
import { guestWorkerUrl, hostWorkerUrl } from "../worker-urls.ts";
import type { BorderHandle, GuestWorkerApi, HostWorkerApi } from "./api.ts";
import { inTurns } from "./in-turns.ts";
import type { StopRequest } from "./stop-request.ts";
import { WorkerHandle } from "./worker-handle.ts";

/** Which files the workers are; tests put faulty ones here. */
export interface WorkerUrls {
  readonly host: URL;
  readonly guest: URL;
}

export interface ThreadGuest {
  readonly index: number;
  readonly plan: GuestPlan;
  readonly border: BorderHandle;
  readonly worker: WorkerHandle<GuestWorkerApi>;
  /** Its machine is built: it can be asked things. */
  ready: boolean;
  /** Settles when its loop has ended; null before it has begun. */
  loop: Promise<void> | null;
  /** Why its VM process is gone, or null. */
  dead: string | null;
}

export class Crew {
  readonly host: WorkerHandle<HostWorkerApi>;
  /** As many as have been started, in the scenario's order. */
  readonly guests: ThreadGuest[] = [];
  /** Settles when the host's loop has ended; null before it has begun. */
  hostLoop: Promise<void> | null = null;
  readonly plans: readonly GuestPlan[];
  readonly borders: readonly BorderHandle[];
  readonly #scenario: Scenario;
  readonly #stop: StopRequest;
  readonly #guestUrl: URL;
  readonly #hostMemory = { epoch: createWord(), attention: createWord() };

  constructor(scenario: Scenario, stop: StopRequest, urls: Partial<WorkerUrls> = {}) {
    this.#scenario = scenario;
    this.#stop = stop;
    this.#guestUrl = urls.guest ?? guestWorkerUrl();
    this.plans = planGuests(scenario);
    this.borders = this.plans.map((plan) => {
      const shape = borderShape(plan);
      return { shape, memory: createBorder(shape) };
    });
    const { epoch, attention } = this.#hostMemory;
    this.host = new WorkerHandle<HostWorkerApi>(
      "host",
      urls.host ?? hostWorkerUrl(),
      new Attention({ words: new Int32Array(attention), index: 0 }),
      new AlwaysWaker({ words: new Int32Array(epoch), index: 0 }),
    );
    this.host.onDeath(({ reason, error }) => stop.fail(error ?? new Error(`host: ${reason}`)));
  }

  /** Builds all machines; returns early, but with the host's built, if the run is to stop. */
  async start(): Promise<void> {
    const { plans, borders } = this;
    const setUp = { scenario: this.#scenario, host: this.#hostMemory, plans, borders };
    const hostReady = this.host.call((api) => api.setUp(setUp));
    const guests = inTurns(plans.keys(), async (index) => {
      if (this.#stop.reason === null) await this.#startGuest(index);
    });
    guests.catch(() => {});
    await hostReady;
    await this.#stop.orUntil(guests);
  }

  async #startGuest(index: number): Promise<void> {
    const plan = this.plans[index]!;
    const border = this.borders[index]!;
    const words = new Int32Array(border.memory);
    const worker = new WorkerHandle<GuestWorkerApi>(
      plan.spec.name,
      this.#guestUrl,
      new Attention({ words, index: CONTROL_STOP }),
      new FutexWaker({ words, index: CONTROL_GUEST_PARKED }, { words, index: CONTROL_GUEST_EPOCH }),
    );
    const guest: ThreadGuest = {
      index,
      plan,
      border,
      worker,
      ready: false,
      loop: null,
      dead: null,
    };
    this.guests[index] = guest;
    worker.onDeath(({ reason, error }) => {
      if (error !== null) this.#stop.fail(error);
      this.guestGone(guest, reason);
    });
    const setUp = {
      scenario: this.#scenario,
      plan,
      border,
      hostEpoch: this.#hostMemory.epoch,
      threads: this.plans.length + 1,
    };
    await this.ask(guest, (api) => api.setUp(setUp));
    guest.ready = guest.dead === null;
  }

  /** The VM process is gone: the host closes everything it had, the others go on. */
  guestGone(guest: ThreadGuest, reason: string): void {
    if (guest.dead !== null) return;
    guest.dead = reason;
    this.host.call((api) => api.exit(guest.index, reason)).catch(() => {});
    const all = this.guests.length === this.plans.length;
    if (all && this.guests.every(({ dead }) => dead !== null)) {
      this.#stop.make("all guests are gone");
    }
  }

  /** Guests whose VM process is there and can be asked things. */
  alive(): ThreadGuest[] {
    return this.guests.filter(({ ready, dead }) => ready && dead === null);
  }

  /**
   * Asks a guest; null if its worker has died, which its VM process does not survive either.
   * Anything else that goes wrong is the model's fault, and ends the run.
   */
  async ask<T>(
    guest: ThreadGuest,
    invoke: (remote: Remote<GuestWorkerApi>) => Promise<T>,
  ): Promise<T | null> {
    try {
      return await guest.worker.call(invoke);
    } catch (error) {
      if (guest.worker.dead === null) this.#stop.fail(error as Error);
      this.guestGone(guest, guest.worker.dead ?? (error as Error).message);
      return null;
    }
  }

  /** Kills all threads where they stand. */
  async end(): Promise<void> {
    await Promise.all([this.host.end(), ...this.guests.map(({ worker }) => worker.end())]);
  }
}
