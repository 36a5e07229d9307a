/** One process of a fuzz run: takes tasks from its parent, answers with figures or a finding. */
import { type EpisodeResult, runEpisode } from "./border-fuzz.ts";
import { describeFinding, fuzzSequences } from "./ioctl-fuzz.ts";

/** One machine under byte fuzz, or a number of lives made of system calls. */
export type ShardTask =
  | { readonly kind: "slots"; readonly seed: number; readonly episode: number }
  | {
      readonly kind: "sequences";
      readonly seed: number;
      readonly count: number;
      readonly path: string;
    };

export type ShardAnswer =
  | { readonly kind: "slots"; readonly result: EpisodeResult }
  | { readonly kind: "sequences"; readonly lives: number }
  | { readonly kind: "finding"; readonly text: string };

/** Collecting garbage takes longer than many a batch. */
const WEIGH_EVERY = 8;

function answer(task: ShardTask): ShardAnswer {
  if (task.kind === "sequences") {
    const finding = fuzzSequences(task.seed, task.count, task.path);
    if (finding === null) return { kind: "sequences", lives: task.count };
    return { kind: "finding", text: describeFinding(finding) };
  }
  try {
    const weigh = task.episode % WEIGH_EVERY === 0;
    return { kind: "slots", result: runEpisode(task.seed, task.episode, { weigh }) };
  } catch (error) {
    const { message, cause } = error as Error;
    return { kind: "finding", text: `${message}\n${(cause as Error | undefined)?.stack ?? ""}` };
  }
}

process.on("message", (task: ShardTask) => process.send!(answer(task)));
