/** How long threads were ready to run and had no core: what the kernel counts (schedstat). */
import { readFileSync } from "node:fs";
import type { ThreadInfo } from "../run/outcome.ts";
import type { Progress } from "../run/result.ts";

/** Second number of /proc/PID/task/TID/schedstat: time on a run queue, ns; null if unknown. */
export function parseQueuedNs(schedstat: string): number | null {
  const [, queued] = /^\d+ (\d+) \d+\s*$/.exec(schedstat) ?? [];
  return queued === undefined ? null : Number(queued);
}

function queuedNsOf({ id }: ThreadInfo): number | null {
  try {
    return parseQueuedNs(readFileSync(`/proc/self/task/${id}/schedstat`, "utf8"));
  } catch {
    return null;
  }
}

/** Follows the threads of one run; its two handlers are the run's options. */
export class CoreWait {
  #threads: readonly ThreadInfo[] = [];
  #first: { readonly at: number; readonly queued: readonly (number | null)[] } | null = null;
  #share: number | null = null;

  readonly onThreads = (threads: readonly ThreadInfo[]): void => {
    this.#threads = threads;
  };

  readonly onProgress = ({ elapsedNs }: Progress): void => {
    const queued = this.#threads.map(queuedNsOf);
    const first = this.#first;
    if (first === null) this.#first = { at: elapsedNs, queued };
    else this.#share = largestShare(first, { at: elapsedNs, queued }) ?? this.#share;
  };

  /** Of the thread that waited longest, share of the run; null: nobody tells. */
  get share(): number | null {
    return this.#share;
  }
}

interface Look {
  readonly at: number;
  readonly queued: readonly (number | null)[];
}

function largestShare(first: Look, last: Look): number | null {
  const ns = last.at - first.at;
  if (ns <= 0) return null;
  const shares = last.queued.flatMap((queued, i) => {
    const before = first.queued[i] ?? null;
    return queued === null || before === null ? [] : [(queued - before) / ns];
  });
  return shares.length === 0 ? null : Math.min(1, Math.max(...shares));
}
