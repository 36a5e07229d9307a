/** What commands with many runs share: threads, progress, and Ctrl-C that keeps what is there. */
import { availableParallelism } from "node:os";
import type { Command } from "commander";
import { UsageError } from "../base/errors.ts";
import { formatNs, parseDurationNs } from "../base/units.ts";
import type { Engine } from "../run/result.ts";
import { sweepWorkerUrl } from "../run/worker-urls.ts";
import type { RunFigures, RunJob } from "../sweep/job.ts";
import type { JobQueue } from "../sweep/job-queue.ts";
import { ResumedQueue } from "../sweep/resumed-queue.ts";
import { ThreadQueue } from "../sweep/thread-queue.ts";
import { WallClock } from "../time/wall-clock.ts";
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_INVARIANT, EXIT_OK, type Io } from "./io.ts";
import { JobFile } from "./job-file.ts";
import { StatusLine } from "./status.ts";

/** A whole number from 1 on, or a UsageError that names the flag. */
export function atLeastOne(flag: string): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(n) && n > 0) return n;
    throw new UsageError(`${flag} ${text}: not a whole number above zero`);
  };
}

/** Runs in virtual time, one a core unless the user says otherwise. */
export function virtualQueue(threads = availableParallelism()): JobQueue<RunJob, RunFigures> {
  return new ThreadQueue({ file: sweepWorkerUrl(), name: "runVirtualJob", threads });
}

export interface ResumeFlags {
  readonly out?: string;
  readonly fresh?: true;
}

/** Of commands that take `--out`. */
export function addFresh(command: Command): Command {
  return command.option("--fresh", "run all again: take nothing over from jobs.jsonl of --out");
}

/**
 * What `work` makes of a queue that goes on where an earlier run with the same --out was stopped;
 * the queue is closed then, and a note tells what was not run again.
 */
export async function resumed<T>(
  io: Io,
  { out, fresh }: ResumeFlags,
  engine: Engine,
  queueFor: () => JobQueue<RunJob, RunFigures>,
  work: (queue: JobQueue<RunJob, RunFigures>) => Promise<T>,
): Promise<T> {
  if (out === undefined && fresh === true) {
    throw new UsageError("--fresh: there is nothing to forget without --out");
  }
  if (out === undefined) return closing(queueFor(), work);
  const file = new JobFile(out, fresh === true);
  const queue = new ResumedQueue(queueFor(), engine, file);
  const found = await closing(queue, work);
  const { takenOver, asked } = queue;
  if (takenOver > 0) {
    io.err(`note: ${takenOver} of ${asked} runs taken over from ${out}; --fresh runs all again\n`);
  }
  if (file.trouble !== null) io.err(`warning: ${file.trouble}: a new start runs more again\n`);
  return found;
}

async function closing<T>(
  queue: JobQueue<RunJob, RunFigures>,
  work: (queue: JobQueue<RunJob, RunFigures>) => Promise<T>,
): Promise<T> {
  try {
    return await work(queue);
  } finally {
    await queue.close();
  }
}

export interface Interruptible {
  readonly signal: AbortSignal;
  /** Shows how far it is, on a terminal. */
  readonly show: (what: string, done: number, total: number, failed: number) => void;
}

/** The first Ctrl-C ends `work` with what it has; a second one leaves at once. */
export async function interruptible<T>(
  io: Io,
  work: (tools: Interruptible) => Promise<T>,
): Promise<T> {
  const abort = new AbortController();
  const status = new StatusLine(io);
  const release = io.onInterrupt(() => {
    if (abort.signal.aborted) {
      status.clear();
      io.exitNow(EXIT_INTERRUPTED);
      return;
    }
    abort.abort();
  });
  const clock = new WallClock();
  let start = clock.now();
  let step = "";
  const show: Interruptible["show"] = (what, done, total, failed) => {
    if (!io.errIsTty) return;
    // Each step has runs of its own kind: what is left is reckoned from its own beginning.
    if (step !== "" && step !== what) start = clock.now();
    step = what;
    const left = ((clock.now() - start) / done) * (total - done);
    const troubles = failed === 0 ? "" : `, ${failed} failed`;
    status.note(`${what}: ${done} of ${total} runs${troubles}, about ${formatNs(left)} left`);
  };
  try {
    return await work({ signal: abort.signal, show });
  } finally {
    status.clear();
    release();
  }
}

/** The exit code of many runs, the gravest first. */
export function exitCodeOfRuns(runs: {
  readonly isInterrupted: boolean;
  readonly failed: number;
  readonly bugs: number;
}): number {
  if (runs.bugs > 0) return EXIT_INVARIANT;
  if (runs.isInterrupted) return EXIT_INTERRUPTED;
  return runs.failed > 0 ? EXIT_FAILED : EXIT_OK;
}

/** A duration of a flag; throws UsageError that names it. */
export function durationFlag(flag: string, text: string): number {
  try {
    return parseDurationNs(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new UsageError(`${flag}: ${error.message}`, hint);
  }
}
