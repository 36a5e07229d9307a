/** Structured fuzz of the kernel behind the border: random lives, shrunk when one goes wrong. */
import fc from "fast-check";
import { playLife } from "./ioctl-life.ts";
import { type Life, lives } from "./ioctl-steps.ts";

/** Steps of the longest life. */
const STEPS = 60;

export interface SequenceFinding {
  /** What is wrong, in words. */
  readonly message: string;
  readonly stack: string;
  /** The shortest life that shows it. */
  readonly life: Life;
  /** Shows this very life again: `npm run fuzz -- --seed S --path P`. */
  readonly replay: string;
}

/** Plays `count` lives; null if all machines survive. With `path` the one life it leads to. */
export function fuzzSequences(seed: number, count: number, path = ""): SequenceFinding | null {
  const property = fc.property(lives(STEPS), (life) => playLife(life));
  const result = fc.check(property, { seed, numRuns: count, ...(path === "" ? {} : { path }) });
  if (!result.failed) return null;
  const error = result.errorInstance as Error;
  return {
    message: error.message,
    stack: error.stack ?? "",
    life: result.counterexample![0],
    replay: `npm run fuzz -- --seed ${seed} --path ${result.counterexamplePath}`,
  };
}

/** A finding in words, its life one step a line. */
export function describeFinding({ message, stack, life, replay }: SequenceFinding): string {
  const { host, prepared, steps } = life;
  const machine = `${JSON.stringify(host)}${prepared ? ", guests prepared" : ""}`;
  const lines = steps.map((step) => `  ${JSON.stringify(step)}`);
  return [message, machine, ...lines, `replay: ${replay}`, stack].join("\n");
}
