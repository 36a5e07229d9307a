/** The threads engine: one host worker, one worker a guest, wall clock, real concurrency. */
import { setTimeout as delay } from "node:timers/promises";
import type { Floor, WakeCounts } from "../../measure/calibration.ts";
import type { Scenario } from "../../scenario/types.ts";
import { interruptsOf } from "../../shm/border.ts";
import { WallClock } from "../../time/wall-clock.ts";
import type { EngineOptions, RunOutcome } from "../outcome.ts";
import type { FloorResult } from "../result.ts";
import type { LoopReport } from "./api.ts";
import { floorResult, floorWarnings, measureFloor } from "./calibrate.ts";
import { Crew, type ThreadGuest, type WorkerUrls } from "./crew.ts";
import { type Ending, endRun, salvage } from "./ending.ts";
import { StopRequest } from "./stop-request.ts";

const PROGRESS_MS = 200;

/** The floor before the run, and the guest it was measured with. */
interface Calibration {
  readonly floor: Floor;
  readonly guest: ThreadGuest;
}

/** One run on threads, from first worker to last. */
export class ThreadsRun {
  readonly #scenario: Scenario;
  readonly #options: EngineOptions;
  readonly #stop = new StopRequest();
  readonly #crew: Crew;
  readonly #clock: WallClock;

  constructor(scenario: Scenario, options: EngineOptions, urls: Partial<WorkerUrls> = {}) {
    this.#scenario = scenario;
    this.#options = options;
    this.#crew = new Crew(scenario, this.#stop, urls);
    // Its calibration takes some milliseconds, in which the host's thread starts.
    this.#clock = new WallClock();
  }

  get guests(): readonly ThreadGuest[] {
    return this.#crew.guests;
  }

  get #interrupted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** Throws what broke the run only if nothing can be said about it any more. */
  async run(): Promise<RunOutcome> {
    const { signal } = this.#options;
    const onAbort = (): void => this.#stop.make("interrupted");
    signal?.addEventListener("abort", onAbort);
    if (this.#interrupted) onAbort();
    try {
      await this.#crew.start();
      const before = await this.#calibrate();
      const startNs = this.#clock.now();
      const played = this.#stop.reason === null;
      if (played) {
        this.#startLoops();
        await this.#play(startNs);
      }
      const durationNs = this.#clock.now() - startNs;
      const ending = await this.#end(played);
      const floor = await this.#floor(before, ending.loops);
      const warnings = [...ending.warnings, ...floorWarnings(floor, played)];
      const { host, poolAfter, guests } = ending;
      return {
        engine: "threads",
        host,
        poolAfter,
        guests,
        floor,
        durationNs,
        startNs,
        partial: this.#stop.reason ?? this.#loss(),
        warnings,
        failure: this.#stop.failure,
      };
    } catch (error) {
      throw this.#stop.failure ?? error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      await this.#crew.end();
    }
  }

  /** Null if the run is to stop, or if no guest can take part. */
  async #calibrate(): Promise<Calibration | null> {
    const { host } = this.#crew;
    for (const guest of this.#crew.alive()) {
      if (this.#stop.reason !== null) break;
      const measuring = measureFloor(host, guest.worker).catch(() => null);
      await this.#stop.orUntil(measuring);
      if (this.#stop.reason !== null) break;
      const floor = await measuring;
      if (floor !== null) return { floor, guest };
    }
    return null;
  }

  #startLoops(): void {
    const crew = this.#crew;
    const { host } = crew;
    for (const guest of crew.alive()) {
      guest.loop = guest.worker
        .start((api) => api.run())
        .then(() => this.#loopEnded(guest))
        .catch((error: Error) => this.#loopBroke(guest, error));
    }
    crew.hostLoop = host
      .start((api) => api.run())
      .catch((error: Error) => {
        if (host.dead === null) this.#stop.fail(error);
      });
  }

  /** A guest's loop ends by itself only when its VM process is gone. */
  async #loopEnded(guest: ThreadGuest): Promise<void> {
    if (guest.dead !== null || (await guest.worker.call((api) => api.alive()))) return;
    const { report } = await guest.worker.call((api) => api.collect());
    this.#crew.guestGone(guest, report.state);
  }

  /** Unless its thread died, which its handle tells: the model threw. */
  #loopBroke(guest: ThreadGuest, error: Error): void {
    if (guest.worker.dead !== null) return;
    this.#stop.fail(error);
    this.#crew.guestGone(guest, error.message);
  }

  /** Lets host and guests run until the scenario's end, a limit, or somebody's stop. */
  async #play(startNs: number): Promise<void> {
    const { duration, run } = this.#scenario;
    const endNs = startNs + Math.min(duration, run.limit);
    for (;;) {
      // One reading for both, so that the last thing told is that the duration is over.
      const nowNs = this.#clock.now();
      this.#tellProgress(nowNs - startNs);
      if (nowNs >= endNs || this.#stop.reason !== null) break;
      await this.#sleepOrStop(Math.min((endNs - nowNs) / 1e6, PROGRESS_MS));
    }
    if (duration > run.limit) this.#stop.make("wall-clock limit");
  }

  async #sleepOrStop(ms: number): Promise<void> {
    const timer = new AbortController();
    await this.#stop.orUntil(delay(ms, undefined, { signal: timer.signal }).catch(() => {}));
    timer.abort();
  }

  #tellProgress(elapsedNs: number): void {
    const { guests } = this.#crew;
    this.#options.onProgress?.({
      elapsedNs,
      durationNs: this.#scenario.duration,
      interrupts: guests.reduce((sum, { border }) => sum + interruptsOf(border.memory), 0),
      guests: guests.map(({ plan, dead }) => ({
        name: plan.spec.name,
        state: dead === null ? "running" : "dead",
      })),
    });
  }

  async #end(played: boolean): Promise<Ending> {
    const crew = this.#crew;
    if (!played) return await salvage(crew, false);
    if (this.#stop.failure !== null) return await salvage(crew, true);
    try {
      const [clock, stop] = [this.#clock, this.#stop];
      return await endRun({ crew, clock, stop, hurry: () => this.#interrupted });
    } catch (error) {
      this.#stop.fail(error as Error);
      return await salvage(crew, true);
    }
  }

  /** With the same guest as before the run, if it is still there; a user who waits comes first. */
  async #floor(
    before: Calibration | null,
    loops: readonly LoopReport[],
  ): Promise<FloorResult | null> {
    if (before === null) return null;
    const { floor, guest } = before;
    let after: Floor | null = null;
    if (!this.#interrupted && this.#stop.failure === null && guest.dead === null) {
      after = await measureFloor(this.#crew.host, guest.worker).catch(() => null);
    }
    return floorResult(floor, after, this.#scenario.run.wait, wakeCounts(loops));
  }

  /** A guest whose worker was killed from outside, or ran out of memory. */
  #loss(): string | null {
    const lost = this.guests.find(({ worker }) => worker.dead !== null);
    return lost === undefined ? null : `guest ${lost.worker.name} died: ${lost.worker.dead}`;
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
