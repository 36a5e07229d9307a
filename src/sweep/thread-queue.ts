/** A JobQueue on this machine's cores: one worker thread each (piscina). */
import { Piscina } from "piscina";
import { InvariantError, UsageError } from "../base/errors.ts";
import { type JobOptions, type JobOutcome, type JobQueue, runJobs } from "./job-queue.ts";

/** What a worker file's function returns: errors lose their class between threads. */
export type WorkerAnswer<Result> =
  | { readonly done: Result }
  /** The model broke its own rules. */
  | { readonly broken: string }
  /** What the user gave cannot be run, in words. */
  | { readonly wrong: string };

export interface ThreadQueueOptions {
  /** The worker file and which of its functions takes a job; it returns a WorkerAnswer. */
  readonly file: URL;
  readonly name: string;
  readonly threads: number;
}

/**
 * Young heap of a thread. Simulations make much that dies young; with Node's default most of it is
 * copied to the old heap first.
 */
const YOUNG_MB = 64;

export class ThreadQueue<Job, Result> implements JobQueue<Job, Result> {
  readonly #pool: Piscina<Job, WorkerAnswer<Result>>;
  readonly #threads: number;

  constructor({ file, name, threads }: ThreadQueueOptions) {
    this.#threads = threads;
    this.#pool = new Piscina<Job, WorkerAnswer<Result>>({
      filename: file.href,
      name,
      minThreads: threads,
      maxThreads: threads,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    // Of a thread that dies between jobs; the pool has another by then.
    this.#pool.on("error", () => {});
  }

  run(jobs: readonly Job[], options?: JobOptions<Result>): Promise<JobOutcome<Result>[]> {
    const work = async (job: Job, signal: AbortSignal | undefined): Promise<Result> =>
      resultOf(await this.#pool.run(job, signal === undefined ? {} : { signal }));
    // Two for each thread, so that none waits for this one.
    return runJobs(jobs, 2 * this.#threads, work, options);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}

function resultOf<Result>(answer: WorkerAnswer<Result>): Result {
  if ("done" in answer) return answer.done;
  if ("broken" in answer) throw new InvariantError(answer.broken);
  throw new UsageError(answer.wrong);
}
