import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { CoreWait, parseQueuedNs } from "../../../../src/cli/core-wait.ts";
import { threadId } from "../../../../src/run/threads/thread-id.ts";

test.each([
  ["2028143 1000 42\n", 1_000],
  ["0 0 0", 0],
  ["", null],
  ["1 2", null],
])("a schedstat of %j: %j ns on a run queue", (text, ns) => {
  expect(parseQueuedNs(text)).toBe(ns);
});

const progress = (elapsedNs: number) => ({ elapsedNs, durationNs: 1e9, interrupts: 0, guests: [] });

test.runIf(existsSync("/proc/self/schedstat"))("a thread's share lies between 0 and 1", () => {
  const wait = new CoreWait();
  wait.onThreads([{ name: "host", id: threadId() }]);
  wait.onProgress(progress(0));
  expect(wait.share).toBeNull();
  wait.onProgress(progress(1e9));
  expect(wait.share).toBeGreaterThanOrEqual(0);
  expect(wait.share).toBeLessThanOrEqual(1);
});

test("of threads that are not known nothing is told", () => {
  const wait = new CoreWait();
  wait.onThreads([{ name: "host", id: null }]);
  wait.onProgress(progress(0));
  wait.onProgress(progress(1e9));
  expect(wait.share).toBeNull();
});
