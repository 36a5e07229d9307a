/** Where requests wait for the vCPUs (guest/local-apic.ts): what the host and the VMM ask for. */
import { describe, expect, test } from "vitest";
import { LocalApics } from "../../../guest/local-apic.ts";
import {
  createBorder,
  guestPort,
  type HostPort,
  hostPort,
  requestInterrupt,
} from "../../../src/shm/border.ts";

const NOBODY = () => ({ wake: () => {} });

function setUp(vcpus = 2) {
  const ring = { slots: 2, slotBytes: 64 };
  const shape = { eventfds: 1, doorbells: 0, vcpus, rows: 1, fateDoubles: 0, ring };
  const memory = createBorder(shape);
  const port = guestPort(memory, shape, NOBODY);
  const lapics = new LocalApics(port);
  const out = new Int32Array(vcpus * 256);
  return {
    host: hostPort(memory, shape, NOBODY),
    port,
    lapics,
    taken: (): number[] => [...out.subarray(0, lapics.take(out))],
    merged: (): number[] => [...lapics.merged.subarray(0, lapics.mergedCount)],
  };
}

/** Requests vector 0x41 of vCPU 0 until the queue is full. */
function fill(host: HostPort): void {
  for (let i = 0; i < 1024; i++) requestInterrupt(host, 0, 0x41);
}

describe("requests of the host", () => {
  test("are pending until they are collected, and wait until they are taken", () => {
    const { host, lapics, taken } = setUp();
    expect(lapics.pending()).toBe(false);
    requestInterrupt(host, 1, 0x41);
    expect([lapics.pending(), lapics.waiting]).toEqual([true, 0]);
    expect(lapics.collect()).toBe(1);
    expect([lapics.pending(), lapics.waiting]).toEqual([false, 1]);
    expect(taken()).toEqual([0x141]);
    expect([lapics.waiting, taken()]).toEqual([0, []]);
  });

  test("merge with one for the same vector that came with them, and are named", () => {
    const { host, lapics, taken, merged } = setUp();
    for (const vector of [0x41, 0x42, 0x41, 0x41]) requestInterrupt(host, 0, vector);
    expect(lapics.collect()).toBe(4);
    expect(merged()).toEqual([0x41, 0x41]);
    expect(taken().sort()).toEqual([0x41, 0x42]);
  });

  test("merge with one that waits since an earlier look", () => {
    const { host, lapics, taken, merged } = setUp();
    requestInterrupt(host, 0, 0x41);
    lapics.collect();
    expect(merged()).toEqual([]);
    requestInterrupt(host, 0, 0x41);
    lapics.collect();
    expect(merged()).toEqual([0x41]);
    lapics.collect();
    expect(merged()).toEqual([]);
    expect(taken()).toEqual([0x41]);
  });

  test("do not merge with what has been taken", () => {
    const { host, lapics, taken, merged } = setUp();
    for (let i = 0; i < 3; i++) {
      requestInterrupt(host, 0, 0x41);
      lapics.collect();
      expect([taken(), merged()]).toEqual([[0x41], []]);
    }
  });
});

describe("vectors that wait", () => {
  test("are taken highest first, as an APIC delivers them", () => {
    const { lapics, taken } = setUp();
    for (const vector of [0x20, 0xff, 0x41, 0x40, 0x10]) lapics.request(0, vector);
    expect(taken()).toEqual([0xff, 0x41, 0x40, 0x20, 0x10]);
  });

  test("are taken vCPU by vCPU", () => {
    const { lapics, taken } = setUp(3);
    lapics.request(0, 0xee);
    lapics.request(2, 0x21);
    lapics.request(1, 0x30);
    lapics.request(2, 0x22);
    expect(taken()).toEqual([0x222, 0x221, 0x130, 0x0ee]);
  });

  test("may be all of all vCPUs", () => {
    const { lapics, taken } = setUp(32);
    for (let i = 0; i < 32 * 256; i++) lapics.request(i >> 8, i & 0xff);
    expect(lapics.waiting).toBe(8192);
    expect(new Set(taken()).size).toBe(8192);
    expect([lapics.waiting, taken()]).toEqual([0, []]);
  });

  test("are as well requested by the VMM, which is told when one waits already", () => {
    const { host, lapics, taken } = setUp();
    expect(lapics.request(1, 0x41)).toBe(true);
    expect(lapics.request(1, 0x41)).toBe(false);
    requestInterrupt(host, 1, 0x42);
    lapics.collect();
    expect(lapics.request(1, 0x42)).toBe(false);
    expect(taken()).toEqual([0x142, 0x141]);
  });
});

describe("one request alone", () => {
  test("of the host goes past the registers", () => {
    const { host, lapics } = setUp();
    requestInterrupt(host, 1, 0x41);
    expect([lapics.takeSingle(), lapics.waiting, lapics.pending()]).toEqual([0x141, 0, false]);
  });

  test("does not overtake what waits", () => {
    const { host, lapics, taken } = setUp();
    lapics.request(0, 0x30);
    requestInterrupt(host, 0, 0x41);
    expect(lapics.takeSingle()).toBe(-1);
    lapics.collect();
    expect(taken()).toEqual([0x41, 0x30]);
  });

  test("is none of two: nothing changes", () => {
    const { host, lapics, taken } = setUp();
    requestInterrupt(host, 0, 0x41);
    requestInterrupt(host, 0, 0x42);
    expect([lapics.takeSingle(), lapics.waiting, lapics.pending()]).toEqual([-1, 0, true]);
    expect([lapics.collect(), taken()]).toEqual([2, [0x42, 0x41]]);
  });

  test("that waits is the newest although others were taken before it", () => {
    const { host, lapics, taken } = setUp();
    for (const vector of [0x50, 0x41]) requestInterrupt(host, 1, vector);
    lapics.collect();
    taken();
    requestInterrupt(host, 0, 0x43);
    requestInterrupt(host, 0, 0x43);
    lapics.collect();
    expect(taken()).toEqual([0x43]);
    expect(lapics.request(0, 0x43)).toBe(true);
  });
});

describe("what finds the queue full", () => {
  test("waits in request bits, where equal requests merge at the host", () => {
    const { host, lapics, taken } = setUp();
    fill(host);
    expect(requestInterrupt(host, 1, 0x51)).toBe(true);
    expect(requestInterrupt(host, 1, 0x51)).toBe(false);
    expect(lapics.collect()).toBe(1025);
    expect(taken()).toEqual([0x151, 0x041]);
    expect(lapics.pending()).toBe(false);
  });

  test("is not lost on a guest that sees the queue empty", () => {
    const { host, lapics, taken } = setUp();
    fill(host);
    requestInterrupt(host, 1, 0x51);
    // Only the bits are left.
    lapics.collect();
    taken();
    fill(host);
    requestInterrupt(host, 0, 0x52);
    lapics.collect();
    expect(taken()).toContain(0x52);
    expect(lapics.pending()).toBe(false);
  });

  test("goes through the queue again once there is room", () => {
    const { host, lapics, taken } = setUp();
    fill(host);
    requestInterrupt(host, 0, 0x42);
    lapics.collect();
    taken();
    lapics.collect();
    requestInterrupt(host, 0, 0x43);
    expect(host.apic.pending()).toBe(false);
    expect(lapics.takeSingle()).toBe(0x43);
  });

  test("may merge with all else that waits: each of them is named", () => {
    const { host, lapics, merged, taken } = setUp();
    for (let vector = 0; vector < 256; vector++) lapics.request(0, vector);
    for (let i = 0; i < 1024; i++) requestInterrupt(host, 0, i & 0xff);
    for (let vector = 0; vector < 256; vector++) requestInterrupt(host, 0, vector);
    expect(lapics.collect()).toBe(1280);
    expect(merged()).toHaveLength(1280);
    expect(taken()).toHaveLength(256);
  });
});

describe("posted interrupts", () => {
  function posted() {
    const { host, lapics, ...rest } = setUp();
    const post = (vcpu: number, vector: number): void => {
      host.posted.use(vcpu, vector);
      host.posted.post(vcpu, vector);
    };
    return { host, lapics, post, ...rest };
  }

  test("are pending, collected and taken as others are, the highest vector first", () => {
    const { host, lapics, post, taken } = posted();
    post(0, 0x41);
    expect(lapics.pending()).toBe(true);
    post(0, 0x51);
    requestInterrupt(host, 0, 0x49);
    expect([lapics.collect(), lapics.waiting, lapics.mergedCount]).toEqual([3, 3, 0]);
    expect(taken()).toEqual([0x51, 0x49, 0x41]);
    expect(lapics.pending()).toBe(false);
  });

  test("merge with what waits in the IRR", () => {
    const { host, lapics, post, taken, merged } = posted();
    requestInterrupt(host, 1, 0x41);
    lapics.collect();
    post(1, 0x41);
    lapics.collect();
    expect([merged(), taken()]).toEqual([[0x141], [0x141]]);
  });

  test("go past the IRR one by one while the vCPUs poll, unless another waits there", () => {
    const { lapics, post, taken } = setUpPolling();
    post(1, 0x41);
    expect(lapics.takeSingle()).toBe(0x141);
    lapics.request(0, 0x33);
    post(1, 0x41);
    expect([lapics.takeSingle(), lapics.collect()]).toEqual([-1, 1]);
    expect(taken()).toEqual([0x141, 0x33]);
  });

  function setUpPolling() {
    const all = posted();
    all.port.posted.poll();
    return all;
  }
});

describe("all that is posted", () => {
  test("is taken past the IRR in the order of an APIC, unless others wait there", () => {
    const { host, lapics } = setUp();
    const out = new Int32Array(512);
    for (const [vcpu, vector] of [
      [0, 0x41],
      [0, 0x91],
      [1, 0x31],
    ] as const) {
      host.posted.use(vcpu, vector);
      host.posted.post(vcpu, vector);
    }
    lapics.request(0, 0x22);
    expect(lapics.takePosted(out)).toBe(0);
    lapics.take(out);
    expect([...out.subarray(0, lapics.takePosted(out))]).toEqual([0x91, 0x41, 0x131]);
    expect([lapics.waiting, lapics.pending()]).toEqual([0, false]);
  });

  test("and what a glance of a thread that polls does not show, waits for its next look", () => {
    const { host, port, lapics } = setUp();
    port.posted.poll();
    expect(lapics.collect()).toBe(0);
    requestInterrupt(host, 0, 0x41);
    expect([lapics.glance(), lapics.collect()]).toEqual([true, 1]);
  });

  test("publishes the queue's room also where requests are only taken one by one", () => {
    const { host, port, lapics } = setUp();
    port.posted.poll();
    for (let i = 0; i < 3000; i++) {
      expect(host.interrupts.post(0x41)).toBe(true);
      expect(lapics.takeSingle()).toBe(0x41);
      lapics.collect();
    }
  });
});
