/** VFIO_DEVICE_SET_IRQS of one vector, there and back, beside the ring's and msgpackr's share. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { Packr } from "msgpackr/pack";
import { Unpackr } from "msgpackr/unpack";
import { median } from "../../src/measure/statistics.ts";
import { createBorder, type GuestPort, guestPort } from "../../src/shm/border.ts";
import {
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../src/uapi/vfio.ts";
import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import type { Request, Response } from "../../src/wire/messages.ts";
import { type Bench, type BenchContext, type BenchResult, timeEach, verify } from "./bench.ts";
import { PEER_LIMIT_NS } from "./peer.ts";
import { type PeerData, SHAPE } from "./set-irqs-peer.ts";

const NOBODY = { wake: () => {} };
/** struct vfio_irq_set with one descriptor. */
const ARGSZ = 24;
const RATIO_MAX = 3;
const ROUNDS = 7;

/** Runs `body` with a peer on the other end of a fresh border. */
async function withPeer<T>(does: PeerData["does"], body: (port: GuestPort) => T): Promise<T> {
  const memory = createBorder(SHAPE);
  const stop = new SharedArrayBuffer(4);
  const workerData: PeerData = { does, memory, stop };
  const url = new URL("./set-irqs-peer.js", import.meta.url);
  const worker = new Worker(url, { workerData });
  await once(worker, "message");
  try {
    return body(guestPort(memory, SHAPE, () => NOBODY));
  } finally {
    const ended = once(worker, "exit");
    Atomics.store(new Int32Array(stop), 0, 1);
    await ended;
  }
}

/** System calls of a VMM that has nothing else to do than to wait for each answer. */
class Caller {
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #clock: BenchContext["clock"];
  readonly #deliver = (message: unknown): void => {
    this.#answer = message as Response;
  };
  #answer: Response | null = null;
  #id = 0;

  constructor(port: GuestPort, clock: BenchContext["clock"]) {
    this.#sender = new MessageSender(port.requests);
    this.#receiver = new MessageReceiver(port.responses, () => {});
    this.#clock = clock;
  }

  call(call: object): number {
    this.#answer = null;
    this.#sender.send({ id: ++this.#id, ...call });
    for (let spins = 1; this.#answer === null; spins++) {
      this.#receiver.receive(this.#deliver);
      if (spins % 2 ** 24 === 0) verify(this.#clock.now() < PEER_LIMIT_NS * 1e6, "no answer");
    }
    return (this.#answer as Response).ret;
  }
}

function setIrqs(device: number, eventfd: number): Omit<Extract<Request, { op: "ioctl" }>, "id"> {
  const flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
  const words = Uint32Array.of(ARGSZ, flags, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1, eventfd);
  return { op: "ioctl", fd: device, cmd: VFIO_DEVICE_SET_IRQS, arg: new Uint8Array(words.buffer) };
}

/** Median time of a call that gives vector 0 another eventfd, ns. */
function callNs(port: GuestPort, { clock }: BenchContext, calls: number): number {
  const caller = new Caller(port, clock);
  const device = caller.call({ op: "open", path: "/dev/vfio/nvme" });
  const eventfds = [0, 0].map(() => caller.call({ op: "eventfd2", initval: 0, flags: 0 }));
  verify(device >= 0 && eventfds.every((fd) => fd >= 0), "open and eventfd2");
  const times = new Float64Array(calls);
  for (let i = 0; i < calls; i++) {
    const start = clock.now();
    const ret = caller.call(setIrqs(device, eventfds[i & 1]!));
    times[i] = clock.now() - start;
    verify(ret === 0, `SET_IRQS: ${ret}`);
  }
  return median(times);
}

/** Median time of a slot there and one back, ns. */
function ringNs(
  { requests, responses }: GuestPort,
  { clock }: BenchContext,
  times: number,
): number {
  const out = new Float64Array(times);
  for (let i = 0; i < times; i++) {
    const start = clock.now();
    verify(requests.reserve() >= 0, "a free slot");
    requests.commit();
    requests.publish();
    while (!responses.pending()) {}
    responses.available();
    responses.pop();
    responses.release();
    out[i] = clock.now() - start;
  }
  return median(out);
}

/** Packing and unpacking of a request and of its response, in one thread, ns. */
function msgpackrNs({ clock }: BenchContext, times: number): number {
  const packr = new Packr({ useRecords: false });
  const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true });
  let sum = 0;
  const each = timeEach(clock, times, (n) => {
    for (let i = 0; i < n; i++) {
      const request = unpackr.unpack(packr.pack({ id: i, ...setIrqs(3, 4) })) as Request;
      const response = unpackr.unpack(packr.pack({ id: i, ret: 0 })) as Response;
      sum += request.id + response.ret;
    }
  });
  verify(sum === (times * (times - 1)) / 2, "what was packed came out");
  return each;
}

async function run(context: BenchContext): Promise<BenchResult[]> {
  const calls = context.quick ? 5_000 : 20_000;
  const samples: { call: number; ring: number; msgpackr: number }[] = [];
  for (let round = 0; round < (context.quick ? 3 : ROUNDS); round++) {
    samples.push({
      call: await withPeer("host", (port) => callNs(port, context, calls)),
      ring: await withPeer("echo", (port) => ringNs(port, context, calls)),
      msgpackr: msgpackrNs(context, calls),
    });
  }
  const middle = (of: "call" | "ring" | "msgpackr"): number => median(samples.map((s) => s[of]));
  const [ring, msgpackr] = [middle("ring"), middle("msgpackr")];
  const ratio = median(samples.map(({ call, ring, msgpackr }) => call / (ring + msgpackr)));
  return [
    {
      name: "ioctl.set-irqs",
      value: middle("call"),
      unit: "ns",
      floorName: `raw ring ${ring.toFixed(0)} + msgpackr ${msgpackr.toFixed(0)}`,
      floor: ring + msgpackr,
      ratio,
      better: "lower",
      detail: { ringNs: ring, msgpackrNs: msgpackr },
      target: { text: `<= ${RATIO_MAX} x floor`, met: ratio <= RATIO_MAX },
    },
  ];
}

export const benches: Bench[] = [{ name: "ioctl.set-irqs", run }];
