/** Runs a scenario on an engine and returns its result. */
import { arch, availableParallelism, cpus, platform } from "node:os";
import { VERSION } from "../base/version.ts";
import { evaluateExpectations } from "../scenario/expect.ts";
import type { Scenario } from "../scenario/types.ts";
import { assembleResult } from "./assemble.ts";
import { brokenRun } from "./broken-run.ts";
import type { CreateHost } from "./contract.ts";
import { loadGuest, loadHost } from "./entries.ts";
import type { EngineOptions, RunOutcome } from "./outcome.ts";
import { type GivenPolicies, loadOwnPolicies, requireFiles } from "./own-policies.ts";
import type { Engine, MachineInfo, RunResult } from "./result.ts";
import { runThreads } from "./threads/engine.ts";
import { runVirtual } from "./virtual/engine.ts";

export interface RunOptions extends EngineOptions {
  readonly engine: Engine;
  /** Retention policies for `retention: own:NAME`; the virtual engine only. */
  readonly policies?: GivenPolicies;
}

/**
 * Runs `scenario` to its end, its limit or an abort. Throws `InvariantError` if the model is
 * wrong, with what there is of a result (src/run/broken-run.ts); what the scenario expected and
 * did not get is in the result.
 */
export async function runScenario(scenario: Scenario, options: RunOptions): Promise<RunResult> {
  return resultOf(scenario, await runEngine(scenario, options));
}

/** What a run that has ended comes to; throws what broke it. */
export function resultOf(scenario: Scenario, outcome: RunOutcome): RunResult {
  const machine = outcome.engine === "threads" ? machineInfo() : null;
  const result = assembleResult(scenario, outcome, VERSION, machine);
  if (outcome.failure) throw brokenRun(outcome.failure, result);
  return { ...result, expectations: evaluateExpectations(scenario.expect, result) };
}

async function runEngine(scenario: Scenario, options: RunOptions): Promise<RunOutcome> {
  if (options.engine === "threads") {
    requireFiles(scenario);
    return await runThreads(scenario, options);
  }
  const own = await loadOwnPolicies(scenario, options.policies);
  const [{ createHost }, { createGuest }] = await Promise.all([loadHost(), loadGuest()]);
  const createOwnHost: CreateHost = (env, host, devices) => createHost(env, host, devices, own);
  return await runVirtual(scenario, { createHost: createOwnHost, createGuest }, options);
}

function machineInfo(): MachineInfo {
  return {
    node: process.version,
    arch: arch(),
    os: platform(),
    cpuModel: cpus()[0]?.model.trim() ?? "unknown",
    cpus: availableParallelism(),
  };
}
