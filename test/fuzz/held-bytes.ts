/** How much memory is really held: what is left after garbage collection. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const COLLECTIONS = 3;

let collect: (() => void) | null = null;

/** Bytes of heap and buffers after a full collection; takes some 100 ms. */
export function heldBytes(): number {
  if (collect === null) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  // Buffers are swept beside the collection: what the first finds is gone after the second.
  for (let i = 0; i < COLLECTIONS; i++) collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
