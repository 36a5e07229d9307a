import { describe, expect, it } from "vitest";
import { DeviceMeter } from "../../../../host/device/meter.ts";
import { EventfdCtx, type EventfdHome } from "../../../../host/process/eventfd-ctx.ts";
import { FATE } from "../../../../src/measure/fates.ts";
import { EventfdTable } from "../../../../src/shm/eventfd.ts";
import { PollSet } from "../../../../src/shm/poll-set.ts";
import { meterStorage } from "../../../support/meter.ts";

function setUp() {
  const memory = new SharedArrayBuffer(65_536);
  const home: EventfdHome = {
    eventfds: new EventfdTable(memory, 0, 8),
    guestPoll: new PollSet(memory, 32_768, 8),
    wakeGuest: { wake: () => log.push("wake") },
  };
  const log: string[] = [];
  const freed: number[] = [];
  const ctx = new EventfdCtx(3, home, ({ slot }) => freed.push(slot));
  const storage = meterStorage(4);
  const { fates } = storage;
  const meter = new DeviceMeter({ device: "d", base: 0, msi: 0, msix: 3 }, storage);
  return { ctx, home, log, freed, meter, fates };
}

const listener = (log: string[]) => ({
  signalled: (row: number) => log.push(`signalled ${row}`),
  hangup: () => log.push("hangup"),
});

describe("EventfdCtx", () => {
  it("counts, marks and wakes once until it is read", () => {
    const { ctx, home, log } = setUp();
    ctx.signal(-1, null);
    ctx.signal(-1, null);
    expect(log).toEqual(["wake"]);
    expect(home.eventfds.read(3)).toBe(2);
    expect(home.guestPoll.drain(new Int32Array(32))).toBe(1);
  });

  it("hands the signal to a listener and leaves no count", () => {
    const { ctx, home, log, meter } = setUp();
    ctx.addListener(listener(log));
    ctx.signal(2, meter);
    expect(log).toEqual(["signalled 2"]);
    expect(home.eventfds.count(3)).toBe(0n);
  });

  it("merges tokens that waited in the counter with the one a listener is told of", () => {
    const { ctx, log, meter, fates } = setUp();
    ctx.signal(2, meter);
    ctx.signal(2, meter);
    ctx.addListener(listener(log));
    ctx.signal(2, meter);
    expect(fates.get(2, FATE["coalesced-eventfd"])).toBe(2);
  });

  it("knows whose tokens wait in a counter that several vectors signal", () => {
    const told = (after: (s: ReturnType<typeof setUp>) => void, fate: keyof typeof FATE) => {
      const s = setUp();
      for (const row of [1, 2, 1, 1]) s.ctx.signal(row, s.meter);
      after(s);
      return [1, 2].map((row) => s.fates.get(row, FATE[fate]));
    };
    // The descriptor is closed; an irqfd comes and is signalled again, or looks at once.
    expect(told(({ ctx }) => ctx.release(), "dropped-closed")).toEqual([3, 1]);
    const joined = told(({ ctx, log, meter }) => {
      ctx.addListener(listener(log));
      ctx.signal(2, meter);
    }, "coalesced-eventfd");
    expect(joined).toEqual([3, 1]);
    const looked = told(({ ctx, log }) => ctx.signalPending(listener(log)), "coalesced-eventfd");
    // One token of the last vector goes on.
    expect(looked).toEqual([2, 1]);
  });

  it("forgets tokens that userspace has read", () => {
    const { ctx, home, meter, fates } = setUp();
    ctx.signal(1, meter);
    ctx.signal(2, meter);
    home.eventfds.read(3);
    ctx.signal(2, meter);
    ctx.signal(1, meter);
    ctx.release();
    expect([1, 2].map((row) => fates.get(row, FATE["dropped-closed"]))).toEqual([1, 1]);
  });

  it("does not take what userspace wrote for tokens", () => {
    const { ctx, home, log, meter, fates } = setUp();
    home.eventfds.write(3, 7);
    ctx.addListener(listener(log));
    ctx.signal(2, meter);
    expect(fates.get(2, FATE["coalesced-eventfd"])).toBe(0);
  });

  it("tells a listener of a write by userspace only if there is a count", () => {
    const { ctx, home, log } = setUp();
    ctx.addListener(listener(log));
    ctx.written();
    expect(log).toEqual([]);
    home.eventfds.write(3, 2);
    ctx.written();
    expect(log).toEqual(["signalled -1"]);
  });

  it("gives one token to the first of several listeners, and tells all", () => {
    const { ctx, log, meter } = setUp();
    ctx.addListener(listener(log));
    ctx.addListener(listener(log));
    ctx.signal(1, meter);
    expect(log).toEqual(["signalled 1", "signalled -1"]);
  });

  it("lives on after its descriptor is closed, until the last reference is dropped", () => {
    const { ctx, log, freed, meter, fates } = setUp();
    ctx.get();
    ctx.addListener({ ...listener(log), hangup: () => log.push("hangup") });
    ctx.release();
    expect(log).toEqual(["hangup"]);
    expect(freed).toEqual([]);
    ctx.put();
    expect(freed).toEqual([3]);
    expect(fates.sum(1)).toBe(0);
    expect(() => ctx.put()).toThrow("put without get");
    expect(meter.row("msix", 0)).toBe(1);
  });

  it("drops, once, what came between userspace's last read and the close", () => {
    const { ctx, home, meter, fates } = setUp();
    ctx.get();
    for (let i = 0; i < 3; i++) ctx.signal(1, meter);
    expect(home.eventfds.read(3)).toBe(3);
    for (let i = 0; i < 2; i++) ctx.signal(1, meter);
    ctx.release();
    expect(home.eventfds.count(3)).toBe(0n);
    expect(fates.get(1, FATE["dropped-closed"])).toBe(2);
    expect(fates.sum(1)).toBe(2);
  });

  it("does not take a count of userspace's own for tokens when it is closed", () => {
    const { ctx, home, meter, fates } = setUp();
    ctx.signal(1, meter);
    home.eventfds.write(3, 7);
    ctx.release();
    expect(fates.get(1, FATE["dropped-closed"])).toBe(1);
  });

  it("drops a token that nobody can read any more", () => {
    const { ctx, meter, fates } = setUp();
    ctx.get();
    ctx.release();
    ctx.signal(1, meter);
    expect(fates.get(1, FATE["dropped-closed"])).toBe(1);
  });
});
