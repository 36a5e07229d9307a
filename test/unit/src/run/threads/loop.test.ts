import { expect, it } from "vitest";
import { type LoopBody, WorkerLoop } from "../../../../../src/run/threads/loop.ts";
import { waitStrategy } from "../../../../../src/run/threads/strategy.ts";
import { createWord } from "../../../../../src/shm/arena.ts";
import { Attention, FutexWaker, Parker } from "../../../../../src/shm/waker.ts";
import { Scheduler } from "../../../../../src/time/scheduler.ts";
import { WallClock } from "../../../../../src/time/wall-clock.ts";

const TURNS = 12;

/** A body that always has work and can never do it, until it dies of old age. */
class Fruitless implements LoopBody {
  turns = 0;

  catchWork(): boolean {
    return false;
  }

  readonly onTurn: () => void;

  constructor(onTurn: () => void = () => {}) {
    this.onTurn = onTurn;
  }

  poll(): number {
    this.turns++;
    this.onTurn();
    return 0;
  }

  hasWork(): boolean {
    return true;
  }

  glance(): boolean {
    return true;
  }

  nextAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  alive(): boolean {
    return this.turns < TURNS;
  }
}

function word(): { words: Int32Array; index: number } {
  return { words: new Int32Array(createWord()), index: 0 };
}

it("a loop with work it cannot do sleeps until something happens, and misses nothing", async () => {
  const [epoch, parked] = [word(), word()];
  const waker = new FutexWaker(parked, epoch);
  // Each turn, that between announcing the sleep and sleeping too, something happens.
  const body = new Fruitless(() => waker.wake());
  const clock = new WallClock();
  const loop = new WorkerLoop(
    body,
    new Scheduler(clock),
    waitStrategy("park", 3, clock),
    new Parker(epoch, [parked]),
    new Attention(word()),
  );
  await loop.run();
  const { turns, spinning, parked: woken, timeouts } = loop.report();
  expect(turns).toBe(TURNS);
  expect(spinning).toBe(1);
  expect(timeouts).toBe(0);
  expect(woken).toBeGreaterThan(3);
});
