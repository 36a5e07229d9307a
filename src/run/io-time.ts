/** How long a guest's driver had I/O going with nothing else happening to the guest. */
import type { TraceEvent } from "../trace/trace.ts";

const IO_START = "guest_io_start";

/** The longest such time before `endNs`, ns; 0 if it never had any. `trace` is in order of time. */
export function longestIoNs(trace: readonly TraceEvent[], endNs: number): number {
  let longest = 0;
  let startNs = Number.POSITIVE_INFINITY;
  const stretch = (untilNs: number): void => {
    longest = Math.max(longest, Math.min(untilNs, endNs) - startNs);
    startNs = Number.POSITIVE_INFINITY;
  };
  for (const { at, point } of trace) {
    if (!point.startsWith("guest_")) continue;
    stretch(at);
    if (point === IO_START) startNs = at;
  }
  stretch(endNs);
  return longest;
}
