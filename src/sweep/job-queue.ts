/**
 * Many independent jobs with one outcome each, in the order of the jobs whoever is done first. One
 * that fails, or whose worker dies, loses nothing but itself. Another queue (of several machines)
 * has only to implement this interface.
 */
import { InvariantError, UsageError } from "../base/errors.ts";

export type JobOutcome<Result> =
  | { readonly kind: "done"; readonly result: Result }
  /** `isBug`: not the user's fault, but the model's. */
  | { readonly kind: "failed"; readonly error: string; readonly isBug: boolean }
  /** Not begun, or given up, because the user wants no more. */
  | { readonly kind: "interrupted" };

export interface JobOptions<Result> {
  /** Jobs that have not ended when it aborts are interrupted. */
  readonly signal?: AbortSignal | undefined;
  /** Called as each job ends, in whatever order. */
  readonly onEnd?: ((index: number, outcome: JobOutcome<Result>) => void) | undefined;
}

export interface JobQueue<Job, Result> {
  /** Outcome i is that of job i. Rejects for no job's sake. */
  run(jobs: readonly Job[], options?: JobOptions<Result>): Promise<JobOutcome<Result>[]>;
  /** Ends what the queue keeps: threads, connections. */
  close(): Promise<void>;
}

/** What a job does; `signal` asks it to end early. */
export type Work<Job, Result> = (job: Job, signal: AbortSignal | undefined) => Promise<Result>;

/** Hands the jobs, in their order, to at most `lanes` runs of `work` at once. */
export async function runJobs<Job, Result>(
  jobs: readonly Job[],
  lanes: number,
  work: Work<Job, Result>,
  { signal, onEnd }: JobOptions<Result> = {},
): Promise<JobOutcome<Result>[]> {
  const outcomes = new Array<JobOutcome<Result>>(jobs.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < jobs.length; i = next++) {
      const outcome: JobOutcome<Result> =
        signal?.aborted === true ? { kind: "interrupted" } : await oneJob(jobs[i]!, work, signal);
      outcomes[i] = outcome;
      onEnd?.(i, outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, lanes) }, lane));
  return outcomes;
}

async function oneJob<Job, Result>(
  job: Job,
  work: Work<Job, Result>,
  signal: AbortSignal | undefined,
): Promise<JobOutcome<Result>> {
  try {
    const result = await work(job, signal);
    return signal?.aborted === true ? { kind: "interrupted" } : { kind: "done", result };
  } catch (error) {
    if (signal?.aborted === true) return { kind: "interrupted" };
    return failureOf(error);
  }
}

function failureOf(error: unknown): JobOutcome<never> {
  if (error instanceof UsageError) return { kind: "failed", error: error.format(), isBug: false };
  const isBug = error instanceof InvariantError;
  return { kind: "failed", error: error instanceof Error ? error.message : `${error}`, isBug };
}

/** One job after the other in the caller's own thread: for runs that need the machine alone. */
export class SerialQueue<Job, Result> implements JobQueue<Job, Result> {
  readonly #work: Work<Job, Result>;

  constructor(work: Work<Job, Result>) {
    this.#work = work;
  }

  run(jobs: readonly Job[], options?: JobOptions<Result>): Promise<JobOutcome<Result>[]> {
    return runJobs(jobs, 1, this.#work, options);
  }

  async close(): Promise<void> {}
}
