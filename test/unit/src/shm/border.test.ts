/** What crosses a border by functions of its own: requests, doorbells, eventfds, progress. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  createBorder,
  type GuestPort,
  guestPort,
  type HostPort,
  hostPort,
  interruptsOf,
  publishProgress,
  quietDoorbell,
  readDoorbell,
  requestInterrupt,
  ringDoorbell,
  writeEventfd,
} from "../../../../src/shm/border.ts";

const SHAPE = {
  eventfds: 5,
  doorbells: 3,
  vcpus: 2,
  rows: 1,
  fateDoubles: 0,
  ring: { slots: 2, slotBytes: 64 },
};

let memory: SharedArrayBuffer;
let host: HostPort;
let guest: GuestPort;
let wakes: number;

beforeEach(() => {
  memory = createBorder(SHAPE);
  wakes = 0;
  host = hostPort(memory, SHAPE, () => ({ wake: () => {} }));
  guest = guestPort(memory, SHAPE, () => ({
    wake: () => {
      wakes++;
    },
  }));
});

function heard(): number[] {
  const out = new Int32Array(64);
  return [...out.subarray(0, host.hostPoll.drain(out))];
}

describe("a doorbell", () => {
  test("brings its value, its mark and a wake-up", () => {
    ringDoorbell(guest, 2, 17);
    expect([readDoorbell(host, 2), heard(), wakes]).toEqual([17, [SHAPE.eventfds + 2], 1]);
  });

  test("that is quiet only takes the value", () => {
    quietDoorbell(host, 1, true);
    ringDoorbell(guest, 1, 5);
    expect([readDoorbell(host, 1), heard(), wakes]).toEqual([5, [], 0]);
  });

  test("is heard again once it is wanted, but not for what it took in between", () => {
    quietDoorbell(host, 1, true);
    ringDoorbell(guest, 1, 5);
    quietDoorbell(host, 1, false);
    expect(heard()).toEqual([]);
    ringDoorbell(guest, 1, 6);
    expect([readDoorbell(host, 1), heard(), wakes]).toEqual([6, [SHAPE.eventfds + 1], 1]);
  });

  test("is quiet for itself alone", () => {
    quietDoorbell(host, 1, true);
    ringDoorbell(guest, 0, 1);
    ringDoorbell(guest, 2, 1);
    expect(heard()).toEqual([SHAPE.eventfds, SHAPE.eventfds + 2]);
  });

  test("shares no cache line with another", () => {
    const { doorbells } = host;
    const before = Int32Array.from(doorbells);
    quietDoorbell(host, 1, true);
    ringDoorbell(guest, 1, 5);
    const changed = [...doorbells.keys()].filter((i) => doorbells[i] !== before[i]);
    expect(changed).toEqual([16, 17]);
    expect(doorbells.byteOffset % 64).toBe(0);
  });
});

describe("a request", () => {
  test("that finds the queue full waits in request bits", () => {
    for (let i = 0; i < 1024; i++) expect(requestInterrupt(host, 0, 0x41)).toBe(true);
    expect(guest.apic.pending()).toBe(false);
    expect(requestInterrupt(host, 1, 0x42)).toBe(true);
    expect(guest.apic.pending()).toBe(true);
  });

  test("has merged if it waits there already", () => {
    for (let i = 0; i < 1024; i++) requestInterrupt(host, 0, 0x41);
    expect([1, 2, 3].map(() => requestInterrupt(host, 0, 0x41))).toEqual([true, false, false]);
  });
});

describe("an eventfd that the guest writes", () => {
  test("is shown to both sides' pollers, and wakes the host", () => {
    expect(writeEventfd(guest, 4, 1)).toBe(0);
    expect([host.guestPoll.pending(), heard(), wakes]).toEqual([true, [4], 1]);
  });

  test("is shown to nobody if it would overflow", () => {
    writeEventfd(guest, 4, 2n ** 64n - 2n);
    heard();
    expect([writeEventfd(guest, 4, 1), heard(), wakes]).toEqual([-11, [], 1]);
  });
});

test("progress is a heartbeat and a count modulo 2^32", () => {
  publishProgress(guest, 2 ** 32 - 1);
  expect(interruptsOf(memory)).toBe(2 ** 32 - 1);
  publishProgress(guest, 2 ** 32 + 5);
  expect(interruptsOf(memory)).toBe(5);
});
