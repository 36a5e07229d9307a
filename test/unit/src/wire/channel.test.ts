import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { RingConsumer, RingProducer, ringBytes } from "../../../../src/shm/ring.ts";
import { MessageReceiver, MessageSender } from "../../../../src/wire/channel.ts";
import { MESSAGE_BYTES_MAX } from "../../../../src/wire/messages.ts";
import { parseRequest } from "../../../../src/wire/validate.ts";

function channel(slots = 4, slotBytes = 32) {
  const shape = { slots, slotBytes };
  const memory = new SharedArrayBuffer(ringBytes(shape));
  const producer = new RingProducer(memory, 0, shape);
  const bad: string[] = [];
  const got: unknown[] = [];
  const receiver = new MessageReceiver(new RingConsumer(memory, 0, shape), (why) => bad.push(why));
  return {
    memory,
    producer,
    sender: new MessageSender(producer),
    receiver,
    bad,
    got,
    receive: (limit?: number) => receiver.receive((message) => got.push(message), limit),
    /** Writes one raw slot as a peer would that does not keep to the rules. */
    raw: (header: number, bytes: Uint8Array = new Uint8Array(0)) => {
      const slot = producer.reserve();
      expect(slot).toBeGreaterThanOrEqual(0);
      producer.words[(slot * slotBytes) >>> 2] = header;
      producer.bytes.set(bytes.subarray(0, slotBytes - 4), slot * slotBytes + 4);
      producer.commit();
      producer.publish();
    },
  };
}

const MORE = 1 << 30;
const packr = new Packr({ useRecords: false });

describe("a channel", () => {
  it("delivers messages whole and in order, whatever their size", () => {
    const { sender, receive, got, bad } = channel(8, 64);
    const sent = [0, 1, 50, 59, 60, 61, 119, 500].map((length, id) => ({
      id,
      data: new Uint8Array(length).fill(id),
    }));
    for (const message of sent) sender.send(message);
    while (receive() > 0) sender.pump();
    expect(got).toHaveLength(sent.length);
    for (const [i, message] of sent.entries()) {
      const { id, data } = got[i] as typeof message;
      expect([id, [...data]]).toEqual([message.id, [...message.data]]);
    }
    expect([bad, sender.backlog]).toEqual([[], 0]);
  });

  it("keeps what the ring cannot take yet, and a message larger than the ring goes through", () => {
    const { sender, receive, got } = channel(2, 16);
    sender.send({ id: 1, data: new Uint8Array(300) });
    expect(sender.send({ id: 2 })).toBe(false);
    expect(sender.backlog).toBe(2);
    for (let rounds = 0; got.length < 2; rounds++) {
      expect(rounds).toBeLessThan(50);
      receive();
      sender.pump();
    }
    expect(got).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(sender.pump()).toBe(false);
  });

  it("takes at most as many slots as it is told", () => {
    const { sender, receive, got } = channel(4, 32);
    for (let id = 0; id < 3; id++) sender.send({ id });
    expect(receive(2)).toBe(2);
    expect(got).toHaveLength(2);
    expect(receive(2)).toBe(1);
  });

  it("refuses to send a message above the limit", () => {
    const { sender } = channel();
    expect(() => sender.send({ data: new Uint8Array(MESSAGE_BYTES_MAX) })).toThrow(RangeError);
    expect(sender.backlog).toBe(0);
  });

  it("gives the receiver bytes of its own", () => {
    const { memory, sender, receive, got } = channel(2, 64);
    sender.send({ data: Uint8Array.of(1, 2, 3) });
    receive();
    new Uint8Array(memory).fill(0xff);
    sender.send({ data: Uint8Array.of(9, 9, 9) });
    expect([...(got[0] as { data: Uint8Array }).data]).toEqual([1, 2, 3]);
  });
});

describe("a hostile sender", () => {
  const good = packr.pack({ id: 7 });

  it.each([
    ["a length beyond the slot", 29],
    ["the largest length", MORE - 1],
    ["a negative header", -1],
    ["the sign bit", 1 << 31],
  ])("cannot pass %s, and the next message arrives", (_what, header) => {
    const { raw, receive, got, bad } = channel();
    raw(header);
    raw(good.length, good);
    receive();
    expect(bad).toEqual(["slot-length"]);
    expect(got).toEqual([{ id: 7 }]);
  });

  it("cannot make a message grow beyond the limit: the rest of it is skipped", () => {
    const { raw, receive, got, bad } = channel(4, 4096);
    const slots = Math.ceil(MESSAGE_BYTES_MAX / 4092) + 3;
    for (let i = 0; i < slots; i++) {
      raw(4092 | MORE);
      receive();
    }
    raw(1);
    raw(good.length, good);
    receive();
    expect(bad).toEqual(["message-too-long"]);
    expect(got).toEqual([{ id: 7 }]);
  });

  it("cannot hang the receiver with nonsense counts, and is told of once for each", () => {
    const { memory, raw, sender, receive, got, bad } = channel();
    const tail = new Int32Array(memory, 0, 1);
    for (const nonsense of [5, -1, 0x7fffffff, -0x80000000]) {
      tail[0] = nonsense;
      for (let i = 0; i < 3; i++) expect(receive()).toBe(0);
    }
    expect(bad).toEqual(["ring-counts", "ring-counts", "ring-counts", "ring-counts"]);
    raw(good.length, good);
    sender.send({ id: 8 });
    receive();
    expect(got).toEqual([{ id: 7 }, { id: 8 }]);
  });

  it.each([
    ["an array of 2^32-1", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map of 2^32-1", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a string of 4 GB", [0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["bytes of 4 GB", [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["an extension of 4 GB", [0xc9, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ["an array that ends early", [0x94, 1, 2]],
    ["a reserved code", [0xc1]],
    ["nothing", []],
  ])("cannot exhaust memory with %s", (_what, bytes) => {
    const { raw, receive, got, bad } = channel();
    raw(bytes.length, Uint8Array.from(bytes));
    raw(good.length, good);
    const before = process.memoryUsage().rss;
    receive();
    expect(process.memoryUsage().rss - before).toBeLessThan(64e6);
    expect(bad).toEqual(["not-msgpack"]);
    expect(got).toEqual([{ id: 7 }]);
  });

  it.each([
    ["arrays", 0x91],
    ["maps", 0x81],
  ])("cannot overflow the stack with nested %s", (_what, code) => {
    const { raw, receive, got, bad } = channel(128, 4096);
    for (let i = 0; i < 63; i++) raw(4092 | (i < 62 ? MORE : 0), new Uint8Array(4092).fill(code));
    raw(good.length, good);
    receive();
    expect(bad).toEqual(["not-msgpack"]);
    expect(got).toEqual([{ id: 7 }]);
  });

  it("cannot teach the decoder anything: definitions are refused, numbers stay numbers", () => {
    const { raw, receive, got, bad } = channel(8, 64);
    const extensions = [
      // Record definition 0x40 with one field "a", then a record; as msgpackr's records extension.
      [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x05],
      [0xd5, 0x72, 0x40, 0x00, 0x91, 0xa1, 0x61, 0x05],
      // Bundled strings, an error, a typed array, a set, a date.
      [0xd6, 0x62, 0, 0, 0, 4, 0xa1, 0x61],
      [0xd4, 0x65, 0x01, 0x90],
      [0xc7, 2, 0x74, 0, 1],
      [0xd4, 0x73, 0, 0x91, 1],
      [0xd6, 0xff, 0, 0, 0, 1],
    ];
    for (const bytes of extensions) {
      raw(bytes.length, Uint8Array.from(bytes));
      raw(1, Uint8Array.of(0x40));
      receive();
    }
    expect(bad).toEqual(extensions.map(() => "not-msgpack"));
    expect(got).toEqual(extensions.map(() => 0x40));
  });

  it("finds no way through in 200,000 random slots", () => {
    const prng = Prng.stream(1, "fuzz");
    const { memory, raw, producer, receive, got, bad } = channel(16, 64);
    const tail = new Int32Array(memory, 0, 1);
    const bytes = new Uint8Array(60);
    let sent = 0;
    for (let i = 0; i < 200_000; i++) {
      for (let b = 0; b < 60; b += 4) new DataView(bytes.buffer).setUint32(b, prng.nextUint32());
      // Codes of containers, extensions and long strings more often than others.
      bytes[0] = prng.nextBelow(2) === 0 ? 0xc0 + prng.nextBelow(0x20) : bytes[0]!;
      const kind = prng.nextBelow(8);
      if (kind === 0) raw(prng.nextUint32() | 0, bytes);
      else if (kind === 1) raw(prng.nextBelow(61) | MORE, bytes);
      else if (kind === 2) raw(good.length, good);
      else raw(prng.nextBelow(61), bytes);
      if (prng.nextBelow(64) === 0) {
        const real = tail[0]!;
        tail[0] = prng.nextUint32() | 0;
        receive(0);
        tail[0] = real;
      }
      sent++;
      receive();
    }
    expect(producer.reserve()).toBeGreaterThanOrEqual(0);
    expect(bad.length + got.length).toBeGreaterThan(sent / 2);
    expect(new Set(bad)).toContain("not-msgpack");
    for (const value of got) expect(parseRequest(value)).toBeDefined();
    // At the end of whatever fragments are left, the channel works.
    raw(0);
    const before = got.length;
    raw(good.length, good);
    receive();
    expect(got.slice(before).at(-1)).toEqual({ id: 7 });
  }, 20_000);
});
