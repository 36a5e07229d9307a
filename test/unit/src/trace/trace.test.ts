import { expect, test } from "vitest";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

function record(events: number, limit: number): TraceRecorder {
  const clock = new VirtualClock();
  const recorder = new TraceRecorder(clock, "g1", limit);
  for (let i = 0; i < events; i++) {
    clock.advanceTo(i);
    recorder.emit("guest_reboot", { i });
  }
  return recorder;
}

test("an event has its time, its actor and its arguments", () => {
  const [event] = record(1, 10).all();
  expect(event).toEqual({ at: 0, actor: "g1", point: "guest_reboot", args: { i: 0 } });
});

test("up to the limit all are kept, beyond it the first and the last, in order", () => {
  expect(record(10, 10).all()).toHaveLength(10);
  const long = record(5_000, 10);
  const times = long.all().map(({ at }) => at);
  expect(times.slice(0, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(times.at(-1)).toBe(4_999);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(times.length).toBeGreaterThanOrEqual(10 + 256);
  expect(times.length + long.dropped).toBe(5_000);
});
