/** What interrupts put on the heap: bytes each, on one path. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../../src/time/clock.ts";
import { WallClock } from "../../src/time/wall-clock.ts";
import { Delivery, type Path } from "./delivery.ts";

/** Interrupts between two looks at the heap: no more than the young generation holds. */
const LOOK = 10_000;
/** Until V8 has compiled all there is. */
const WARM_UP = 300_000;

/** A clock whose readings cost nothing: what is left are the model's own allocations. */
export class CountingClock implements Clock {
  readonly kind = "wall";
  readonly #ns = new Float64Array([1e12]);

  now(): number {
    return (this.#ns[0]! += 3.5);
  }

  stamp(to: Float64Array, at: number): void {
    to[at] = this.#ns[0]! += 3.5;
  }

  spend(_ns: number): void {}
}

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

/** Bytes on the heap for each of `times` interrupts, from cause to handler and sample. */
export function heapBytesEach(
  path: Path,
  stages: "full" | "ends",
  times: number,
  clock: Clock = new WallClock(),
): number {
  const collect = collector();
  const delivery = new Delivery(path, stages, clock);
  const deliver = (count: number): void => {
    for (let i = 0; i < count; i++) delivery.deliver();
  };
  for (let i = 0; i < WARM_UP; i += LOOK) deliver(LOOK);
  collect();
  let bytes = 0;
  let last = process.memoryUsage().heapUsed;
  for (let done = 0; done < times; done += LOOK) {
    deliver(LOOK);
    const used = process.memoryUsage().heapUsed;
    // Less than before is a collection in between: nobody knows what that look would have shown.
    if (used > last) bytes += used - last;
    last = used;
  }
  if (delivery.interrupts.delivered !== WARM_UP + times) throw new Error("interrupts are missing");
  return bytes / times;
}
