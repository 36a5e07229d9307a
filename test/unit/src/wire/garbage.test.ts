import { expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { RingConsumer, RingProducer, ringBytes } from "../../../../src/shm/ring.ts";
import { MessageReceiver, MessageSender } from "../../../../src/wire/channel.ts";
import { publishGarbage } from "../../../../src/wire/garbage.ts";

function channel(slots: number) {
  const shape = { slots, slotBytes: 256 };
  const memory = new SharedArrayBuffer(ringBytes(shape));
  const producer = new RingProducer(memory, 0, shape);
  const bad: string[] = [];
  const got: unknown[] = [];
  const receiver = new MessageReceiver(new RingConsumer(memory, 0, shape), (why) => bad.push(why));
  return { producer, bad, got, receive: () => receiver.receive((message) => got.push(message)) };
}

it("is dropped slot by slot, each with a reason, and messages around it arrive", () => {
  const { producer, bad, got, receive } = channel(64);
  const sender = new MessageSender(producer);
  const random = Prng.stream(1, "garbage");
  for (let i = 0; i < 100; i++) {
    sender.send({ id: i });
    expect(publishGarbage(producer, random, 20)).toBe(20);
    sender.send({ id: -i });
    receive();
  }
  expect(got).toHaveLength(200);
  expect(bad).toHaveLength(2000);
  expect(new Set(bad)).toEqual(new Set(["not-msgpack", "slot-length"]));
});

it("fills the ring at most, and tells how much went in", () => {
  const { producer, bad, receive } = channel(8);
  expect(publishGarbage(producer, Prng.stream(1, "garbage"), 100)).toBe(8);
  receive();
  expect(bad).toHaveLength(8);
});
