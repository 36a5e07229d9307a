/** The virtual engine looks at who has something to do, not at everybody: idling costs nothing. */
import { expect, test } from "vitest";
import { createGuest } from "../../guest/guest.ts";
import { createHost } from "../../host/host.ts";
import type { CreateGuest, CreateHost } from "../../src/run/contract.ts";
import { runVirtual } from "../../src/run/virtual/engine.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";

/** How often host and guests are asked things in `durationMs`: the first of them is busy. */
async function asked(guests: number, durationMs: number) {
  const scenario = scenarioFromData({
    devices: [{ name: "d", count: guests, model: "nvme", msixVectors: 3 }],
    guests: [
      { name: "busy", device: "d0", workload: { arrivals: "fixed", rate: "1k/s" } },
      ...Array.from({ length: guests - 1 }, (_, i) => ({ name: `idle${i}`, device: `d${i + 1}` })),
    ],
    duration: `${durationMs}ms`,
  });
  return await counted(scenario);
}

async function counted(scenario: Parameters<typeof runVirtual>[0]) {
  let looks = 0;
  const hostSide: CreateHost = (...args) => {
    const host = createHost(...args);
    const poll = host.poll.bind(host);
    host.poll = (woken) => {
      looks += woken === undefined ? scenario.guests.length : woken.length;
      return poll(woken);
    };
    return host;
  };
  const guestSide: CreateGuest = (env, plan, port) => {
    const guest = createGuest(env, plan, port);
    const alive = guest.alive.bind(guest);
    guest.alive = () => {
      looks++;
      return alive();
    };
    return guest;
  };
  const { guests } = await runVirtual(scenario, { createHost: hostSide, createGuest: guestSide });
  return { looks, interrupts: guests[0]!.report!.interrupts };
}

/** After all have booted, in half a second. */
async function inHalfASecond(guests: number) {
  const [early, late] = [await asked(guests, 500), await asked(guests, 1000)];
  return { looks: late.looks - early.looks, interrupts: late.interrupts - early.interrupts };
}

test("thirty guests that idle are looked at no more often than one", async () => {
  const few = await inHalfASecond(2);
  expect(few.interrupts).toBe(500);
  expect(await inHalfASecond(31)).toEqual(few);
});
