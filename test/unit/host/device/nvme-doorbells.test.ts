/** When an nvme cares for a completion head: only while INTx stands for something posted. */
import { beforeEach, describe, expect, test } from "vitest";
import { Nvme } from "../../../../host/device/nvme.ts";
import { NVME, TestVm } from "../vfio/machine.ts";
import { spec, World } from "./fixtures.ts";

const CC = 0x14;
const INTMS = 0x0c;
const IOQ = 0xf00;
/** Doorbells of queue 1: submission tail, completion head. */
const TAIL = 2;
const HEAD = 3;

let world: World;
let nvme: Nvme;
let quiet: Map<number, boolean>;
let asserted: boolean;

beforeEach(() => {
  world = new World();
  quiet = new Map();
  asserted = false;
  nvme = new Nvme(spec("nvme", 4), { env: world });
  nvme.quietDoorbell = (index, value) => quiet.set(index, value);
  nvme.fn.sink = {
    message() {},
    ended() {},
    wire: (level) => {
      asserted = level;
    },
  };
  nvme.barWrite(0, CC, 4, 1n);
  nvme.barWrite(0, IOQ, 4, 3n);
});

/** A command of queue 1 completes with an interrupt. */
function complete(tail: number): void {
  nvme.doorbell(TAIL, tail);
  world.run();
}

test("a head that nothing waits for is quiet from then on", () => {
  nvme.doorbell(HEAD, 1);
  expect([...quiet]).toEqual([[HEAD, true]]);
});

test("with message interrupts it stays quiet, completion after completion", () => {
  nvme.fn.configWrite(0x42, 2, 0x8000);
  nvme.doorbell(HEAD, 1);
  complete(1);
  complete(2);
  expect(quiet.get(HEAD)).toBe(true);
});

test("tails are never quiet", () => {
  complete(1);
  nvme.doorbell(HEAD, 1);
  complete(2);
  expect(quiet.has(TAIL)).toBe(false);
});

describe("with INTx", () => {
  test("the head is heard before the wire rises", () => {
    nvme.doorbell(HEAD, 1);
    const heard: (boolean | undefined)[] = [];
    nvme.fn.sink!.wire = () => heard.push(quiet.get(HEAD));
    complete(1);
    expect(heard).toEqual([false]);
  });

  test("the first ring after a completion lets the wire fall, the next one is not needed", () => {
    complete(1);
    expect(asserted).toBe(true);
    nvme.doorbell(HEAD, 1);
    expect([asserted, quiet.get(HEAD)]).toEqual([false, false]);
    nvme.doorbell(HEAD, 2);
    expect(quiet.get(HEAD)).toBe(true);
  });

  test("it is heard while completions come that no ring has answered", () => {
    complete(1);
    complete(2);
    expect(quiet.get(HEAD)).toBe(false);
    nvme.doorbell(HEAD, 1);
    expect(asserted).toBe(false);
  });

  test("it is heard although the pin is masked: the wire waits for it", () => {
    nvme.doorbell(HEAD, 1);
    nvme.barWrite(0, INTMS, 4, 1n);
    complete(1);
    expect([asserted, quiet.get(HEAD)]).toEqual([false, false]);
  });

  test("each queue's head is heard for itself", () => {
    nvme.doorbell(HEAD, 1);
    nvme.doorbell(HEAD + 2, 1);
    complete(1);
    expect([...quiet]).toEqual([
      [HEAD, false],
      [HEAD + 2, true],
    ]);
  });

  test("a queue that is deleted and made again is heard when it completes", () => {
    complete(1);
    nvme.barWrite(0, IOQ, 4, 0n);
    expect(asserted).toBe(false);
    nvme.barWrite(0, IOQ, 4, 3n);
    nvme.doorbell(HEAD, 0);
    expect(quiet.get(HEAD)).toBe(true);
    complete(1);
    expect([asserted, quiet.get(HEAD)]).toEqual([true, false]);
  });
});

test("whatever happens, no head is quiet that the wire waits for", () => {
  const random = world.random("walk");
  const modes = [0, 0x8000];
  let raised = 0;
  for (let step = 0; step < 2000; step++) {
    const queue = 1 + random.nextBelow(3);
    const choice = random.nextBelow(12);
    if (choice < 4) nvme.doorbell(2 * queue, step + 1);
    else if (choice < 8) nvme.doorbell(2 * queue + 1, step);
    else if (choice === 8) nvme.fn.configWrite(0x42, 2, modes[random.nextBelow(2)]!);
    else if (choice === 9) nvme.barWrite(0, IOQ, 4, BigInt(random.nextBelow(4)));
    else if (choice === 10) nvme.barWrite(0, INTMS + 4 * random.nextBelow(2), 4, 1n);
    world.run();
    if (!asserted) continue;
    raised++;
    // Rings of the queues that are not quiet have to be enough to let the wire fall.
    for (const q of [1, 2, 3]) if (!quiet.get(2 * q + 1)) nvme.doorbell(2 * q + 1, step);
    expect(asserted, `step ${step}`).toBe(false);
  }
  expect(raised).toBeGreaterThan(50);
});

test("a process that was given no doorbells may write the registers all the same", () => {
  const vm = new TestVm([NVME]);
  vm.open("n8");
  vm.configWrite("n8", 4, 2, 0x6);
  vm.barWrite("n8", 0, CC, 1);
  vm.barWrite("n8", 0, IOQ, 2);
  expect(vm.barWrite("n8", 0, 0x1000 + 4 * HEAD, 1)).toBe(4);
});
