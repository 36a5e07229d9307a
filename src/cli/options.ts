/** Flags that several commands share, parsed to UsageErrors that name the flag. */
import { type Command, Option } from "commander";
import { UsageError } from "../base/errors.ts";
import { FORMATS, type Format } from "../report/formats.ts";
import type { Engine } from "../run/result.ts";

export interface CommonFlags {
  readonly engine: Engine;
  readonly output: Format;
  readonly out?: string;
  readonly seed?: number;
}

export function addCommonFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--engine <engine>", "threads: real cores and time; virtual: repeatable, a model")
        .choices(["threads", "virtual"])
        .default("threads"),
    )
    .addOption(new Option("-o, --output <format>", "of stdout").choices(FORMATS).default("text"))
    .option("--out <dir>", "also write result.json, report.html, report.txt and scenario.yaml")
    .option("--seed <n>", "of all randomness; default: the scenario's", parseSeed);
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(seed)) return seed;
  throw new UsageError(`--seed ${text}: not a whole number from 0 to 2^53 - 1`, {
    hint: "--seed 42",
  });
}

/** Collects a flag that may come several times. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}
