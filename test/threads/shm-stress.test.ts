import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { NOT_SINGLE } from "../../src/shm/interrupt-queue.ts";
import { Parker } from "../../src/shm/waker.ts";
import { STRESS_BYTES, type StressDone, stressAreas, VCPUS } from "./shm-stress-areas.ts";

const LEVEL = 0xfe;

/** The taking side: everything that comes is counted, and nothing comes twice. */
class Taker {
  signals = 0;
  requests = 0;
  levels = 0;
  samples = 0;
  outOfOrder = 0;
  readonly #areas;
  readonly #queue;
  readonly #log;
  readonly #ready = new Int32Array(128);
  readonly #taken = new Int32Array(VCPUS * 256);
  #lastSample = -1;

  constructor(areas: ReturnType<typeof stressAreas>) {
    this.#areas = areas;
    this.#queue = areas.queueReader();
    this.#log = areas.logReader();
  }

  pending(): boolean {
    const { poll, apic } = this.#areas;
    return poll.pending() || apic.pending() || this.#queue.pending();
  }

  take(): void {
    const { poll, apic, eventfds } = this.#areas;
    for (let i = poll.drain(this.#ready) - 1; i >= 0; i--) {
      this.signals += eventfds.read(this.#ready[i]!);
    }
    const single = this.#queue.takeSingle();
    if (single !== NOT_SINGLE) this.#take(single);
    const queued = this.#queue.take(this.#taken);
    for (let i = 0; i < queued; i++) this.#take(this.#taken[i]!);
    const bits = apic.take(this.#taken);
    for (let i = 0; i < bits; i++) this.#take(this.#taken[i]!);
    this.samples += this.#log.read((doubles, at) => this.#sample(doubles, at));
  }

  #take(request: number): void {
    if (request === LEVEL) this.levels += this.#areas.levelTokens.take(0);
    else this.requests++;
  }

  #sample(doubles: Float64Array, at: number): void {
    const n = doubles[at]!;
    const whole = doubles.subarray(at, at + 5).every((field) => field === n);
    if (!whole || n <= this.#lastSample) this.outOfOrder++;
    this.#lastSample = n;
  }
}

it("two free-running threads lose no signal, request, token, sample or wake-up", async () => {
  const [rounds, slots] = [300_000, 70];
  const memory = new SharedArrayBuffer(STRESS_BYTES);
  const areas = stressAreas(memory, slots);
  const { control } = areas;
  const taker = new Taker(areas);
  const parker = new Parker({ words: control, index: 16 }, [{ words: control, index: 0 }]);
  const worker = new Worker(new URL("./shm-stress-worker.ts", import.meta.url), {
    workerData: { memory, rounds, slots },
  });
  const done = new Promise<StressDone>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await new Promise((resolve) => worker.once("online", resolve));
  let [sleeps, timeouts] = [0, 0];
  while (taker.signals < rounds) {
    taker.take();
    const epoch = parker.prepare();
    if (taker.pending()) {
      parker.retract();
      continue;
    }
    if (taker.signals >= rounds) break;
    sleeps++;
    // A sleep of 100 ms has outlasted its waker's pause by far.
    if (parker.sleep(epoch, 100) === "timed-out") {
      expect(taker.pending(), "work that nobody woke us for").toBe(false);
      expect(++timeouts, "signals are missing").toBeLessThan(100);
    }
  }
  const { requested, overflowed, levels, lostSamples } = await done;
  taker.take();
  expect([taker.signals, taker.requests, taker.levels]).toEqual([rounds, requested, levels]);
  expect([taker.samples + lostSamples, taker.outOfOrder]).toEqual([rounds, 0]);
  expect([sleeps > 10, overflowed > 10, taker.samples > 10]).toEqual([true, true, true]);
});
