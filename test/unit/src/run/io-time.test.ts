import { expect, test } from "vitest";
import { longestIoNs } from "../../../../src/run/io-time.ts";
import type { TraceEvent } from "../../../../src/trace/trace.ts";

const trace = (...events: [number, TraceEvent["point"]][]): TraceEvent[] =>
  events.map(([at, point]) => ({ at, point, actor: "g", args: {} }));

test("I/O lasts until the guest does something else", () => {
  const life = trace(
    [10, "guest_firmware"],
    [20, "guest_io_start"],
    [25, "process_attach"],
    [50, "guest_reset"],
    [60, "guest_io_start"],
    [70, "guest_io_stop"],
  );
  expect(longestIoNs(life, 1_000)).toBe(30);
});

test("I/O that goes on ends with the run, and what starts later counts for nothing", () => {
  expect(longestIoNs(trace([20, "guest_io_start"]), 100)).toBe(80);
  expect(longestIoNs(trace([120, "guest_io_start"], [150, "guest_io_stop"]), 100)).toBe(0);
});

test("a guest without I/O has none", () => {
  expect(longestIoNs(trace([10, "guest_firmware"]), 100)).toBe(0);
  expect(longestIoNs([], 100)).toBe(0);
});
