import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { EventHeap, type TimedEvent } from "../../src/time/event-heap.ts";
import { Mutex, type Process, sleep, until, WaitQueue, withLock } from "../../src/time/process.ts";
import { Scheduler, type Task } from "../../src/time/scheduler.ts";
import { VirtualClock } from "../../src/time/virtual-clock.ts";

/** Push an event at (at, tie), or pop (null). */
const operation = fc.option(fc.record({ at: fc.nat(6), tie: fc.nat(2) }), { freq: 2 });

describe("the event heap", () => {
  it("pops as a sorted array does: by time, tie, then first in first out", () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const heap = new EventHeap();
        const model: TimedEvent[] = [];
        let sequence = 0;
        const pop = (): void => {
          model.sort((a, b) => a.at - b.at || a.tie - b.tie || a.sequence - b.sequence);
          expect(heap.peek()).toBe(model[0]);
          expect(heap.pop()).toBe(model.shift());
        };
        for (const planned of operations) {
          if (planned === null) pop();
          else {
            const event = { ...planned, sequence: sequence++, run: () => {}, cancelled: false };
            heap.push(event);
            model.push(event);
          }
          expect(heap.size).toBe(model.length);
        }
        while (model.length > 0) pop();
        expect([heap.pop(), heap.size]).toEqual([undefined, 0]);
      }),
    );
  });
});

const sleeps = fc.array(fc.array(fc.nat(3), { maxLength: 6 }), { minLength: 1, maxLength: 5 });

/** Who woke when, for tasks that sleep these lengths one after the other. */
function run(lengths: readonly (readonly number[])[], seed: number | null): string[] {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock, seed === null ? null : Prng.stream(seed, "ties"));
  const log: string[] = [];
  for (const [task, own] of lengths.entries()) {
    scheduler.spawn(
      `t${task}`,
      (function* () {
        for (const [i, ns] of own.entries()) {
          yield* sleep(ns);
          log.push(`${clock.now()}:${task}.${i}`);
        }
      })(),
    );
  }
  while (scheduler.runNext()) {}
  return log;
}

describe("the scheduler", () => {
  it("wakes everybody at their time and in their order, whatever the seed", () => {
    fc.assert(
      fc.property(sleeps, fc.option(fc.nat()), (lengths, seed) => {
        const log = run(lengths, seed);
        const times = log.map((entry) => Number(entry.split(":")[0]));
        expect(times).toEqual([...times].sort((a, b) => a - b));
        const expected = lengths.flatMap((own, task) => {
          let at = 0;
          return own.map((ns, i) => `${(at += ns)}:${task}.${i}`);
        });
        for (const [task] of lengths.entries()) {
          const of = (entries: string[]) => entries.filter((e) => e.includes(`:${task}.`));
          expect(of(log)).toEqual(of(expected));
        }
        expect(log).toHaveLength(expected.length);
        expect(run(lengths, seed)).toEqual(log);
      }),
    );
  });
});

/** What a task does, each with a length: sleep, work, sleep with the lock, wake, wait, kill. */
const acts = ["sleep", "spend", "lock", "wake", "wait", "kill", "timer"] as const;
const lives = fc.array(
  fc.record({
    runsOn: fc.boolean(),
    acts: fc.array(fc.tuple(fc.constantFrom(...acts), fc.nat(3)), { maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 4 },
);
type Lives = (typeof lives extends fc.Arbitrary<infer T> ? T : never) & object;

/** The same lives by single events, or with `runOn`. */
function live(given: Lives, seed: number | null, runsOn: boolean): string[] {
  const clock = new VirtualClock();
  const scheduler = new Scheduler(clock, seed === null ? null : Prng.stream(seed, "ties"));
  const lock = new Mutex("lock");
  const queue = new WaitQueue("queue");
  const tasks: Task[] = [];
  const log: string[] = [];
  let wakes = 0;
  const note = (what: string): number => log.push(`${clock.now()} ${what}`);
  function* act(task: number, what: (typeof acts)[number], ns: number): Process {
    if (what === "sleep") yield* sleep(ns);
    else if (what === "spend") clock.spend(ns);
    else if (what === "lock") yield* withLock(lock, () => sleep(ns));
    else if (what === "kill") scheduler.kill(tasks[(task + ns) % tasks.length]!);
    else if (what === "timer") scheduler.at(clock.now() + ns, () => note(`timer of ${task}`));
    else if (what === "wake") {
      wakes++;
      queue.wakeAll();
    } else {
      const seen = wakes;
      yield* until(queue, () => wakes > seen);
    }
  }
  for (const [task, own] of given.entries()) {
    const process = (function* (): Process {
      try {
        for (const [what, ns] of own.acts) {
          yield* act(task, what, ns);
          note(`${task} ${what}`);
        }
      } finally {
        yield* sleep(2);
        note(`${task} ends`);
      }
    })();
    tasks.push(scheduler.spawn(`t${task}`, process, `t${task}`, own.runsOn));
  }
  while (runsOn ? scheduler.runOn(1e9) : scheduler.runNext(1e9)) {}
  return [...log, `${scheduler.activations} events`];
}

describe("running on through sleeps that nobody else falls into", () => {
  it("is the same events in the same order", () => {
    fc.assert(
      fc.property(lives, fc.option(fc.nat()), (given, seed) => {
        expect(live(given, seed, true)).toEqual(live(given, seed, false));
      }),
      { numRuns: 500 },
    );
  });

  it("ends where the caller's time does", () => {
    const clock = new VirtualClock();
    const scheduler = new Scheduler(clock);
    let steps = 0;
    const forever = (function* (): Process {
      for (;;) {
        yield* sleep(10);
        steps++;
      }
    })();
    scheduler.spawn("forever", forever, "forever", true);
    expect(scheduler.runOn(95)).toBe(true);
    expect([steps, clock.now(), scheduler.activations]).toEqual([9, 90, 10]);
    expect([scheduler.runOn(95), scheduler.nextAt()]).toEqual([false, 100]);
    // By single events again.
    expect(scheduler.runNext()).toBe(true);
    expect(steps).toBe(10);
  });
});
