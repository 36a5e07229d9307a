/** Offers an API to the main thread from inside a worker. */
import { parentPort } from "node:worker_threads";
import * as Comlink from "comlink";
import { assert } from "../../base/assert.ts";
import { nodeEndpoint } from "../../wire/control.ts";
import { failing } from "./failure.ts";

/** Serves `api` on the port to the thread that started this one. */
export function serveControl(api: object): void {
  assert(parentPort !== null, "this file is the entry of a worker thread");
  Comlink.expose(failing(api), nodeEndpoint(parentPort));
}
