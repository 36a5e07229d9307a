/** From a scenario's text to a Scenario that can be run, or an error that says where and why. */
import { basename, dirname } from "node:path";
import { type InputPlace, UsageError } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";
import type { Engine } from "../run/result.ts";
import { expandScenario } from "./expand.ts";
import { type Issue, issuesOf } from "./issues.ts";
import { knownKeys } from "./known-keys.ts";
import { resolveScenario } from "./library.ts";
import { applyOverride, type Override, overrideOf } from "./overrides.ts";
import { LIMIT_DEFAULT, scenarioSchema } from "./schema.ts";
import type { Scenario } from "./types.ts";
import { readYaml, type YamlSource } from "./yaml.ts";

/** Every guest is a worker thread there, and every worker a V8 isolate. */
export const THREAD_GUESTS_MAX = 64;

export interface LoadOptions {
  /**
   * Name in error messages; also gives the scenario its default name, and the directory from which
   * files that it names are found.
   */
  readonly file?: string;
  /** `path=value` assignments, applied in order before validation. */
  readonly set?: readonly string[];
  readonly seed?: number;
  /** Checks what only this engine cannot do. */
  readonly engine?: Engine;
}

/** All that is wrong with a scenario; the first is the error itself, `format` prints each. */
export class ScenarioError extends UsageError {
  readonly all: readonly UsageError[];

  constructor(all: readonly [UsageError, ...UsageError[]]) {
    const { hint, place } = all[0];
    super(all[0].message, hint === undefined ? { place } : { place, hint });
    this.all = all;
  }

  override format(): string {
    const shown = this.all.slice(0, 10).map((error) => UsageError.prototype.format.call(error));
    const rest = this.all.length - shown.length;
    if (rest > 0) shown.push(`and ${rest} more`);
    return shown.join("\n");
  }
}

/** Loads a library scenario by name or a file by path; throws UsageError. */
export function loadScenario(nameOrPath: string, options: LoadOptions = {}): Scenario {
  const { file, text } = resolveScenario(nameOrPath);
  return loadScenarioText(text, { file, ...options });
}

/** Parses, overrides, validates and spells out; throws UsageError. */
export function loadScenarioText(text: string, options: LoadOptions = {}): Scenario {
  const file = options.file ?? "scenario";
  const source = readYaml(text, file);
  if (source.data === null || source.data === undefined) {
    const hint = "a scenario needs devices, guests and a duration; see vfio-cosim list";
    throw new UsageError("the scenario is empty", { place: { file }, hint });
  }
  const overrides = (options.set ?? []).map((set) => applyOverride(source.data, set));
  return validate(source, overrides, options);
}

/**
 * A scenario from plain data in the shape of the file, for programs; `overrides` tells which flag
 * of a command line gave the value at a path. Throws UsageError.
 */
export function scenarioFromData(
  data: unknown,
  options: LoadOptions = {},
  overrides: readonly Override[] = [],
): Scenario {
  return validate({ data, place: () => ({}) }, overrides, options);
}

function validate(
  source: YamlSource,
  overrides: readonly Override[],
  options: LoadOptions,
): Scenario {
  const parsed = scenarioSchema.safeParse(source.data);
  if (!parsed.success) {
    throw scenarioError(issuesOf(parsed.error, source.data, knownKeys), source, overrides);
  }
  const name = basename(options.file ?? "scenario").replace(/\.ya?ml$/, "");
  const directory = options.file === undefined ? "." : dirname(options.file);
  const { scenario, issues } = expandScenario(parsed.data, name, directory);
  if (options.engine === "threads") issues.push(...threadIssues(scenario));
  if (issues.length > 0) throw scenarioError(issues, source, overrides);
  return options.seed === undefined ? scenario : { ...scenario, seed: options.seed };
}

/** What only threads cannot do, where time is the wall clock's. */
function threadIssues({ guests, duration, run }: Scenario): Issue[] {
  const issues: Issue[] = [];
  if (guests.length > THREAD_GUESTS_MAX) {
    const limit = `the threads engine, which runs ${THREAD_GUESTS_MAX}`;
    const message = `${guests.length} guests are too many for ${limit}`;
    issues.push({ path: ["guests"], message, hint: "use --engine virtual, or fewer guests" });
  }
  // A limit that somebody has chosen is meant to end the run.
  if (duration > run.limit && run.limit === parseDurationNs(LIMIT_DEFAULT)) {
    const seconds = duration / 1e9;
    const message = `on threads this takes ${seconds} seconds, and runs end at ${LIMIT_DEFAULT}`;
    const hint = "use --engine virtual, a shorter duration, or a longer run.limit";
    issues.push({ path: ["duration"], message, hint });
  }
  return issues;
}

/** Issues in the order of the file, each blamed on the flag or the line that it comes from. */
function scenarioError(
  issues: readonly Issue[],
  source: YamlSource,
  overrides: readonly Override[],
): ScenarioError {
  const errors = issues.map((issue) => {
    const override = overrideOf(overrides, issue.path);
    const message = override === null ? issue.message : `${override.flag}: ${issue.message}`;
    const place: InputPlace = override === null ? source.place(issue.path, issue.atKey) : {};
    return new UsageError(message, {
      place,
      ...(issue.hint !== undefined && { hint: issue.hint }),
    });
  });
  errors.sort((a, b) => offset(a.place) - offset(b.place));
  return new ScenarioError(errors as [UsageError, ...UsageError[]]);
}

function offset({ line = 0, column = 0 }: InputPlace): number {
  return line * 1e6 + column;
}
