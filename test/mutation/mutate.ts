/**
 * The test of the tests: changes the host's sources one small thing at a time, in a copy, and tells
 * which changes no test noticed.
 *   npm run mutate -- [--count 40] [--seed 1] [--only host/vfio/msi.ts] [--json]
 * `--only`, which may be repeated, names a file or a folder instead of host/vfio and host/irq.
 * Exit codes: 0 all were noticed, 1 some survived, 2 wrong usage.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MUTATED, type Mutant, shuffledMutants } from "./mutants.ts";
import { applyMutation } from "./operators.ts";
import { ScratchTree, type Trial, type Verdict } from "./scratch-tree.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SCHEMA = "vfio-cosim/mutation/1";
const EXIT_SURVIVED = 1;
const EXIT_USAGE = 2;

type Result = Mutant & Trial;

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly only: readonly string[];
  readonly json: boolean;
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function place({ file, line }: Mutant): string {
  return `${file}:${line}`;
}

/** Tries mutants until `count` of them were programs; results in the mutants' order. */
async function run(tree: ScratchTree, mutants: readonly Mutant[], count: number) {
  const results: Result[] = [];
  let programs = 0;
  for (const mutant of mutants) {
    if (programs === count) break;
    const source = readFileSync(join(tree.path, mutant.file), "utf8");
    const trial = await tree.try(mutant.file, applyMutation(source, mutant));
    if (trial.verdict !== "invalid") programs++;
    results.push({ ...mutant, ...trial });
    const by = trial.by === "" ? "" : `  (${trial.by})`;
    const at = `${String(programs).padStart(3)}/${count} ${trial.seconds} s`;
    progress(`${at}  ${trial.verdict} ${place(mutant)} ${mutant.operator}${by}`);
  }
  return results;
}

/** What is changed, as a diff without its numbers. */
function diff({ removed, added }: Mutant): string {
  const lines = [...removed.map((line) => `-${line}`), ...added.map((line) => `+${line}`)];
  return lines.map((line) => `  ${line}`).join("\n");
}

/** A run in the words of its JSON. */
function summary(seed: number, sites: number, results: readonly Result[]) {
  const of = (verdict: Verdict): number => results.filter((r) => r.verdict === verdict).length;
  const invalid = of("invalid");
  const totals = {
    mutants: results.length - invalid,
    killed: of("killed"),
    timedOut: of("timed out"),
    survived: of("survived"),
    invalid,
  };
  return { schema: SCHEMA, seed, sites, totals, results };
}

function print({ seed, sites, totals, results }: ReturnType<typeof summary>): void {
  for (const result of results.filter(({ verdict }) => verdict === "survived")) {
    console.log(`survived ${place(result)}  ${result.operator}\n${diff(result)}`);
  }
  const { mutants, killed, timedOut, survived, invalid } = totals;
  console.log(
    `seed ${seed}: ${mutants} mutants of ${sites} sites; ${killed} killed, ` +
      `${timedOut} timed out, ${survived} survived; ${invalid} more were no programs`,
  );
}

async function mutate({ count, seed, only, json }: Options): Promise<number> {
  const tree = new ScratchTree(ROOT);
  const mutants = shuffledMutants(tree.path, only, seed);
  progress(`seed ${seed}, ${count} mutants of ${mutants.length} sites in ${only.join(" ")}`);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      tree.remove();
      process.exit(130);
    });
  }
  try {
    progress(`without a change: ${(await tree.expectSound()).seconds} s`);
    const result = summary(seed, mutants.length, await run(tree, mutants, count));
    if (json) console.log(JSON.stringify(result, null, 2));
    else print(result);
    return result.totals.survived > 0 ? EXIT_SURVIVED : 0;
  } finally {
    tree.remove();
  }
}

const KNOWN = {
  count: { type: "string", default: "40" },
  seed: { type: "string", default: "1" },
  only: { type: "string", multiple: true, default: [] as string[] },
  json: { type: "boolean", default: false },
} as const;

/** The command line, or what is wrong with it. */
function optionsOf(): Options | string {
  const { values } = parseArgs({ options: KNOWN });
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (!Number.isSafeInteger(count) || count < 1) return `--count ${values.count}: not a number`;
  if (!Number.isSafeInteger(seed) || seed < 0) return `--seed ${values.seed}: not a number`;
  const asked = values.only.map((path) => path.replace(/\/$/, ""));
  const only = asked.length > 0 ? asked : MUTATED;
  const gone = only.find((path) => !existsSync(join(ROOT, path)));
  if (gone !== undefined) return `--only ${gone}: there is no such source`;
  return { count, seed, only, json: values.json };
}

function optionsOrError(): Options | string {
  try {
    return optionsOf();
  } catch (error) {
    return (error as Error).message;
  }
}

const options = optionsOrError();
if (typeof options === "string") {
  process.stderr.write(`${options}\n`);
  process.exitCode = EXIT_USAGE;
} else {
  process.exitCode = await mutate(options);
}
