import { describe, expect, it } from "vitest";
import {
  ALARM_LEAD_NS,
  PARKS_AFTER_PREEMPTION,
  PARKS_PER_TRY,
  PREEMPTED_NS,
  SPIN_NS_MAX,
  SPIN_NS_START,
  type WaitKind,
  WaitStrategy,
} from "../../../../src/shm/wait-strategy.ts";
import type { Parker } from "../../../../src/shm/waker.ts";

/** A parker that sleeps on a clock of its own, and a clock that moves a little at each look. */
class FakeThread {
  ns = 0;
  readonly log: string[] = [];
  outcome: "ok" | "not-equal" | "timed-out" = "ok";
  sleepsNs = 0;

  now(): number {
    return (this.ns += 500);
  }

  prepare(): number {
    this.log.push("prepare");
    return 7;
  }

  retract(): void {
    this.log.push("retract");
  }

  sleep(epoch: number, timeoutMs: number): string {
    this.log.push(`sleep ${epoch}`);
    this.ns += this.outcome === "timed-out" ? timeoutMs * 1e6 : this.sleepsNs;
    return this.outcome;
  }

  strategy(kind: WaitKind, cores = 4, threads = 2): WaitStrategy {
    return new WaitStrategy(kind, { cores, threads, clock: this });
  }

  idle(strategy: WaitStrategy, hasWork: () => boolean, timeoutMs = 10): string {
    return strategy.idle(this as unknown as Parker, hasWork, timeoutMs);
  }
}

/** Work that comes after so many looks. */
function workAfter(looks: number): () => boolean {
  return () => looks-- <= 0;
}

const never = (): boolean => false;

describe("spinning", () => {
  it("finds work and never parks", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("spin", 1, 9), workAfter(1000))).toBe("spinning");
    expect(thread.log).toEqual([]);
  });

  it("ends with its time", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("spin"), never, 1)).toBe("timeout");
    expect([thread.log, thread.ns >= 1e6, thread.ns < 1.1e6]).toEqual([[], true, true]);
  });
});

describe("parking", () => {
  it("announces, looks once more, and sleeps on the epoch it was given", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("park"), never)).toBe("parked");
    expect(thread.log).toEqual(["prepare", "sleep 7"]);
  });

  it("takes the announcement back if the look finds work, which is no wake-up from a sleep", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("park"), workAfter(1))).toBe("spinning");
    expect(thread.log).toEqual(["prepare", "retract"]);
  });

  it("does not announce anything if there is work", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("park"), () => true)).toBe("spinning");
    expect(thread.log).toEqual([]);
  });

  it.each([
    ["ok", "parked"],
    ["not-equal", "spinning"],
    ["timed-out", "timeout"],
  ] as const)("reports a sleep that ended with %s as %s", (outcome, mode) => {
    const thread = new FakeThread();
    thread.outcome = outcome;
    expect(thread.idle(thread.strategy("park"), never)).toBe(mode);
  });
});

describe("adapting", () => {
  it("tries a short spin where threads outnumber cores, and then long none", () => {
    const thread = new FakeThread();
    const strategy = thread.strategy("adaptive", 2, 3);
    expect([thread.idle(strategy, never), strategy.spinNs]).toEqual(["parked", 0]);
    expect(thread.ns).toBeLessThan(2 * SPIN_NS_START);
    const spun = thread.ns;
    for (let i = 0; i < PARKS_PER_TRY; i++) expect(thread.idle(strategy, never)).toBe("parked");
    expect(thread.ns).toBe(spun);
    expect(strategy.spinNs).toBe(SPIN_NS_START);
  });

  it("goes on spinning there while it finds work that way", () => {
    const thread = new FakeThread();
    const strategy = thread.strategy("adaptive", 2, 65);
    for (let i = 0; i < 100; i++) expect(thread.idle(strategy, workAfter(20))).toBe("spinning");
    expect([thread.log, strategy.spinNs]).toEqual([[], SPIN_NS_START]);
  });

  it("sleeps until shortly before its time, which sleeps overrun, and spins for the rest", () => {
    const thread = new FakeThread();
    thread.outcome = "timed-out";
    const strategy = thread.strategy("adaptive");
    expect(thread.idle(strategy, never, 1)).toBe("timeout");
    expect(thread.ns).toBeGreaterThanOrEqual(1e6 - ALARM_LEAD_NS - 1);
    expect(thread.ns).toBeLessThan(1e6);
    expect(thread.log).toEqual(["prepare", "sleep 7"]);
    const leftNs = 1e6 - thread.ns;
    expect(thread.idle(strategy, never, leftNs / 1e6)).toBe("timeout");
    expect(thread.log).toEqual(["prepare", "sleep 7"]);
    expect(thread.ns).toBeGreaterThanOrEqual(1e6);
  });

  it("leaves that to the timer where threads outnumber cores", () => {
    const thread = new FakeThread();
    thread.outcome = "timed-out";
    expect(thread.idle(thread.strategy("adaptive", 2, 3), never, 1)).toBe("timeout");
    expect(thread.ns).toBeGreaterThanOrEqual(1e6);
  });

  it("parks when it loses its core while it spins, and spins again later", () => {
    const thread = new FakeThread();
    const strategy = thread.strategy("adaptive");
    const preempted = (): boolean => {
      thread.ns += PREEMPTED_NS;
      return false;
    };
    expect([thread.idle(strategy, preempted), strategy.spinNs]).toEqual(["parked", 0]);
    for (let i = 0; i < PARKS_AFTER_PREEMPTION; i++) thread.idle(strategy, never);
    expect(strategy.spinNs).toBe(SPIN_NS_START);
  });

  it("spins for a bounded time, then parks", () => {
    const thread = new FakeThread();
    const strategy = thread.strategy("adaptive");
    expect(thread.idle(strategy, workAfter(20))).toBe("spinning");
    expect(strategy.spinNs).toBe(SPIN_NS_START);
    expect(thread.log).toEqual([]);
    expect(thread.idle(strategy, never)).toBe("parked");
    expect(thread.log).toEqual(["prepare", "sleep 7"]);
  });

  it("spins longer after short sleeps, to a limit, and less after long ones, to nothing", () => {
    const thread = new FakeThread();
    const strategy = thread.strategy("adaptive");
    const seen: number[] = [];
    for (let i = 0; i < 8; i++) {
      thread.idle(strategy, never);
      seen.push(strategy.spinNs);
    }
    const grown = [20e3, 40e3, 80e3, 160e3, 200e3];
    expect(seen.slice(0, 5)).toEqual(grown);
    // A wait at the limit takes longer than the limit: spinning longer would not have caught it.
    expect(Math.max(...seen)).toBe(SPIN_NS_MAX);
    thread.sleepsNs = 1e6;
    for (let i = 0; i < 8; i++) thread.idle(strategy, never);
    expect(strategy.spinNs).toBe(0);
    thread.sleepsNs = 20_000;
    expect(thread.idle(strategy, never)).toBe("parked");
    expect(strategy.spinNs).toBe(SPIN_NS_START);
  });

  it("ends with its time also while it still spins", () => {
    const thread = new FakeThread();
    expect(thread.idle(thread.strategy("adaptive"), never, 0.005)).toBe("timeout");
    expect(thread.log).toEqual([]);
  });
});
