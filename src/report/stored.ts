/** Results read back from files: of this version, whole, and safe to show. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { InvariantError, UsageError } from "../base/errors.ts";
import { LatencyHistogram } from "../measure/histogram.ts";
import type { RunResult } from "../run/result.ts";
import { MATRIX_SHAPE } from "./matrix-shape.ts";
import { MATRIX_SCHEMA, type PolicyMatrix } from "./policy-matrix.ts";
import { RUN_SCHEMA, RUN_SHAPE } from "./run-shape.ts";
import { misfit } from "./shape.ts";

/** What `--out` names a result. */
export const RESULT_FILE = "result.json";

/** And a latency measurement, which lies beside its runs. */
export const LATENCY_FILE = "latency.json";

export type Stored = RunResult | PolicyMatrix;

const SHAPES = { [RUN_SCHEMA]: RUN_SHAPE, [MATRIX_SCHEMA]: MATRIX_SHAPE } as const;

/**
 * The result in a file, or in a directory as `--out` writes it. Throws UsageError if there is none,
 * or if it is not what this version of the program reads.
 */
export function readStored(path: string): Stored {
  const file = isDirectory(path) ? join(path, RESULT_FILE) : path;
  return parseStored(readText(file), file);
}

/** A stored run; throws UsageError for results of other kinds, too. */
export function readRun(path: string): RunResult {
  const stored = readStored(path);
  if (stored.schema === RUN_SCHEMA) return stored;
  throw new UsageError(`${path}: ${stored.schema} is not the result of a run`, {
    hint: "name what `vfio-cosim run --out DIR` wrote",
  });
}

/**
 * All runs that `path` names: one file, a directory with a result, or one whose files or
 * directories have some. In the order of their names.
 */
export function readRuns(path: string): RunResult[] {
  if (!isDirectory(path)) return [readRun(path)];
  const names = readdirSync(path).sort();
  if (names.includes(RESULT_FILE)) return [readRun(path)];
  const inside = names.filter((name) => name !== LATENCY_FILE).map((name) => join(path, name));
  const files = inside.filter(
    (entry) => entry.endsWith(".json") || (isDirectory(entry) && hasResult(entry)),
  );
  if (files.length === 0) throw nothingIn(path);
  return files.map(readRun);
}

function hasResult(directory: string): boolean {
  return readdirSync(directory).includes(RESULT_FILE);
}

export function parseStored(text: string, file: string): Stored {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new UsageError(`${file}: is not JSON`, { hint: `a result is a ${RESULT_FILE}` });
  }
  const schema = schemaOf(value);
  const shape = Object.hasOwn(SHAPES, schema) ? SHAPES[schema as keyof typeof SHAPES] : null;
  if (shape === null) throw otherSchema(schema, file);
  const wrong = misfit(value, shape) ?? senseless(value as Stored);
  if (wrong === null) return value as Stored;
  throw new UsageError(`${file}: is damaged: ${wrong}`, { hint: "run the scenario again" });
}

/** What fits its shape and still cannot be: series of different lengths, broken histograms. */
function senseless(stored: Stored): string | null {
  if (stored.schema !== RUN_SCHEMA) return null;
  const { at, holders, others } = stored.pool.occupancy ?? { at: [], holders: [] };
  const rest = others === undefined ? [] : [{ name: "others", ...others }];
  for (const { name, irqs, irtes } of [...holders, ...rest]) {
    if (irqs.length !== at.length || irtes.length !== at.length) {
      return `the series of ${name} is not as long as that of times`;
    }
  }
  for (const [stage, histogram] of Object.entries(stored.latency.histograms ?? {})) {
    try {
      LatencyHistogram.fromJSON(histogram);
    } catch (error) {
      if (error instanceof InvariantError) return `histogram of ${stage}: ${error.message}`;
      throw error;
    }
  }
  return null;
}

function schemaOf(value: unknown): string {
  if (typeof value !== "object" || value === null || !("schema" in value)) return "";
  return typeof value.schema === "string" ? value.schema : "";
}

function otherSchema(schema: string, file: string): UsageError {
  const known = Object.keys(SHAPES);
  if (schema === "") {
    return new UsageError(`${file}: is not a result: it has no schema`, {
      hint: `a result says "schema": "${RUN_SCHEMA}"`,
    });
  }
  const [, family, version] = /^(vfio-cosim\/[\w-]+)\/(\d+)$/.exec(schema) ?? [];
  const ours = known.find((name) => family !== undefined && name.startsWith(`${family}/`));
  if (ours === undefined) {
    return new UsageError(`${file}: ${schema} is not a result that can be shown`, {
      hint: `this version reads ${known.join(" and ")}`,
    });
  }
  const newer = Number(version) > Number(ours.split("/").at(-1));
  return new UsageError(`${file}: ${schema} is of ${newer ? "a newer" : "an older"} version`, {
    hint: `this version reads ${ours}: ${newer ? "update vfio-cosim" : "run the scenario again"}`,
  });
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (code === "ENOENT") throw nothingIn(file);
    throw new UsageError(`${file}: cannot be read (${code})`);
  }
}

function nothingIn(path: string): UsageError {
  return new UsageError(`${path}: there is no result`, {
    hint: "name a directory that `vfio-cosim run --out DIR` wrote, or a result.json",
  });
}
