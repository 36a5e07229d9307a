/** Jobs on threads: errors keep their class, a dead thread loses one job, Ctrl-C ends all. */
import { afterAll, describe, expect, it } from "vitest";
import { ThreadQueue } from "../../../../src/sweep/thread-queue.ts";
import type { QueueJob } from "../../../support/queue-worker.ts";

const FILE = new URL("../../../support/queue-worker.ts", import.meta.url);
const queues: ThreadQueue<QueueJob, number>[] = [];

function queueOf(threads: number): ThreadQueue<QueueJob, number> {
  const queue = new ThreadQueue<QueueJob, number>({ file: FILE, name: "work", threads });
  queues.push(queue);
  return queue;
}

afterAll(async () => {
  for (const queue of queues) await queue.close();
});

describe("a queue of threads", () => {
  it("returns outcomes in the order of the jobs, with the errors that they were", async () => {
    const jobs: QueueJob[] = [
      { do: "sleep", value: 1 },
      { do: "break", value: 2 },
      { do: "refuse", value: 3 },
      { do: "throw", value: 4 },
      { do: "answer", value: 5 },
    ];
    expect(await queueOf(2).run(jobs)).toEqual([
      { kind: "done", result: 1 },
      { kind: "failed", error: "broken 2", isBug: true },
      { kind: "failed", error: "wrong 3", isBug: false },
      { kind: "failed", error: "thrown 4", isBug: false },
      { kind: "done", result: 5 },
    ]);
  });

  it("loses one job with a thread that dies, on one thread too", async () => {
    const jobs: QueueJob[] = [
      { do: "answer", value: 1 },
      { do: "exit", value: 2 },
      { do: "answer", value: 3 },
      { do: "answer", value: 4 },
    ];
    const outcomes = await queueOf(1).run(jobs);
    expect(outcomes.map(({ kind }) => kind)).toEqual(["done", "failed", "done", "done"]);
    expect(outcomes[1]).toMatchObject({ error: expect.stringContaining("exited") });
  });

  it("ends what runs and what waits when it is interrupted", async () => {
    const abort = new AbortController();
    const jobs: QueueJob[] = [
      { do: "answer", value: 1 },
      { do: "hang", value: 2 },
      { do: "answer", value: 3 },
    ];
    const outcomes = await queueOf(1).run(jobs, {
      signal: abort.signal,
      onEnd: (index) => {
        if (index === 0) abort.abort();
      },
    });
    expect(outcomes[0]).toEqual({ kind: "done", result: 1 });
    expect(outcomes.slice(1).map(({ kind }) => kind)).toEqual(["interrupted", "interrupted"]);
  });
});
