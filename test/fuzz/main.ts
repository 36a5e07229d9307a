/**
 * Long fuzz runs from the command line:
 *   npm run fuzz -- [--slots 1000000] [--sequences 2000] [--seed 1] [--jobs 2]
 *   npm run fuzz -- --seed 1 --episode 17      one machine under byte fuzz again
 *   npm run fuzz -- --seed 1 --path 12:3       one life of system calls again
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { EPISODE_SLOTS, type EpisodeResult } from "./border-fuzz.ts";
import type { ShardAnswer, ShardTask } from "./shard.ts";

/** Real time a task may take on a busy machine. */
const TASK_LIMIT_MS = 180_000;
/** Lives of one task. */
const LIVES = 250;
/** Exit code of a violated invariant, as the command line has it. */
const EXIT_FOUND = 3;

interface Totals {
  lives: number;
  slots: number;
  answers: number;
  counted: number;
  honestCalls: number;
  honestInterrupts: number;
  grownBytesMax: number;
  readonly reasons: Record<string, number>;
}

function add(totals: Totals, result: EpisodeResult): void {
  totals.slots += result.slots;
  totals.answers += result.answers;
  totals.honestCalls += result.honestCalls;
  totals.honestInterrupts += result.honestInterrupts;
  totals.grownBytesMax = Math.max(totals.grownBytesMax, result.grownBytes ?? 0);
  for (const [reason, n] of Object.entries(result.hostile)) {
    totals.counted += n;
    totals.reasons[reason] = (totals.reasons[reason] ?? 0) + n;
  }
}

/** Asks a shard; one that is silent for too long, or dies, is a finding too. */
function ask(shard: ChildProcess, task: ShardTask): Promise<ShardAnswer> {
  return new Promise((resolve) => {
    const end = (answer: ShardAnswer): void => {
      clearTimeout(timer);
      shard.removeAllListeners();
      resolve(answer);
    };
    const failed = (what: string): void => {
      end({ kind: "finding", text: `${what} in ${JSON.stringify(task)}` });
    };
    const timer = setTimeout(() => {
      shard.kill("SIGKILL");
      failed(`no end after ${TASK_LIMIT_MS} ms`);
    }, TASK_LIMIT_MS);
    shard.once("message", (answer) => end(answer as ShardAnswer));
    shard.once("exit", (code, signal) => failed(`the process ended (${signal ?? code})`));
    shard.send(task);
  });
}

/** Runs all tasks on `jobs` processes; the first finding ends it. */
async function runAll(tasks: ShardTask[], jobs: number, totals: Totals): Promise<string | null> {
  let finding: string | null = null;
  const path = fileURLToPath(new URL("./shard.ts", import.meta.url));
  const work = async (): Promise<void> => {
    const shard = fork(path, { execArgv: ["--import", "tsx"] });
    for (let task = tasks.shift(); task && finding === null; task = tasks.shift()) {
      const answer = await ask(shard, task);
      if (answer.kind === "slots") add(totals, answer.result);
      else if (answer.kind === "sequences") totals.lives += answer.lives;
      else finding = answer.text;
    }
    shard.kill();
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return finding;
}

interface Options {
  readonly seed: number;
  readonly slots: number;
  readonly sequences: number;
  readonly episode: number | null;
  readonly path: string;
}

function tasksOf({ seed, slots, sequences, episode, path }: Options): ShardTask[] {
  if (path !== "") return [{ kind: "sequences", seed, count: 1, path }];
  if (episode !== null) return [{ kind: "slots", seed, episode }];
  const tasks: ShardTask[] = [];
  for (let done = 0; done < sequences; done += LIVES) {
    const count = Math.min(LIVES, sequences - done);
    tasks.push({ kind: "sequences", seed: seed + done, count, path: "" });
  }
  for (let i = 0; i * EPISODE_SLOTS < slots; i++) tasks.push({ kind: "slots", seed, episode: i });
  return tasks;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      slots: { type: "string", default: "1000000" },
      sequences: { type: "string", default: "2000" },
      seed: { type: "string", default: "1" },
      episode: { type: "string" },
      path: { type: "string", default: "" },
      jobs: { type: "string", default: "2" },
    },
  });
  const tasks = tasksOf({
    seed: Number(values.seed),
    slots: Number(values.slots),
    sequences: Number(values.sequences),
    episode: values.episode === undefined ? null : Number(values.episode),
    path: values.path,
  });
  console.log(`seed ${values.seed}, ${tasks.length} tasks, ${values.jobs} processes`);
  const totals: Totals = {
    lives: 0,
    slots: 0,
    answers: 0,
    counted: 0,
    honestCalls: 0,
    honestInterrupts: 0,
    grownBytesMax: 0,
    reasons: {},
  };
  const start = performance.now();
  const finding = await runAll(tasks, Math.min(Number(values.jobs), tasks.length), totals);
  const seconds = Math.round((performance.now() - start) / 100) / 10;
  console.log(JSON.stringify({ seconds, ...totals }, null, 2));
  if (finding === null) return;
  console.error(finding);
  process.exitCode = EXIT_FOUND;
}

await main();
