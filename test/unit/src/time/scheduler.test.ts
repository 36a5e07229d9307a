import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { type Process, sleep, step, until, WaitQueue } from "../../../../src/time/process.ts";
import { Scheduler, type Task } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

function virtual(seed?: number): { clock: VirtualClock; scheduler: Scheduler; run: () => void } {
  const clock = new VirtualClock();
  const ties = seed === undefined ? null : Prng.stream(seed, "ties");
  const scheduler = new Scheduler(clock, ties);
  return {
    clock,
    scheduler,
    run: () => {
      let events = 0;
      while (scheduler.runNext()) expect(++events).toBeLessThan(100_000);
    },
  };
}

describe("virtual time", () => {
  it("a sleep ends exactly its length later", () => {
    const { clock, scheduler, run } = virtual();
    const at: number[] = [];
    scheduler.spawn(
      "sleeper",
      (function* (): Process {
        for (const ns of [5, 0, 1_000_000]) {
          yield* sleep(ns);
          at.push(clock.now());
        }
      })(),
    );
    run();
    expect(at).toEqual([5, 5, 1_000_005]);
  });

  it("spent work delays the spender's next steps, not other actors' events", () => {
    const { clock, scheduler, run } = virtual();
    const log: [string, number][] = [];
    scheduler.at(10, () => {
      clock.spend(7);
      log.push(["spender", clock.now()]);
      scheduler.at(clock.now(), () => log.push(["next", clock.now()]));
    });
    scheduler.at(12, () => log.push(["other", clock.now()]));
    run();
    expect(log).toEqual([
      ["spender", 17],
      ["other", 12],
      ["next", 17],
    ]);
  });

  it("runNext leaves events later than its limit alone", () => {
    const { scheduler } = virtual();
    scheduler.at(10, () => {});
    expect(scheduler.runNext(9)).toBe(false);
    expect(scheduler.runNext(10)).toBe(true);
    expect(scheduler.runNext()).toBe(false);
    expect(scheduler.nextAt()).toBe(Number.POSITIVE_INFINITY);
  });

  it("a cancelled event neither runs nor shows in nextAt", () => {
    const { scheduler, run } = virtual();
    const event = scheduler.at(1, () => expect.unreachable());
    scheduler.at(2, () => {});
    event.cancelled = true;
    expect(scheduler.nextAt()).toBe(2);
    run();
    expect(scheduler.activations).toBe(1);
  });

  it("an event in the past is a broken invariant", () => {
    const { scheduler } = virtual();
    scheduler.at(10, () => scheduler.at(9, () => {}));
    scheduler.runNext();
    expect(() => scheduler.runNext()).toThrow(/runs backwards/);
    expect(() => scheduler.at(Number.NaN, () => {})).toThrow(/NaN/);
  });
});

describe("ties", () => {
  /** Order in which `actors` run `steps` steps each, all at the same instant. */
  function order(seed: number | undefined, actors: number, steps: number): string[] {
    const { scheduler, run } = virtual(seed);
    const log: string[] = [];
    for (let actor = 0; actor < actors; actor++) {
      scheduler.spawn(
        `a${actor}`,
        (function* (): Process {
          for (let i = 0; i < steps; i++) {
            log.push(`${actor}.${i}`);
            yield* step();
          }
        })(),
      );
    }
    run();
    return log;
  }

  it("without a seed equal times run first in, first out", () => {
    expect(order(undefined, 3, 2)).toEqual(["0.0", "1.0", "2.0", "0.1", "1.1", "2.1"]);
  });

  it("with a seed each actor's own steps stay in order", () => {
    for (let seed = 0; seed < 50; seed++) {
      const log = order(seed, 3, 4);
      for (const actor of ["0", "1", "2"]) {
        const own = log.filter((entry) => entry.startsWith(`${actor}.`));
        expect(own).toEqual([0, 1, 2, 3].map((i) => `${actor}.${i}`));
      }
    }
  });

  it("the same seed gives the same order, and seeds reach every merge of two actors", () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed++) {
      const log = order(seed, 2, 3).join(" ");
      expect(order(seed, 2, 3).join(" ")).toBe(log);
      seen.add(log);
    }
    // Two sequences of three merge in 6! / (3! 3!) ways.
    expect(seen.size).toBe(20);
  });

  it("timers planned ahead for an instant stay in order within an actor only", () => {
    const first = new Set<string>();
    for (let seed = 0; seed < 64; seed++) {
      const { scheduler, run } = virtual(seed);
      const log: string[] = [];
      for (const name of ["a0", "b0", "a1", "b1", "a2"]) {
        scheduler.at(1000, () => log.push(name), name[0]!);
      }
      run();
      expect(log.filter((name) => name.startsWith("a"))).toEqual(["a0", "a1", "a2"]);
      expect(log.filter((name) => name.startsWith("b"))).toEqual(["b0", "b1"]);
      first.add(log[0]!);
    }
    expect([...first].sort()).toEqual(["a0", "b0"]);
  });

  it("what an actor plans for the present instant comes after what it planned ahead for it", () => {
    for (let seed = 0; seed < 64; seed++) {
      const { scheduler, run } = virtual(seed);
      const log: string[] = [];
      scheduler.at(5, () => scheduler.at(5, () => log.push("late"), "a"), "b");
      scheduler.at(5, () => log.push("ahead"), "a");
      run();
      expect(log).toEqual(["ahead", "late"]);
    }
  });

  it("an actor that only steps does not keep others from running", () => {
    for (let seed = 0; seed < 64; seed++) {
      const { scheduler, run } = virtual(seed);
      let released = false;
      scheduler.spawn(
        "stepper",
        (function* (): Process {
          while (!released) yield* step();
        })(),
      );
      scheduler.at(0, () => (released = true), "other");
      run();
      expect(released).toBe(true);
    }
  });
});

describe("tasks", () => {
  it("a task waits until its condition holds, however often it is woken before", () => {
    const { clock, scheduler, run } = virtual();
    const queue = new WaitQueue("q");
    let ready = false;
    let doneAt = -1;
    const task = scheduler.spawn(
      "waiter",
      (function* (): Process {
        yield* until(queue, () => ready);
        doneAt = clock.now();
      })(),
    );
    for (const at of [1, 2, 3]) scheduler.at(at, () => queue.wakeAll());
    scheduler.at(4, () => {
      ready = true;
      queue.wakeAll();
      queue.wakeAll();
    });
    run();
    expect([task.done, doneAt]).toEqual([true, 4]);
    expect(queue.tasks).toEqual([]);
  });

  it("a condition that holds already costs no wait", () => {
    const { scheduler, run } = virtual();
    const task = scheduler.spawn(
      "t",
      until(new WaitQueue("q"), () => true),
    );
    run();
    expect(task.done).toBe(true);
    expect(scheduler.activations).toBe(1);
  });

  it("a failing task reports its error, wakes who waits for it, and fails the run", () => {
    const { scheduler } = virtual();
    const task = scheduler.spawn(
      "failing",
      // biome-ignore lint/correctness/useYield: fails before its first wait
      (function* (): Process {
        throw new Error("boom");
      })(),
    );
    const watcher = scheduler.spawn(
      "watcher",
      until(task.finished, () => task.done),
    );
    expect(() => {
      while (scheduler.runNext()) {}
    }).toThrow("boom");
    expect(task.error).toBeInstanceOf(Error);
    while (scheduler.runNext()) {}
    expect(watcher.done).toBe(true);
  });

  it("a killed sleeper never runs again, and its timer counts no activation", () => {
    const { scheduler, run } = virtual();
    const task = scheduler.spawn(
      "sleeper",
      (function* (): Process {
        yield* sleep(100);
        expect.unreachable();
      })(),
    );
    scheduler.at(50, () => scheduler.kill(task));
    run();
    expect([task.done, scheduler.activations]).toEqual([true, 2]);
  });

  it("a task killed before its first step never starts", () => {
    const { scheduler, run } = virtual();
    const task = scheduler.spawn(
      "t",
      // biome-ignore lint/correctness/useYield: never reached
      (function* (): Process {
        expect.unreachable();
      })(),
    );
    scheduler.kill(task);
    run();
    expect(task.done).toBe(true);
  });

  it("a task killed in a wait queue leaves it", () => {
    const { scheduler } = virtual();
    const queue = new WaitQueue("q");
    const task = scheduler.spawn(
      "t",
      until(queue, () => false),
    );
    scheduler.runNext();
    expect(queue.tasks).toEqual([task]);
    scheduler.kill(task);
    expect(queue.tasks).toEqual([]);
  });

  it("clean-up that takes time runs to its end before the task counts as done", () => {
    const { clock, scheduler, run } = virtual();
    let cleanedAt = -1;
    const task = scheduler.spawn(
      "t",
      (function* (): Process {
        try {
          yield* sleep(1000);
        } finally {
          yield* sleep(30);
          cleanedAt = clock.now();
        }
      })(),
    );
    scheduler.at(10, () => {
      scheduler.kill(task);
      scheduler.kill(task);
      expect(task.done).toBe(false);
    });
    run();
    expect([task.done, cleanedAt]).toEqual([true, 40]);
  });

  it("a task that kills itself ends at its next wait and cleans up", () => {
    const { scheduler, run } = virtual();
    const log: string[] = [];
    const self: Task[] = [];
    const task = scheduler.spawn(
      "t",
      (function* (): Process {
        try {
          yield* step();
          scheduler.kill(self[0]!);
          log.push("still here");
          yield* step();
          expect.unreachable();
        } finally {
          log.push("clean");
        }
      })(),
    );
    self.push(task);
    run();
    expect(log).toEqual(["still here", "clean"]);
    expect(task.done).toBe(true);
  });

  it("runDue runs what is due, at most its limit", () => {
    let now = 0;
    const clock = { kind: "wall", now: () => now, stamp: () => {}, spend: () => {} } as const;
    const scheduler = new Scheduler(clock);
    const log: number[] = [];
    for (const at of [3, 1, 2, 9]) scheduler.at(at, () => log.push(at));
    expect(scheduler.runDue()).toBe(0);
    now = 3;
    expect(scheduler.runDue(2)).toBe(2);
    expect(scheduler.runDue()).toBe(1);
    expect(log).toEqual([1, 2, 3]);
    expect(scheduler.nextAt()).toBe(9);
  });
});
