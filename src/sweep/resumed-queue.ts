/** A JobQueue that takes over what an earlier, killed run of the same jobs has left as lines. */
import { VERSION } from "../base/version.ts";
import type { Engine } from "../run/result.ts";
import { scenarioHash } from "../scenario/hash.ts";
import type { Scenario } from "../scenario/types.ts";
import type { RunFigures, RunJob } from "./job.ts";
import type { JobOptions, JobOutcome, JobQueue } from "./job-queue.ts";

/** Where finished jobs are kept. */
export interface JobStore {
  /** What is there, as it was left: the last line may be torn. */
  readonly text: string;
  /** Keeps one more line, so that it outlives this process. */
  append(line: string): void;
}

interface KeptJob {
  readonly key: string;
  readonly done: RunFigures;
}

/**
 * What makes two jobs the same one. Null: it must always run, because a policy of one's own is code
 * that the scenario only names.
 */
export function jobKey({ scenario, figures, lateNs }: RunJob, engine: Engine): string | null {
  if (hasOwnPolicy(scenario)) return null;
  const kind = figures === null ? `policies late=${lateNs}` : `figures ${figures.join(",")}`;
  return `${scenarioHash(scenario)} ${engine} ${VERSION} ${kind}`;
}

function hasOwnPolicy({ host, devices }: Scenario): boolean {
  return [host, ...devices].some(({ retention }) => {
    return typeof retention === "object" && retention !== null && retention.policy === "own";
  });
}

/**
 * Failed and cut-off runs are not kept: the first may be the machine's fault, the second are.
 * Nor is what JSON would change: NaN, infinities, -0.
 */
function isKept({ partial, figures }: RunFigures): boolean {
  if (partial !== null) return false;
  return Object.values(figures).every(
    (value) => value === null || Object.is(JSON.parse(JSON.stringify(value)), value),
  );
}

/** Lines that are torn or of another kind are as if they were not there. */
export function keptJobs(text: string): Map<string, RunFigures> {
  const kept = new Map<string, RunFigures>();
  for (const line of text.split("\n")) {
    const job = parseLine(line);
    if (job !== null) kept.set(job.key, job.done);
  }
  return kept;
}

function parseLine(line: string): KeptJob | null {
  try {
    const job = JSON.parse(line) as Partial<KeptJob> | null;
    return typeof job?.key === "string" && isFigures(job.done) ? (job as KeptJob) : null;
  } catch {
    return null;
  }
}

function isFigures(done: Partial<RunFigures> | undefined): boolean {
  const { figures, effective, victims, holders, partial, violations } = done ?? {};
  const isRecord = (value: unknown): boolean => typeof value === "object" && value !== null;
  return (
    [figures, victims, holders].every(isRecord) &&
    typeof effective === "boolean" &&
    partial === null &&
    Array.isArray(violations)
  );
}

/** Runs on `inner` what the store does not have, and keeps what it returns. */
export class ResumedQueue implements JobQueue<RunJob, RunFigures> {
  readonly #inner: JobQueue<RunJob, RunFigures>;
  readonly #engine: Engine;
  readonly #store: JobStore;
  readonly #kept: ReadonlyMap<string, RunFigures>;
  #takenOver = 0;
  #asked = 0;

  constructor(inner: JobQueue<RunJob, RunFigures>, engine: Engine, store: JobStore) {
    this.#inner = inner;
    this.#engine = engine;
    this.#store = store;
    this.#kept = keptJobs(store.text);
  }

  /** Jobs that were not run again. */
  get takenOver(): number {
    return this.#takenOver;
  }

  /** All jobs so far. */
  get asked(): number {
    return this.#asked;
  }

  async run(
    jobs: readonly RunJob[],
    { signal, onEnd }: JobOptions<RunFigures> = {},
  ): Promise<JobOutcome<RunFigures>[]> {
    const keys = jobs.map((job) => jobKey(job, this.#engine));
    const outcomes = keys.map((key): JobOutcome<RunFigures> | null => {
      const result = key === null ? undefined : this.#kept.get(key);
      return result === undefined ? null : { kind: "done", result };
    });
    const missing = outcomes.flatMap((outcome, i) => (outcome === null ? [i] : []));
    this.#asked += jobs.length;
    this.#takenOver += jobs.length - missing.length;
    for (const [i, outcome] of outcomes.entries()) if (outcome !== null) onEnd?.(i, outcome);
    const ran = await this.#inner.run(
      missing.map((i) => jobs[i]!),
      {
        signal,
        onEnd: (n, outcome) => {
          const i = missing[n]!;
          this.#keep(keys[i] ?? null, outcome);
          onEnd?.(i, outcome);
        },
      },
    );
    for (const [n, i] of missing.entries()) outcomes[i] = ran[n]!;
    return outcomes.map((outcome) => outcome!);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #keep(key: string | null, outcome: JobOutcome<RunFigures>): void {
    if (key === null || outcome.kind !== "done" || !isKept(outcome.result)) return;
    this.#store.append(`${JSON.stringify({ key, done: outcome.result } satisfies KeptJob)}\n`);
  }
}
