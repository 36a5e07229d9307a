/** The other thread of the benchmarks that need one: starts it, and is it. */
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type FloorMode, pongSide } from "../../src/shm/floor.ts";
import { RingConsumer, RingProducer, type RingShape } from "../../src/shm/ring.ts";
import { WallClock } from "../../src/time/wall-clock.ts";
import { MessageReceiver, MessageSender } from "../../src/wire/channel.ts";
import type { Request } from "../../src/wire/messages.ts";

/** What the peer is to do; it ends when done, or at its deadline. */
export type PeerTask =
  | { readonly do: "pong"; readonly memory: SharedArrayBuffer; rounds: number; mode: FloorMode }
  | { readonly do: "consume"; readonly memory: SharedArrayBuffer; shape: RingShape; slots: number }
  | {
      readonly do: "answer";
      readonly memory: SharedArrayBuffer;
      shape: RingShape;
      requestsAt: number;
      responsesAt: number;
      messages: number;
    };

export interface Peer {
  /** Resolves when the peer's code runs. */
  readonly ready: Promise<unknown>;
  /** What the peer returned; rejects if it failed. */
  readonly result: Promise<number>;
}

/** No benchmark's peer outlives this. */
export const PEER_LIMIT_NS = 30e9;

export function startPeer(task: PeerTask): Peer {
  const worker = new Worker(new URL(import.meta.url), { workerData: { task } });
  return {
    ready: once(worker, "message"),
    result: new Promise((resolve, reject) => {
      worker.once("error", reject);
      worker.once("exit", () => reject(new Error("peer ended without a result")));
      worker.on("message", (message: number | "ready") => {
        if (message !== "ready") resolve(message);
      });
    }),
  };
}

function runTask(task: PeerTask): number {
  const clock = new WallClock();
  const deadlineNs = clock.now() + PEER_LIMIT_NS;
  switch (task.do) {
    case "pong":
      return pongSide(task.memory, task.rounds, task.mode, clock, deadlineNs) ? 1 : 0;
    case "consume":
      return consume(task.memory, task.shape, task.slots, () => clock.now() < deadlineNs);
    case "answer":
      return answer(task, () => clock.now() < deadlineNs);
  }
}

/** Reads every word of `slots` slots; returns their sum, so that the producer can check it. */
function consume(
  memory: SharedArrayBuffer,
  shape: RingShape,
  slots: number,
  inTime: () => boolean,
): number {
  const ring = new RingConsumer(memory, 0, shape);
  const slotWords = shape.slotBytes / 4;
  let sum = 0;
  for (let left = slots, idle = 0; left > 0; ) {
    const ready = ring.available();
    if (ready === 0 && (++idle & 0xffff) === 0 && !inTime()) return -1;
    for (let i = 0; i < ready; i++) {
      const at = ring.front() * slotWords;
      let slotSum = 0;
      for (let word = at; word < at + slotWords; word++)
        slotSum = (slotSum + ring.words[word]!) | 0;
      sum = (sum + slotSum) | 0;
      ring.pop();
    }
    if (ready > 0) ring.release();
    left -= ready;
  }
  return sum;
}

/** Answers requests as the host does, spinning. */
function answer(task: PeerTask & { do: "answer" }, inTime: () => boolean): number {
  const requests = new RingConsumer(task.memory, task.requestsAt, task.shape);
  const responses = new RingProducer(task.memory, task.responsesAt, task.shape);
  let bad = 0;
  let answered = 0;
  const receiver = new MessageReceiver(requests, () => bad++);
  const sender = new MessageSender(responses);
  const deliver = (message: unknown): void => {
    sender.send({ id: (message as Request).id, ret: 0 });
    answered++;
  };
  for (let idle = 0; answered < task.messages && bad === 0; ) {
    if (receiver.receive(deliver) === 0 && (++idle & 0xffff) === 0 && !inTime()) break;
  }
  return answered;
}

if (!isMainThread && (workerData as { task?: PeerTask } | null)?.task !== undefined) {
  parentPort!.postMessage("ready");
  parentPort!.postMessage(runTask((workerData as { task: PeerTask }).task));
}
