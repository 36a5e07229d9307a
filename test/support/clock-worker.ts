/** Tells a test what time it is on this thread's wall clock. */
import { parentPort } from "node:worker_threads";
import { WallClock } from "../../src/time/wall-clock.ts";

parentPort!.postMessage(new WallClock().now());
