/** Jobs one after the other and side by side: outcomes in order, whoever fails or stops. */
import { describe, expect, it } from "vitest";
import { InvariantError, UsageError } from "../../../../src/base/errors.ts";
import { runJobs, SerialQueue } from "../../../../src/sweep/job-queue.ts";

/** Promises that end when told to. */
class Gates {
  readonly #open: ((value: number) => void)[] = [];

  wait(job: number): Promise<number> {
    return new Promise((resolve) => {
      this.#open[job] = resolve;
    });
  }

  open(job: number): void {
    this.#open[job]!(10 * job);
  }
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

describe("jobs", () => {
  it("have their outcomes in their own order, whoever is done first", async () => {
    const gates = new Gates();
    const ended: number[] = [];
    const onEnd = (index: number): void => void ended.push(index);
    const all = runJobs([0, 1, 2], 3, (job) => gates.wait(job), { onEnd });
    for (const job of [2, 0, 1]) {
      gates.open(job);
      await settled();
    }
    expect(await all).toEqual([0, 10, 20].map((result) => ({ kind: "done", result })));
    expect(ended).toEqual([2, 0, 1]);
  });

  it("run so many at once as there are lanes, and begin in order", async () => {
    const gates = new Gates();
    const begun: number[] = [];
    const all = runJobs([0, 1, 2, 3], 2, (job) => {
      begun.push(job);
      return gates.wait(job);
    });
    await settled();
    expect(begun).toEqual([0, 1]);
    gates.open(1);
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    for (const job of [0, 2]) gates.open(job);
    await settled();
    gates.open(3);
    expect(await all).toHaveLength(4);
  });

  it("that fail lose nothing but themselves", async () => {
    const outcomes = await runJobs([0, 1, 2, 3], 2, async (job) => {
      if (job === 1) throw new InvariantError("wrong sum");
      if (job === 2) throw new UsageError("no such file", { hint: "write it" });
      return job;
    });
    expect(outcomes).toEqual([
      { kind: "done", result: 0 },
      { kind: "failed", error: "wrong sum", isBug: true },
      { kind: "failed", error: "no such file\n  hint: write it", isBug: false },
      { kind: "done", result: 3 },
    ]);
  });

  it("that are interrupted keep what is done, and begin no more", async () => {
    const abort = new AbortController();
    const begun: number[] = [];
    const queue = new SerialQueue(async (job: number) => {
      begun.push(job);
      if (job === 1) abort.abort();
      return job;
    });
    const outcomes = await queue.run([0, 1, 2], { signal: abort.signal });
    await queue.close();
    expect(outcomes.map(({ kind }) => kind)).toEqual(["done", "interrupted", "interrupted"]);
    expect(begun).toEqual([0, 1]);
  });
});
