import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { EventHeap, type TimedEvent } from "../../src/time/event-heap.ts";
import { sleep } from "../../src/time/process.ts";
import { Scheduler } from "../../src/time/scheduler.ts";
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
