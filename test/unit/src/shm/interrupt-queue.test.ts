/** The rules of the interrupt queue (src/shm/interrupt-queue.ts), one at a time. */
import { describe, expect, test } from "vitest";
import {
  InterruptQueueReader,
  InterruptQueueWriter,
  interruptQueueBytes,
  NOT_SINGLE,
  QUEUE_ENTRIES,
  REQUEST_BITS,
} from "../../../../src/shm/interrupt-queue.ts";

const HEAD_AT = 64;
/** Most vCPUs and vectors there are: 31 << 8 | 255. */
const LAST_REQUEST = 8191;

function queue(entries: number = QUEUE_ENTRIES) {
  const memory = new SharedArrayBuffer(interruptQueueBytes(entries));
  const out = new Int32Array(entries);
  const guest = new InterruptQueueReader(memory, 0, entries);
  return {
    words: new Int32Array(memory, 0, 32),
    host: new InterruptQueueWriter(memory, 0, entries),
    guest,
    taken: (): number[] => [...out.subarray(0, guest.take(out))],
  };
}

/** Posts and takes `count` requests one by one. */
function pass({ host, guest, taken }: ReturnType<typeof queue>, count: number): void {
  for (let i = 0; i < count; i++) {
    if (!host.post(i & LAST_REQUEST)) throw new Error(`no room for ${i}`);
    if (guest.takeSingle() === NOT_SINGLE) throw new Error(`${i} did not come`);
    if ((i & 127) === 0) taken();
  }
}

describe("one request", () => {
  test("is in the tail word, beside its number: one look brings it", () => {
    const { host, guest, words } = queue();
    host.post(0x123);
    expect(words[0]).toBe((1 << 13) | 0x123);
    expect(REQUEST_BITS).toBe(13);
    words.fill(-1, 16);
    expect(guest.takeSingle()).toBe(0x123);
  });

  test("is taken once", () => {
    const { host, guest, taken } = queue();
    host.post(7);
    expect([guest.takeSingle(), guest.takeSingle(), guest.pending()]).toEqual([7, -1, false]);
    expect(taken()).toEqual([]);
  });

  test("may be the same as the one before", () => {
    const { host, guest } = queue();
    for (let i = 0; i < 3; i++) {
      host.post(0x41);
      expect([guest.pending(), guest.takeSingle()]).toEqual([true, 0x41]);
    }
  });

  test("may be vector 0 of vCPU 0, or vector 255 of vCPU 31", () => {
    const { host, guest } = queue();
    host.post(0);
    expect([guest.pending(), guest.takeSingle()]).toEqual([true, 0]);
    host.post(LAST_REQUEST);
    expect(guest.takeSingle()).toBe(LAST_REQUEST);
  });
});

describe("several requests", () => {
  test("come in the order in which they were posted, equal ones too", () => {
    const { host, guest, taken } = queue();
    for (const request of [5, 3, 5, 5, 9]) host.post(request);
    expect([guest.takeSingle(), guest.pending()]).toEqual([NOT_SINGLE, true]);
    expect(taken()).toEqual([5, 3, 5, 5, 9]);
    expect(guest.pending()).toBe(false);
  });

  test("come after a single one without a gap, and before the next", () => {
    const { host, guest, taken } = queue(4);
    host.post(1);
    expect(guest.takeSingle()).toBe(1);
    for (const request of [2, 3]) host.post(request);
    expect(taken()).toEqual([2, 3]);
    host.post(4);
    expect(guest.takeSingle()).toBe(4);
  });

  test("go round the ring as often as they like", () => {
    const { host, taken } = queue(8);
    for (let round = 0; round < 10; round++) {
      const requests = [round, round + 1, round + 2];
      for (const request of requests) expect(host.post(request)).toBe(true);
      expect(taken()).toEqual(requests);
    }
  });
});

describe("a full queue", () => {
  test("of a border holds 1,024 requests", () => {
    const { host, taken } = queue();
    for (let i = 0; i < 1024; i++) expect(host.post(i)).toBe(true);
    expect(host.post(1)).toBe(false);
    expect(taken()).toEqual(Array.from({ length: 1024 }, (_, i) => i));
  });

  test("refuses, and the refused one changes nothing", () => {
    const { host, taken, words } = queue(4);
    for (let i = 0; i < 4; i++) host.post(i);
    const tail = words[0];
    expect([host.post(99), words[0]]).toEqual([false, tail]);
    expect(taken()).toEqual([0, 1, 2, 3]);
  });

  test("has room again at the look after the one that emptied it", () => {
    const { host, taken } = queue(4);
    for (let i = 0; i < 4; i++) host.post(i);
    taken();
    expect(host.post(4)).toBe(false);
    expect(taken()).toEqual([]);
    expect(host.post(4)).toBe(true);
    expect(taken()).toEqual([4]);
  });

  test("learns of room once a quarter of the ring has been taken", () => {
    const { host, guest, taken, words } = queue(16);
    for (let i = 0; i < 3; i++) host.post(i);
    taken();
    taken();
    expect(words[HEAD_AT / 4]).toBe(0);
    host.post(3);
    expect(guest.takeSingle()).toBe(3);
    taken();
    expect(words[HEAD_AT / 4]).toBe(4);
  });
});

describe("the number of requests", () => {
  test("wraps after 2^19 in the midst of several", () => {
    const all = queue();
    pass(all, 2 ** 19 - 2);
    for (const request of [10, 11, 12, 13]) expect(all.host.post(request)).toBe(true);
    expect(all.words[0]).toBe((2 << 13) | 13);
    expect(all.taken()).toEqual([10, 11, 12, 13]);
    expect(all.guest.pending()).toBe(false);
  });

  test("wraps between two single ones", () => {
    const all = queue();
    pass(all, 2 ** 19 - 1);
    for (const request of [10, 11]) {
      all.host.post(request);
      expect([all.guest.pending(), all.guest.takeSingle()]).toEqual([true, request]);
    }
  });

  test("wraps while the queue is full", () => {
    const all = queue();
    pass(all, 2 ** 19 - 500);
    all.taken();
    let posted = 0;
    while (all.host.post(posted)) posted++;
    // Room for less than a quarter of the ring may be given back later.
    expect(posted).toBeGreaterThan(768);
    expect(all.taken()).toEqual(Array.from({ length: posted }, (_, i) => i));
  });
});

describe("a head that lies", () => {
  test("about more than was posted, or less than is known, gives no room", () => {
    const { host, words } = queue(4);
    for (let i = 0; i < 4; i++) host.post(i);
    for (const lie of [5, -1, 1 << 31, 0x7fffffff, 2 ** 19 - 1, 2 ** 18]) {
      words[HEAD_AT / 4] = lie;
      expect(host.post(1), `head ${lie}`).toBe(false);
    }
  });

  test("gives all room again once it is true", () => {
    const { host, words } = queue(4);
    for (let i = 0; i < 4; i++) host.post(i);
    words[HEAD_AT / 4] = 77;
    expect(host.post(1)).toBe(false);
    words[HEAD_AT / 4] = 4;
    for (let i = 0; i < 4; i++) expect(host.post(i)).toBe(true);
    expect(host.post(1)).toBe(false);
  });
});
