/** The other thread of floor and one-way tests: answers rounds, and reports if all of them came. */
import { parentPort, workerData } from "node:worker_threads";
import { type FloorMode, pongSide } from "../../../../src/shm/floor.ts";
import { receiveSide } from "../../../../src/shm/one-way.ts";
import { WallClock } from "../../../../src/time/wall-clock.ts";

export interface PeerData {
  readonly memory: SharedArrayBuffer;
  readonly rounds: number;
  readonly mode: FloorMode;
  readonly side: "pong" | "receive";
}

const { memory, rounds, mode, side } = workerData as PeerData;
const answer = side === "pong" ? pongSide : receiveSide;
const clock = new WallClock();
parentPort!.postMessage(answer(memory, rounds, mode, clock, clock.now() + 20e9));
