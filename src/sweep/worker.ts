/** A worker thread's part of a sweep: one run in virtual time a job. */
import { InvariantError, UsageError } from "../base/errors.ts";
import { type RunFigures, type RunJob, runJob } from "./job.ts";
import type { WorkerAnswer } from "./thread-queue.ts";

/** Times a scenario's limit: a sweep is not alone on its cores, and its figures are not of them. */
const PATIENCE = 10;

/** What piscina calls. A run that does not end is stopped in the end. */
export async function runVirtualJob(job: RunJob): Promise<WorkerAnswer<RunFigures>> {
  const limit = AbortSignal.timeout(Math.ceil((PATIENCE * job.scenario.run.limit) / 1e6));
  try {
    const done = await runJob(job, "virtual", limit);
    return { done: limit.aborted ? { ...done, partial: "limit" } : done };
  } catch (error) {
    if (error instanceof InvariantError) return { broken: error.message };
    if (error instanceof UsageError) return { wrong: error.format() };
    throw error;
  }
}
