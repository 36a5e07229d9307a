/** A worker for tests of queues: does what the job says, be it to die. */
import { setTimeout } from "node:timers/promises";
import type { WorkerAnswer } from "../../src/sweep/thread-queue.ts";

export interface QueueJob {
  readonly do: "answer" | "sleep" | "break" | "refuse" | "throw" | "exit" | "hang";
  readonly value: number;
}

/** What piscina calls. */
export async function work(job: QueueJob): Promise<WorkerAnswer<number>> {
  switch (job.do) {
    case "answer":
      return { done: job.value };
    case "sleep":
      await setTimeout(200);
      return { done: job.value };
    case "break":
      return { broken: `broken ${job.value}` };
    case "refuse":
      return { wrong: `wrong ${job.value}` };
    case "throw":
      throw new Error(`thrown ${job.value}`);
    case "exit":
      process.exit(9);
      break;
    case "hang":
      for (;;) await setTimeout(1_000);
  }
}
