/** The threads engine: one host worker, one worker a guest, wall clock, real concurrency. */
import { setTimeout as delay } from "node:timers/promises";
import type { Floor, WakeCounts } from "../../measure/calibration.ts";
import { breakOnText } from "../../scenario/break-on.ts";
import type { Scenario } from "../../scenario/types.ts";
import { breakOf, interruptsOf } from "../../shm/border.ts";
import { WallClock } from "../../time/wall-clock.ts";
import type { EngineOptions, RunOutcome, WorkersReport } from "../outcome.ts";
import type { FloorResult, Warning } from "../result.ts";
import type { LoopReport } from "./api.ts";
import { floorResult, floorWarnings, measureFloor } from "./calibrate.ts";
import { Crew, type ThreadGuest, type WorkerUrls } from "./crew.ts";
import { type Ending, endRun, type NamedLoop, salvage } from "./ending.ts";
import { pinThreads } from "./pin.ts";
import { StopRequest } from "./stop-request.ts";

const PROGRESS_MS = 200;
/** The same where a guest may ask for the end. */
const BREAK_MS = 5;

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
      const pinned = await this.#pin();
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
      const warnings = [...pinned, ...ending.warnings, ...floorWarnings(floor, played)];
      const { cpus } = this.#options;
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
        workers: workersReport(this.guests, ending.loops),
        ...(cpus !== undefined && pinned.length === 0 ? { cpus } : {}),
      };
    } catch (error) {
      throw this.#stop.failure ?? error;
    } finally {
      signal?.removeEventListener("abort", onAbort);
      await this.#crew.end();
    }
  }

  /** Threads go to their CPUs before anything is measured on them. */
  async #pin(): Promise<Warning[]> {
    const { cpus, onThreads } = this.#options;
    if (cpus === undefined && onThreads === undefined) return [];
    const { host, alive } = { host: this.#crew.host, alive: this.#crew.alive() };
    const threads = [{ name: "host", id: await host.call((api) => api.threadId()) }];
    for (const guest of alive) {
      const id = await this.#crew.ask(guest, (api) => api.threadId());
      threads.push({ name: guest.plan.spec.name, id });
    }
    onThreads?.(threads);
    return cpus === undefined ? [] : await pinThreads(threads, cpus);
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
      this.#lookForBreak();
      const pauseMs = run.breakOnNs === undefined ? PROGRESS_MS : BREAK_MS;
      await this.#sleepOrStop(Math.min((endNs - nowNs) / 1e6, pauseMs));
    }
    this.#lookForBreak();
    if (duration > run.limit) this.#stop.make("wall-clock limit");
  }

  #lookForBreak(): void {
    const { breakOnNs } = this.#scenario.run;
    if (breakOnNs === undefined) return;
    const guest = this.guests.find(({ border }) => breakOf(border.memory));
    if (guest !== undefined) {
      this.#stop.make(`${breakOnText(breakOnNs)} in ${guest.plan.spec.name}`);
    }
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

function workersReport(guests: readonly ThreadGuest[], loops: readonly NamedLoop[]): WorkersReport {
  const byName = new Map(loops.map((loop) => [loop.actor, loop]));
  const busy = (name: string): number | null => {
    const loop = byName.get(name);
    if (loop === undefined || loop.runNs <= 0) return null;
    return Math.min(1, Math.max(0, 1 - loop.idleNs / loop.runNs));
  };
  return {
    host: busy("host") ?? 0,
    guests: guests.map(({ plan }) => busy(plan.spec.name)),
    sleeps: Object.fromEntries(loops.map(({ actor, sleeps }) => [actor, sleeps])),
  };
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
