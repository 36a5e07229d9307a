import { expect, test } from "vitest";
import { WakeNotes } from "../../../../../src/run/threads/wake-notes.ts";

class Clock {
  ns = 0;
  stamp(to: Float64Array, at: number): void {
    to[at] = this.ns;
  }
}

function wait(notes: WakeNotes, clock: Clock, ns: number, how: "slept" | "spun"): void {
  notes.begin(clock.ns);
  clock.ns += ns;
  notes[how](clock);
  clock.ns += 1_000;
}

test("the last sleep's end is there for the machine to see; spinning does not change it", () => {
  const [notes, clock] = [new WakeNotes(false), new Clock()];
  wait(notes, clock, 500, "slept");
  wait(notes, clock, 70, "spun");
  expect(notes.sleptUntil[0]).toBe(500);
});

test("time spent in waits is the sum of sleeps, and an estimate of what was spun", () => {
  const [notes, clock] = [new WakeNotes(false), new Clock()];
  for (let i = 0; i < 80; i++) wait(notes, clock, 50, "spun");
  expect(notes.idleNs).toBe(80 * 50);
  wait(notes, clock, 300, "slept");
  expect(notes.idleNs).toBe(80 * 50 + 300);
});

test("only a traced worker keeps its sleeps: the last ones, from begin to end", () => {
  const clock = new Clock();
  const [traced, other] = [new WakeNotes(true), new WakeNotes(false)];
  for (let i = 0; i < 600; i++) {
    wait(traced, clock, 10, "slept");
    wait(other, clock, 10, "slept");
  }
  expect(other.sleeps()).toEqual([]);
  const sleeps = traced.sleeps();
  expect(sleeps).toHaveLength(2 * 512);
  expect(sleeps.at(-1)! - sleeps.at(-2)!).toBe(10);
  expect(sleeps[0]).toBe(88 * 2_020);
});
