/** The other thread of floor.test.ts: answers rounds and reports whether all of them came. */
import { parentPort, workerData } from "node:worker_threads";
import { type FloorMode, pongSide } from "../../../../src/shm/floor.ts";
import { WallClock } from "../../../../src/time/wall-clock.ts";

export interface PeerData {
  readonly memory: SharedArrayBuffer;
  readonly rounds: number;
  readonly mode: FloorMode;
}

const { memory, rounds, mode } = workerData as PeerData;
const clock = new WallClock();
parentPort!.postMessage(pongSide(memory, rounds, mode, clock, clock.now() + 20e9));
