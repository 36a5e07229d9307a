/** The threads engine: one host worker, one worker a guest, wall clock, real concurrency. */
import { setTimeout as delay } from "node:timers/promises";
import { type Floor, floorReference, type WakeCounts } from "../../measure/calibration.ts";
import type { Scenario } from "../../scenario/types.ts";
import { createWord } from "../../shm/arena.ts";
import {
  CONTROL_GUEST_EPOCH,
  CONTROL_GUEST_PARKED,
  CONTROL_STOP,
  createBorder,
  guestFatesOf,
  interruptsOf,
} from "../../shm/border.ts";
import { AlwaysWaker, Attention, FutexWaker } from "../../shm/waker.ts";
import { WallClock } from "../../time/wall-clock.ts";
import type { GuestPlan } from "../contract.ts";
import { guestWorkerUrl, hostWorkerUrl } from "../entries.ts";
import type { EngineOptions, GuestOutcome, RunOutcome } from "../outcome.ts";
import { borderShape, planGuests } from "../plan.ts";
import type { FloorResult, Warning } from "../result.ts";
import type { BorderHandle, GuestWorkerApi, HostWorkerApi, LoopReport } from "./api.ts";
import { measureFloor } from "./calibrate.ts";
import { WorkerHandle } from "./worker-handle.ts";

/** Longest time interrupts under way may take to arrive after the load has stopped. */
const SETTLE_MS = 3_000;
const PROGRESS_MS = 200;
/** Guests started at a time: starting all 64 at once only makes each of them slower. */
const START_BATCH = 4;

interface ThreadGuest {
  readonly plan: GuestPlan;
  readonly border: BorderHandle;
  readonly worker: WorkerHandle<GuestWorkerApi>;
  dead: string | null;
}

/** One run on threads, from first worker to last. */
export class ThreadsRun {
  readonly #scenario: Scenario;
  readonly #options: EngineOptions;
  readonly #clock = new WallClock();
  readonly #host: WorkerHandle<HostWorkerApi>;
  readonly #hostMemory = { epoch: createWord(), attention: createWord() };
  readonly guests: ThreadGuest[] = [];
  readonly #warnings: Warning[] = [];
  #stopReason: string | null = null;
  #wakeMain: () => void = () => {};

  constructor(scenario: Scenario, options: EngineOptions) {
    this.#scenario = scenario;
    this.#options = options;
    const { epoch, attention } = this.#hostMemory;
    this.#host = new WorkerHandle<HostWorkerApi>(
      "host",
      hostWorkerUrl(),
      new Attention({ words: new Int32Array(attention), index: 0 }),
      new AlwaysWaker({ words: new Int32Array(epoch), index: 0 }),
    );
    this.#host.onDeath((reason) => this.#stop(`host worker died: ${reason}`));
  }

  #stop(reason: string): void {
    this.#stopReason ??= reason;
    this.#wakeMain();
  }

  async run(): Promise<RunOutcome> {
    const onAbort = (): void => this.#stop("interrupted");
    this.#options.signal?.addEventListener("abort", onAbort);
    try {
      await this.#setUp();
      const floor = await this.#floor();
      const startNs = this.#clock.now();
      await this.#play(startNs);
      const durationNs = this.#clock.now() - startNs;
      return await this.#finish(floor, startNs, durationNs);
    } finally {
      this.#options.signal?.removeEventListener("abort", onAbort);
      await Promise.all([this.#host.end(), ...this.guests.map(({ worker }) => worker.end())]);
    }
  }

  async #setUp(): Promise<void> {
    const plans = planGuests(this.#scenario);
    const borders = plans.map((plan): BorderHandle => {
      const shape = borderShape(plan);
      return { shape, memory: createBorder(shape) };
    });
    const host = this.#hostMemory;
    await this.#host.call((api) => api.setUp({ scenario: this.#scenario, host, plans, borders }));
    for (let first = 0; first < plans.length; first += START_BATCH) {
      const batch = plans.slice(first, first + START_BATCH);
      await Promise.all(
        batch.map((plan, i) => this.#startGuest(plan, borders[first + i]!, plans.length + 1)),
      );
      if (this.#stopReason !== null) break;
    }
  }

  async #startGuest(plan: GuestPlan, border: BorderHandle, threads: number): Promise<void> {
    const words = new Int32Array(border.memory);
    const worker = new WorkerHandle<GuestWorkerApi>(
      plan.spec.name,
      guestWorkerUrl(),
      new Attention({ words, index: CONTROL_STOP }),
      new FutexWaker({ words, index: CONTROL_GUEST_PARKED }, { words, index: CONTROL_GUEST_EPOCH }),
    );
    const guest: ThreadGuest = { plan, border, worker, dead: null };
    this.guests.push(guest);
    worker.onDeath((reason) => this.#guestGone(guest, reason));
    const hostEpoch = this.#hostMemory.epoch;
    await worker.call((api) =>
      api.setUp({ scenario: this.#scenario, plan, border, hostEpoch, threads }),
    );
  }

  /** The VM process is gone: the host closes everything it had, the others go on. */
  #guestGone(guest: ThreadGuest, reason: string): void {
    if (guest.dead !== null) return;
    guest.dead = reason;
    const index = this.guests.indexOf(guest);
    this.#host.call((api) => api.exit(index, reason)).catch(() => {});
    if (this.guests.every(({ dead }) => dead !== null)) this.#stop("all guests are gone");
  }

  async #floor(): Promise<Floor | null> {
    const first = this.guests[0];
    if (first === undefined || this.#stopReason !== null) return null;
    return await measureFloor(this.#host, first.worker);
  }

  /** Lets host and guests run until the scenario's end, a limit, or somebody's stop. */
  async #play(startNs: number): Promise<void> {
    this.#host.start((api) => api.run()).catch(() => {});
    for (const guest of this.guests) {
      if (guest.dead !== null) continue;
      guest.worker
        .start((api) => api.run())
        .then(() => this.#loopEnded(guest))
        .catch(() => {});
    }
    const { duration, run } = this.#scenario;
    const endNs = startNs + Math.min(duration, run.limit);
    while (this.#stopReason === null) {
      const left = (endNs - this.#clock.now()) / 1e6;
      if (left <= 0) break;
      await this.#sleepOrStop(Math.min(left, PROGRESS_MS));
      this.#tellProgress(startNs);
    }
    if (duration > run.limit) this.#stopReason ??= "wall-clock limit";
  }

  /** A guest's loop ends by itself only when its VM process is gone. */
  async #loopEnded(guest: ThreadGuest): Promise<void> {
    if (guest.dead !== null || (await guest.worker.call((api) => api.alive()))) return;
    const { report } = await guest.worker.call((api) => api.collect());
    this.#guestGone(guest, report.state);
  }

  async #sleepOrStop(ms: number): Promise<void> {
    const stopped = new Promise<void>((resolve) => {
      this.#wakeMain = resolve;
    });
    const timer = new AbortController();
    await Promise.race([delay(ms, undefined, { signal: timer.signal }).catch(() => {}), stopped]);
    timer.abort();
  }

  #tellProgress(startNs: number): void {
    this.#options.onProgress?.({
      elapsedNs: this.#clock.now() - startNs,
      durationNs: this.#scenario.duration,
      interrupts: this.guests.reduce((sum, { border }) => sum + interruptsOf(border.memory), 0),
      guests: this.guests.map(({ plan, dead }) => ({
        name: plan.spec.name,
        state: dead === null ? "running" : "dead",
      })),
    });
  }

  #alive(): ThreadGuest[] {
    return this.guests.filter(({ dead, worker }) => dead === null && worker.dead === null);
  }

  async #finish(floor: Floor | null, startNs: number, durationNs: number): Promise<RunOutcome> {
    await this.#host.call((api) => api.quiesce());
    await this.#eachAlive((guest) => guest.worker.call((api) => api.quiesce()));
    await this.#rest();
    await this.#eachAlive(async (guest) => {
      await guest.worker.call((api) => api.stop());
      await guest.worker.call((api) => api.settle());
    });
    const loops: LoopReport[] = [];
    const reports = await Promise.all(this.guests.map((guest) => this.#collect(guest, loops)));
    await this.#host.call((api) => api.settle());
    const { report } = await this.#host.call((api) => api.collect());
    for (const [index, { dead }] of this.guests.entries()) {
      if (dead === null) await this.#host.call((api) => api.exit(index, "end of run"));
    }
    await this.#rest();
    const after = await this.#host.call((api) => api.collect());
    loops.push(after.loop);
    await this.#host.call((api) => api.stop());
    return {
      engine: "threads",
      host: report,
      poolAfter: after.report.pool,
      guests: reports,
      floor: floor === null ? null : this.#floorResult(floor, wakeCounts(loops)),
      durationNs,
      startNs,
      partial: this.#stopReason,
      warnings: this.#warnings,
    };
  }

  #floorResult(floor: Floor, waits: WakeCounts): FloorResult {
    const reference = floorReference(this.#scenario.run.wait, waits);
    return { ...floor, reference, wakeModes: { ...waits } };
  }

  /** Waits until nobody has anything under way, or gives up and says so. */
  async #rest(): Promise<void> {
    const until = this.#clock.now() + SETTLE_MS * 1e6;
    for (;;) {
      const busy = await Promise.all([
        this.#host.call((api) => api.busy()),
        ...this.#alive().map(({ worker }) => worker.call((api) => api.busy()).catch(() => false)),
      ]);
      if (!busy.includes(true)) return;
      if (this.#clock.now() > until) break;
      await delay(5);
    }
    this.#warnings.push({
      text: `work was still under way ${SETTLE_MS} ms after the load stopped`,
      advice: "the machine is overloaded: fewer guests, a lower rate, or a longer duration",
    });
  }

  /** Asks every live guest; one that dies meanwhile is noticed by its handle. */
  async #eachAlive(ask: (guest: ThreadGuest) => Promise<void>): Promise<void> {
    await Promise.all(
      this.#alive().map((guest) =>
        ask(guest).catch((error: unknown) => this.#guestGone(guest, `${error}`)),
      ),
    );
  }

  async #collect(guest: ThreadGuest, loops: LoopReport[]): Promise<GuestOutcome> {
    let report = null;
    if (guest.worker.dead === null) {
      const answer = await guest.worker.call((api) => api.collect()).catch(() => null);
      if (answer !== null) loops.push(answer.loop);
      report = answer?.report ?? null;
    }
    const fates = Array.from(guestFatesOf(guest.border.memory, guest.border.shape));
    return { report, dead: guest.dead, fates };
  }
}

function wakeCounts(loops: readonly LoopReport[]): WakeCounts {
  const sum = { spin: 0, park: 0 };
  for (const { spinning, parked } of loops) {
    sum.spin += spinning;
    sum.park += parked;
  }
  return sum;
}

/** Runs a scenario on threads; ends by itself, with a partial result if it must. */
export async function runThreads(
  scenario: Scenario,
  options: EngineOptions = {},
): Promise<RunOutcome> {
  return await new ThreadsRun(scenario, options).run();
}
