/** One process of a fuzz run: takes episodes or seeds from its parent, answers with results. */
import { runEpisode } from "./border-fuzz.ts";

/** Collecting garbage takes longer than many a batch. */
const WEIGH_EVERY = 8;

/** What the parent asks for: one episode of the byte fuzz. */
export interface ShardTask {
  readonly seed: number;
  readonly episode: number;
  readonly slots: number;
}

/** How it ended: figures, or a finding in words. */
export type ShardAnswer =
  | { readonly ok: true; readonly result: ReturnType<typeof runEpisode> }
  | { readonly ok: false; readonly message: string; readonly stack: string };

function answer({ seed, episode, slots }: ShardTask): ShardAnswer {
  try {
    return {
      ok: true,
      result: runEpisode(seed, episode, { slots, weigh: episode % WEIGH_EVERY === 0 }),
    };
  } catch (error) {
    const { message, cause } = error as Error;
    return { ok: false, message, stack: (cause as Error | undefined)?.stack ?? "" };
  }
}

process.on("message", (task: ShardTask) => process.send!(answer(task)));
