/** Recordings compared on threads: the same result as on one, in the same order. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHost } from "../../../../host/host.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { conformFiles } from "../../../../src/conform/conform.ts";
import { conformFilesParallel, workersFor } from "../../../../src/conform/parallel.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "parallel-"));
  mkdirSync(join(root, "handwritten"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** `count` recordings of one open each; every third has a wrong answer. */
function record(count: number): void {
  for (let i = 0; i < count; i++) {
    const ret = i % 3 === 0 ? 7 : 0;
    const path = join(root, "handwritten", `h${100 + i}.6.12.jsonl`);
    writeFileSync(path, `${JSON.stringify({ n: i + 1, op: "@n8 open", ret })}\n`);
  }
}

describe("recordings on two threads", () => {
  it("give what they give on one, in the order of their names", async () => {
    record(9);
    const parallel = await conformFilesParallel([root], { workers: 2 });
    expect(parallel).toEqual(conformFiles([root], { createHost }));
    expect(parallel.divergences.map(({ line }) => line)).toEqual([1, 4, 7]);
    expect(parallel.totals).toEqual({ scripts: 9, ops: 9, divergences: 3 });
  });

  it("leave out those of other kernels", async () => {
    record(2);
    const options = { workers: 2, kernel: "linux-6.1" };
    expect((await conformFilesParallel([root], options)).totals.scripts).toBe(0);
  });

  it("report the first wrong file with its place and remedy", async () => {
    record(6);
    for (const name of ["h103.6.12.jsonl", "h104.6.12.jsonl"]) {
      writeFileSync(join(root, "handwritten", name), "nonsense\n");
    }
    const error = await conformFilesParallel([root], { workers: 2 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UsageError);
    const { place, hint } = error as UsageError;
    expect(place).toEqual({ file: join(root, "handwritten", "h103.6.12.jsonl"), line: 1 });
    expect(hint).toContain("one JSON object a line");
  });
});

it("a few files are not worth a thread", () => {
  record(40);
  expect(workersFor([root], 2)).toBe(0);
  expect(workersFor([root], 1)).toBe(0);
  record(60);
  expect(workersFor([root], 2)).toBe(2);
});
