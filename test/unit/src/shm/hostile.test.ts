import { describe, expect, it } from "vitest";
import { InvariantError } from "../../../../src/base/errors.ts";
import { Prng } from "../../../../src/base/prng.ts";
import { Arena } from "../../../../src/shm/arena.ts";
import {
  createBorder,
  guestPort,
  hostPort,
  quietDoorbell,
  readDoorbell,
  requestInterrupt,
  ringDoorbell,
  writeEventfd,
} from "../../../../src/shm/border.ts";
import { PollSet } from "../../../../src/shm/poll-set.ts";
import { RingConsumer, RingProducer } from "../../../../src/shm/ring.ts";
import { VirtualApic } from "../../../../src/shm/virtual-apic.ts";

const SHAPE = {
  eventfds: 50,
  doorbells: 3,
  vcpus: 3,
  rows: 5,
  fateDoubles: 10,
  ring: { slots: 4, slotBytes: 64 },
};

const noWaker = () => ({ wake: () => {} });

function border() {
  const memory = createBorder(SHAPE);
  const host = hostPort(memory, SHAPE, noWaker);
  const guest = guestPort(memory, SHAPE, noWaker);
  return { memory, host, guest };
}

describe("a border", () => {
  it("shows both sides the same areas", () => {
    const { host, guest } = border();
    ringDoorbell(guest, 2, 17);
    const ready = new Int32Array(128);
    expect(host.hostPoll.drain(ready)).toBe(1);
    expect([ready[0], readDoorbell(host, 2)]).toEqual([SHAPE.eventfds + 2, 17]);
    expect(writeEventfd(guest, 49, 5)).toBe(0);
    expect([host.hostPoll.drain(ready), ready[0]]).toEqual([1, 49]);
    expect([guest.guestPoll.drain(ready), ready[0], guest.eventfds.read(49)]).toEqual([1, 49, 5]);
    host.apic.set(2, 255);
    expect([guest.apic.take(new Int32Array(768)), host.apic.pending()]).toEqual([1, false]);
    expect(requestInterrupt(host, 2, 255)).toBe(true);
    expect([guest.interrupts.takeSingle(), guest.interrupts.pending()]).toEqual([0x2ff, false]);
    host.log.append(4, 7, 1, 2, 3);
    const entries: number[][] = [];
    guest.log.read((doubles, at) => entries.push([...doubles.subarray(at, at + 5)]));
    expect(entries).toEqual([[4, 7, 1, 2, 3]]);
    host.levelTokens.add(3);
    expect([guest.levelTokens.take(3), guest.levelTokens.take(3)]).toEqual([1, 0]);
  });

  it("an arena that is too small is a broken invariant", () => {
    expect(() => Arena.create(64).take(65)).toThrow(InvariantError);
  });
});

describe("a guest that scribbles over all it shares", () => {
  it("can neither hang, crash nor mislead the host beyond its own areas", () => {
    const prng = Prng.stream(3, "scribble");
    const { memory, host } = border();
    const words = new Int32Array(memory);
    const ready = new Int32Array(64);
    let turns = 0;
    for (let round = 0; round < 3000; round++) {
      const all = prng.nextBelow(4) === 0;
      for (let i = 0; i < (all ? words.length : 40); i++) {
        const at = all ? i : prng.nextBelow(words.length);
        words[at] = [0, -1, 1, 1 << 31, 0x7fffffff][prng.nextBelow(8)] ?? prng.nextUint32() | 0;
      }
      for (let slot = 0; slot < SHAPE.eventfds; slot++) {
        host.eventfds.signal(slot);
        if (prng.nextBelow(4) === 0) expect(host.eventfds.read(slot)).toBeGreaterThanOrEqual(0);
      }
      const drained = host.hostPoll.drain(ready);
      for (let i = 0; i < drained; i++) {
        expect(ready[i]! >= 0 && ready[i]! < SHAPE.eventfds + SHAPE.doorbells).toBe(true);
      }
      for (let source = 0; source < SHAPE.eventfds; source++) host.guestPoll.mark(source);
      for (let vcpu = 0; vcpu < SHAPE.vcpus; vcpu++) host.apic.set(vcpu, prng.nextBelow(256));
      for (let row = 0; row < SHAPE.rows; row++) {
        host.log.append(row, round, 1, 2, 3);
        host.levelTokens.add(row);
        requestInterrupt(host, row % SHAPE.vcpus, 32 + row);
      }
      for (let index = 0; index < SHAPE.doorbells; index++) {
        quietDoorbell(host, index, prng.nextBelow(2) === 0);
        expect(Number.isInteger(readDoorbell(host, index))).toBe(true);
      }
      const available = host.requests.available();
      expect(available >= -1 && available <= SHAPE.ring.slots).toBe(true);
      for (let i = 0; i < available; i++) {
        expect(host.requests.front()).toBeGreaterThanOrEqual(0);
        host.requests.pop();
      }
      host.requests.release();
      for (let i = 0; i < 8 && host.responses.reserve() >= 0; i++) host.responses.commit();
      host.responses.publish();
      turns++;
    }
    expect(turns).toBe(3000);
  });

  it("cannot make the host forget which requests and samples it has sent", () => {
    const prng = Prng.stream(4, "scribble");
    const { memory, host } = border();
    const queue = new Int32Array(memory, host.interruptsAt, 32);
    const log = new Int32Array(memory, host.logAt, 32);
    let [posted, refused, lost] = [0, 0, 0];
    for (let i = 0; i < 20_000; i++) {
      for (const words of [queue, log]) {
        for (const at of [0, 16]) words[at] = prng.nextUint32() >>> prng.nextBelow(32);
      }
      const request = i & 0x1fff;
      if (host.interrupts.post(request)) {
        posted++;
        expect(queue[0]! >>> 13).toBe(posted);
        expect(queue[0]! & 0x1fff).toBe(request);
      } else refused++;
      const before = host.log.lost;
      host.log.append(0, i, 1, 2, 3);
      if (host.log.lost > before) lost++;
      else expect(log[0]).toBe(i + 1 - lost);
    }
    // Some lies are near enough to the truth to be believed, and only hurt who told them.
    expect([posted > 1024, refused > 0, lost > 0]).toEqual([true, true, true]);
  });

  it("is not looked at again for ring counts that made no sense", () => {
    const { memory, host } = border();
    const consumer = new RingConsumer(memory, host.requestsAt, SHAPE.ring);
    new Int32Array(memory, host.requestsAt)[0] = -5;
    expect(consumer.pending()).toBe(true);
    expect([consumer.available(), consumer.pending(), consumer.available()]).toEqual([
      -1,
      false,
      0,
    ]);
  });

  it("gets no more slots of a ring whose head lies, and all of them once it is true", () => {
    const { memory, host } = border();
    const head = new Int32Array(memory, host.responsesAt + 64, 1);
    const producer = new RingProducer(memory, host.responsesAt, SHAPE.ring);
    for (let i = 0; i < 4; i++) {
      expect(producer.reserve()).toBe(i);
      producer.commit();
    }
    for (const lie of [5, -1, 1 << 31, -4]) {
      head[0] = lie;
      expect(producer.reserve()).toBe(-1);
    }
    head[0] = 4;
    expect(producer.reserve()).toBe(0);
  });
});

describe("a poll set", () => {
  it("names nothing for bits past its end, in words or summary", () => {
    const memory = new SharedArrayBuffer(PollSet.bytes(33));
    const set = new PollSet(memory, 0, 33);
    new Int32Array(memory).fill(-1);
    const out = new Int32Array(128);
    expect([...out.subarray(0, set.drain(out))]).toEqual(Array.from({ length: 33 }, (_, i) => i));
    expect([set.pending(), set.drain(out)]).toEqual([false, 0]);
  });

  it("gives every source its turn although lower ones are marked again and again", () => {
    for (const sources of [96, 2100]) {
      const set = new PollSet(new SharedArrayBuffer(PollSet.bytes(sources)), 0, sources);
      const out = new Int32Array(64);
      const seen = new Set<number>();
      for (let turn = 0; turn < sources / 32 + 2; turn++) {
        for (let source = 0; source < sources; source++) set.mark(source);
        for (const source of out.subarray(0, set.drain(out))) seen.add(source);
      }
      expect(seen.size).toBe(sources);
    }
  });

  it("of no sources is never pending", () => {
    const set = new PollSet(new SharedArrayBuffer(PollSet.bytes(0)), 0, 0);
    expect([set.pending(), set.drain(new Int32Array(32))]).toEqual([false, 0]);
  });
});

describe("a virtual APIC", () => {
  it("gives each vCPU's vectors highest first, and each once", () => {
    const apic = new VirtualApic(new SharedArrayBuffer(VirtualApic.bytes(6)), 0, 6);
    for (const vector of [0x20, 0xff, 0x41, 0x40]) expect(apic.set(5, vector)).toBe(true);
    expect([apic.set(5, 0x41), apic.set(0, 0x41)]).toEqual([false, true]);
    const out = new Int32Array(6 * 256);
    const taken = [...out.subarray(0, apic.take(out))];
    expect(taken).toEqual([0x041, 0x5ff, 0x541, 0x540, 0x520]);
    expect([apic.pending(), apic.take(out)]).toEqual([false, 0]);
  });

  it("holds all vectors of all vCPUs it may have, and no more vCPUs", () => {
    const apic = new VirtualApic(new SharedArrayBuffer(VirtualApic.bytes(32)), 0, 32);
    for (let i = 0; i < 32 * 256; i++) apic.set(i >> 8, i & 255);
    const out = new Int32Array(32 * 256);
    expect(apic.take(out)).toBe(32 * 256);
    expect(new Set(out).size).toBe(32 * 256);
    expect(() => new VirtualApic(new SharedArrayBuffer(4096), 0, 33)).toThrow(InvariantError);
  });
});
