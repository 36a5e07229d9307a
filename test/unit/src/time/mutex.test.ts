import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { Mutex, type Process, sleep, step, withLock } from "../../../../src/time/process.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

function virtual(seed = 0): { scheduler: Scheduler; run: () => void } {
  const scheduler = new Scheduler(
    new VirtualClock(),
    seed === 0 ? null : Prng.stream(seed, "ties"),
  );
  return {
    scheduler,
    run: () => {
      while (scheduler.runNext()) {}
    },
  };
}

describe("a mutex", () => {
  it("is handed over first come, first served", () => {
    const { scheduler, run } = virtual();
    const mutex = new Mutex("igate");
    const log: string[] = [];
    for (const name of ["a", "b", "c"]) {
      scheduler.spawn(
        name,
        withLock(mutex, function* (): Process {
          log.push(`${name} in`);
          yield* sleep(10);
          log.push(`${name} out`);
        }),
      );
    }
    run();
    expect(log).toEqual(["a in", "a out", "b in", "b out", "c in", "c out"]);
    expect(mutex.locked).toBe(false);
  });

  it("is released when its holder fails", () => {
    const { scheduler } = virtual();
    const mutex = new Mutex("m");
    scheduler.spawn(
      "t",
      withLock(mutex, function* (): Process {
        yield* step();
        throw new Error("inside");
      }),
    );
    expect(() => {
      while (scheduler.runNext()) {}
    }).toThrow("inside");
    expect(mutex.locked).toBe(false);
  });

  it("excludes, and is passed on, whichever tasks are killed after whichever event", () => {
    const TASKS = 4;
    const EVENTS = 24;
    let killsUnderWay = 0;
    for (let killAfter = 0; killAfter < EVENTS; killAfter++) {
      for (let victims = 1; victims < 1 << TASKS; victims++) {
        const { scheduler, run } = virtual(killAfter);
        const mutex = new Mutex("m");
        let inside = 0;
        let completed = 0;
        const tasks = Array.from({ length: TASKS }, (_, i) =>
          scheduler.spawn(
            `t${i}`,
            withLock(mutex, function* (): Process {
              expect(++inside).toBe(1);
              try {
                yield* step();
                yield* step();
                completed++;
              } finally {
                inside--;
              }
            }),
          ),
        );
        for (let i = 0; i < killAfter; i++) scheduler.runNext();
        const doomed = tasks.filter((task, i) => (victims >>> i) % 2 === 1 && !task.done);
        if (doomed.length > 0) killsUnderWay++;
        for (const task of doomed) scheduler.kill(task);
        run();
        expect(tasks.every((task) => task.done)).toBe(true);
        expect(completed).toBe(TASKS - doomed.length);
        expect([mutex.locked, inside]).toEqual([false, 0]);
      }
    }
    expect(killsUnderWay).toBeGreaterThan(100);
  });
});
