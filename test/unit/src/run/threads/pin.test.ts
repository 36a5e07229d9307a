import { existsSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import {
  allowedCpus,
  cpuOf,
  parseCpuList,
  pinThreads,
} from "../../../../../src/run/threads/pin.ts";
import { threadId } from "../../../../../src/run/threads/thread-id.ts";

test.each([
  ["0", [0]],
  ["0,2", [0, 2]],
  ["0-3,8", [0, 1, 2, 3, 8]],
  [" 1-1\n", [1]],
  ["", null],
  ["0,", null],
  ["a", null],
  ["-1", null],
] as const)("the list %j is %j", (text, cpus) => {
  expect(parseCpuList(text)).toEqual(cpus);
});

test("the host has the first CPU for itself, guests share the others in turns", () => {
  expect([0, 1, 2, 3].map((index) => cpuOf(index, [4, 5, 6]))).toEqual([4, 5, 6, 5]);
  expect([0, 1, 2].map((index) => cpuOf(index, [7]))).toEqual([7, 7, 7]);
});

test.runIf(existsSync("/proc/thread-self"))("each thread has a number of its own", async () => {
  expect(threadId()).toBeGreaterThan(0);
  const code = `require("worker_threads").parentPort.postMessage(
    require("fs").readlinkSync("/proc/thread-self"))`;
  const worker = new Worker(code, { eval: true });
  const link = await new Promise<string>((resolve) => worker.once("message", resolve));
  expect(link).not.toBe(`${process.pid}/task/${threadId()}`);
});

test("a thread that cannot be pinned is told of, with what to do", async () => {
  const allowed = await allowedCpus();
  // No machine has that many CPUs.
  const warnings = await pinThreads([{ name: "host", id: process.pid }], [99_999]);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]!.text).toContain("threads are not pinned to CPUs 99999: ");
  expect(warnings[0]!.advice).toMatch(allowed === null ? /util-linux/ : /taskset -pc/);
});
