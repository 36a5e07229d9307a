/** Compares recordings on worker threads; results and errors come in the order of the files. */
import { Piscina } from "piscina";
import { InvariantError, UsageError } from "../base/errors.ts";
import { conformWorkerUrl } from "../run/worker-urls.ts";
import { type ConformResult, conformResult, type FileConformance } from "./conform.ts";
import type { FileOutcome, FileTask } from "./file-worker.ts";
import { findRecordings } from "./files.ts";

export interface ParallelOptions {
  readonly kernel?: string;
  /** Threads to use at most. */
  readonly workers: number;
}

/** Below this a thread costs more than it saves: it loads and warms up all code by itself. */
const FILES_PER_WORKER = 24;
/**
 * Young heap of a thread. A machine that fills a remapping table makes 65,536 irqs, and lives for a
 * second: with the default of 48 MB most of them are copied to the old heap, only to die there.
 */
const YOUNG_MB = 192;

/** How many threads are worth it for these paths: 0 if the caller's own is best. */
export function workersFor(paths: readonly string[], cores: number): number {
  const workers = Math.min(cores, Math.floor(findRecordings(paths).length / FILES_PER_WORKER));
  return workers < 2 ? 0 : workers;
}

/** As conformFiles, with the kernel and VMM models of this package. */
export async function conformFilesParallel(
  paths: readonly string[],
  { kernel, workers }: ParallelOptions,
): Promise<ConformResult> {
  const pool = new Piscina<FileTask, FileOutcome>({
    filename: conformWorkerUrl().href,
    name: "runTask",
    minThreads: workers,
    maxThreads: workers,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  try {
    const tasks = findRecordings(paths).map((path) => {
      const outcome = pool.run({ path, ...(kernel === undefined ? {} : { kernel }) });
      // Whoever awaits it below learns of a failure; until then it is not unhandled.
      outcome.catch(() => {});
      return outcome;
    });
    const files: (FileConformance | null)[] = [];
    for (const task of tasks) files.push(await resultOf(task));
    return conformResult(files);
  } finally {
    await pool.destroy();
  }
}

/** The errors that a thread met, as if they had been thrown here. */
async function resultOf(task: Promise<FileOutcome>): Promise<FileConformance | null> {
  const outcome = await task;
  if ("done" in outcome) return outcome.done;
  if ("broken" in outcome) throw new InvariantError(outcome.broken);
  const { message, place, hint } = outcome.wrong;
  throw new UsageError(message, { place, ...(hint === undefined ? {} : { hint }) });
}
