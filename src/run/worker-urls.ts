/** Where threads enter, from sources or from dist, whichever this file is part of. */
import { moduleUrl } from "./module-url.ts";

const entry = (path: string): URL => moduleUrl(path, import.meta.url);

export const hostWorkerUrl = (): URL => entry("host/worker");
export const guestWorkerUrl = (): URL => entry("guest/worker");
/** Compares one recording after the other (src/conform/parallel.ts). */
export const conformWorkerUrl = (): URL => entry("src/conform/file-worker");
/** Runs one scenario of a sweep after the other (src/sweep/thread-queue.ts). */
export const sweepWorkerUrl = (): URL => entry("src/sweep/worker");
