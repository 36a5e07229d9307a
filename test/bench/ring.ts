/** Rings: slots a second between two threads, and the round trip of one SET_IRQS message. */

import { median } from "../../src/measure/statistics.ts";
import { Arena } from "../../src/shm/arena.ts";
import { createFloorMemory, pingSide } from "../../src/shm/floor.ts";
import { RingConsumer, RingProducer, ringBytes } from "../../src/shm/ring.ts";
import {
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../src/uapi/vfio.ts";
import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import { type Bench, type BenchContext, type BenchResult, interleave, verify } from "./bench.ts";
import { PEER_LIMIT_NS, startPeer } from "./peer.ts";

const SHAPE = { slots: 1024, slotBytes: 64 };
const SLOT_WORDS = SHAPE.slotBytes / 4;
/** Slots published at once. */
const BATCH = 128;
const MILLION_SLOTS_MIN = 15;

/** Fills slot `slot`; all words, as a message would. */
function fill(words: Int32Array, slot: number, value: number): void {
  const at = slot * SLOT_WORDS;
  for (let word = at; word < at + SLOT_WORDS; word++) words[word] = value;
}

/** Sends `slots` slots to the peer's thread; returns millions a second. */
async function throughput({ clock }: BenchContext, slots: number): Promise<number> {
  const memory = Arena.create(ringBytes(SHAPE)).memory;
  const peer = startPeer({ do: "consume", memory, shape: SHAPE, slots });
  await peer.ready;
  const ring = new RingProducer(memory, 0, SHAPE);
  const start = clock.now();
  const deadline = start + PEER_LIMIT_NS;
  let expected = 0;
  for (let sent = 0, full = 0; sent < slots; ) {
    const slot = ring.reserve();
    if (slot < 0) {
      ring.publish();
      if ((++full & 0xffff) === 0) verify(clock.now() < deadline, "nobody consumes");
      continue;
    }
    fill(ring.words, slot, sent);
    expected = (expected + sent * SLOT_WORDS) | 0;
    ring.commit();
    sent++;
    if (sent % BATCH === 0) ring.publish();
  }
  ring.publish();
  const elapsed = clock.now() - start;
  verify((await peer.result) === expected, "slots arrived changed");
  return (slots / elapsed) * 1e3;
}

/** The same bytes written and read back by one thread: no hand-over at all. */
function copyThroughput({ clock }: BenchContext, slots: number): number {
  const words = new Int32Array(SHAPE.slots * SLOT_WORDS);
  const start = clock.now();
  let sum = 0;
  for (let i = 0; i < slots; i++) {
    const at = (i % SHAPE.slots) * SLOT_WORDS;
    fill(words, i % SHAPE.slots, i);
    for (let word = at; word < at + SLOT_WORDS; word++) sum = (sum + words[word]!) | 0;
  }
  const elapsed = clock.now() - start;
  verify(sum !== 1, "unreachable, keeps the sum alive");
  return (slots / elapsed) * 1e3;
}

/** VFIO_DEVICE_SET_IRQS of one MSI-X vector: five words and an eventfd. */
function setIrqs(vector: number): Uint8Array {
  const flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  const words = Uint32Array.of(24, flags, VFIO_PCI_MSIX_IRQ_INDEX, vector, 1, 40 + vector);
  return new Uint8Array(words.buffer);
}

const MESSAGE_SHAPE = { slots: 32, slotBytes: 1024 };

/** Median round trip of one request and its response, both sides spinning, ns. */
async function messageRoundTrip({ clock }: BenchContext, messages: number): Promise<number> {
  const shape = MESSAGE_SHAPE;
  const arena = Arena.create(2 * ringBytes(shape));
  const { memory } = arena;
  const requestsAt = arena.take(ringBytes(shape));
  const responsesAt = arena.take(ringBytes(shape));
  const peer = startPeer({ do: "answer", memory, shape, requestsAt, responsesAt, messages });
  await peer.ready;
  const sender = new MessageSender(new RingProducer(memory, requestsAt, shape));
  const receiver = new MessageReceiver(new RingConsumer(memory, responsesAt, shape), () => {});
  const times = new Float64Array(messages);
  let answered = -1;
  const deliver = (message: unknown): void => {
    answered = (message as { id: number }).id;
  };
  for (let id = 0; id < messages; id++) {
    const start = clock.now();
    sender.send({ id, op: "ioctl", fd: 12, cmd: VFIO_DEVICE_SET_IRQS, arg: setIrqs(id & 63) });
    for (let spins = 1; answered !== id; spins++) {
      receiver.receive(deliver);
      if (spins % 0x10000 === 0) verify(clock.now() < start + PEER_LIMIT_NS, "no answer");
    }
    times[id] = clock.now() - start;
  }
  verify((await peer.result) === messages, "messages answered");
  return median(times);
}

/** Median spinning round trip of one word, ns. */
async function wordRoundTrip({ clock }: BenchContext, rounds: number): Promise<number> {
  const memory = createFloorMemory();
  const peer = startPeer({ do: "pong", memory, rounds, mode: "spin" });
  await peer.ready;
  const out = new Float64Array(rounds);
  const timed = pingSide(memory, rounds, "spin", out, clock, clock.now() + PEER_LIMIT_NS);
  await peer.result;
  verify(timed === rounds, "word round trips");
  return median(out);
}

export const benches: Bench[] = [
  {
    name: "ring.slots",
    async run(context): Promise<BenchResult[]> {
      const slots = context.quick ? 2_000_000 : 8_000_000;
      const measured = await interleave(
        context,
        () => throughput(context, slots),
        () => copyThroughput(context, slots),
      );
      const target = { text: ">= 15 M/s", met: measured.value >= MILLION_SLOTS_MIN };
      const floorName = "the same bytes in one thread";
      return [
        { name: "ring.slots", unit: "M/s", floorName, better: "higher", target, ...measured },
      ];
    },
  },
  {
    name: "ring.message",
    async run(context): Promise<BenchResult[]> {
      const messages = context.quick ? 2_000 : 20_000;
      const measured = await interleave(
        context,
        () => messageRoundTrip(context, messages),
        () => wordRoundTrip(context, messages),
      );
      const floorName = "spinning round trip of a word";
      return [{ name: "ring.message", unit: "ns", floorName, better: "lower", ...measured }];
    },
  },
];
