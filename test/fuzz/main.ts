/**
 * Long fuzz runs from the command line:
 *   npm run fuzz -- [--slots 5000000] [--sequences 2000] [--seed 1] [--jobs 2]
 *   npm run fuzz -- --seed 1 --episode 17        one machine's life again
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { EPISODE_SLOTS, type EpisodeResult, replayLine } from "./border-fuzz.ts";
import type { ShardAnswer, ShardTask } from "./shard.ts";

/** Real time an episode may take on a busy machine. */
const EPISODE_LIMIT_MS = 180_000;

interface Totals {
  slots: number;
  answers: number;
  counted: number;
  honestCalls: number;
  honestInterrupts: number;
  grownBytes: number;
  readonly reasons: Record<string, number>;
}

function add(totals: Totals, result: EpisodeResult): void {
  totals.slots += result.slots;
  totals.answers += result.answers;
  totals.honestCalls += result.honestCalls;
  totals.honestInterrupts += result.honestInterrupts;
  totals.grownBytes = Math.max(totals.grownBytes, result.grownBytes ?? 0);
  for (const [reason, n] of Object.entries(result.hostile)) {
    totals.counted += n;
    totals.reasons[reason] = (totals.reasons[reason] ?? 0) + n;
  }
}

/** Asks a shard for one episode; a shard that is silent for too long hangs, which is a finding. */
function ask(shard: ChildProcess, task: ShardTask): Promise<ShardAnswer> {
  return new Promise((resolve) => {
    const end = (answer: ShardAnswer): void => {
      clearTimeout(timer);
      shard.removeAllListeners();
      resolve(answer);
    };
    const failed = (message: string): void => {
      const replay = replayLine(task.seed, task.episode);
      end({ ok: false, message: `${message}\nreplay: ${replay}`, stack: "" });
    };
    const timer = setTimeout(() => {
      shard.kill("SIGKILL");
      failed(`the host hangs: no end after ${EPISODE_LIMIT_MS} ms`);
    }, EPISODE_LIMIT_MS);
    shard.once("message", (answer) => end(answer as ShardAnswer));
    shard.once("exit", (code, signal) => failed(`the host's process ended: ${signal ?? code}`));
    shard.send(task);
  });
}

/** Runs all tasks on `jobs` processes; stops at the first finding. */
async function runAll(tasks: ShardTask[], jobs: number, totals: Totals): Promise<string | null> {
  let finding: string | null = null;
  const work = async (): Promise<void> => {
    const path = fileURLToPath(new URL("./shard.ts", import.meta.url));
    const shard = fork(path, { execArgv: ["--import", "tsx"] });
    for (let task = tasks.shift(); task && finding === null; task = tasks.shift()) {
      const answer = await ask(shard, task);
      if (answer.ok) add(totals, answer.result);
      else finding = `${answer.message}\n${answer.stack}`;
    }
    shard.kill();
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return finding;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      slots: { type: "string", default: "1000000" },
      seed: { type: "string", default: "1" },
      episode: { type: "string" },
      jobs: { type: "string", default: "2" },
    },
  });
  const seed = Number(values.seed);
  const slots = Number(values.slots);
  const episodes =
    values.episode === undefined
      ? Array.from({ length: Math.ceil(slots / EPISODE_SLOTS) }, (_, episode) => episode)
      : [Number(values.episode)];
  const totals: Totals = {
    slots: 0,
    answers: 0,
    counted: 0,
    honestCalls: 0,
    honestInterrupts: 0,
    grownBytes: 0,
    reasons: {},
  };
  const tasks = episodes.map((episode) => ({ seed, episode, slots: EPISODE_SLOTS }));
  const start = performance.now();
  const finding = await runAll(tasks, Number(values.jobs), totals);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`seed ${seed}, ${episodes.length} episodes of ${EPISODE_SLOTS} slots`);
  console.log(JSON.stringify({ seconds: Number(seconds), ...totals }, null, 2));
  if (finding === null) return;
  console.error(finding);
  process.exitCode = 3;
}

await main();
