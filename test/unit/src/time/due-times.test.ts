/** A tournament over the times of many timers. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DueTimes } from "../../../../src/time/due-times.ts";

function timers(...times: number[]): DueTimes {
  const due = new DueTimes();
  for (const at of times) due.set(due.add(), at);
  return due;
}

function allDue(due: DueTimes, now: number): number[] {
  const found: number[] = [];
  for (let at = due.nextDue(0, now); at >= 0; at = due.nextDue(at + 1, now)) found.push(at);
  return found;
}

describe("due times", () => {
  test("nobody waits for anything at first", () => {
    expect(new DueTimes().earliest).toBe(Number.POSITIVE_INFINITY);
    expect(new DueTimes().nextDue(0, 1e15)).toBe(-1);
  });

  test("what is due comes in order of numbers, not of times", () => {
    const due = timers(30, 10, 40, 20, 10);
    expect(due.earliest).toBe(10);
    expect(allDue(due, 30)).toEqual([0, 1, 3, 4]);
    expect(allDue(due, 9)).toEqual([]);
  });

  test("a timer may be put off", () => {
    const due = timers(1, 2, 3);
    due.set(0, 10);
    expect([due.earliest, ...allDue(due, 3)]).toEqual([2, 1, 2]);
    due.set(1, Number.POSITIVE_INFINITY);
    due.set(2, Number.POSITIVE_INFINITY);
    expect(due.earliest).toBe(10);
  });

  test("it is as if each were looked at", () => {
    const time = fc.integer({ min: 0, max: 20 });
    const changes = fc.array(fc.tuple(fc.nat(40), time));
    fc.assert(
      fc.property(
        fc.array(time, { minLength: 1, maxLength: 41 }),
        changes,
        time,
        (at, set, now) => {
          const due = timers(...at);
          for (const [timer, then] of set) {
            if (timer >= at.length) continue;
            at[timer] = then;
            due.set(timer, then);
          }
          expect(due.earliest).toBe(Math.min(...at));
          expect(allDue(due, now)).toEqual(at.flatMap((then, i) => (then <= now ? [i] : [])));
        },
      ),
    );
  });
});
