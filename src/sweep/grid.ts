/** The scenarios of a grid: one scenario under each policy, VMM and topology. */
import { UsageError } from "../base/errors.ts";
import { resolveScenario } from "../scenario/library.ts";
import { loadScenarioText, scenarioFromData } from "../scenario/loader.ts";
import { applyOverride } from "../scenario/overrides.ts";
import type { Scenario } from "../scenario/types.ts";
import { readYaml } from "../scenario/yaml.ts";
import type { PolicyChoice } from "./policies.ts";
import { applyTopology, type Topology, tableSize } from "./topologies.ts";
import { applyVmm, type VmmChoice } from "./vmms.ts";

type Data = Record<string, unknown>;

/** A scenario as data that axes can change, known to be valid as it is. */
export interface GridBase {
  readonly file: string;
  readonly data: Data;
  readonly scenario: Scenario;
}

/** Throws UsageError, with the place in the file or the flag. */
export function loadGridBase(nameOrPath: string, set: readonly string[], seed?: number): GridBase {
  const { file, text } = resolveScenario(nameOrPath);
  const options = {
    file,
    set,
    engine: "virtual",
    ...(seed === undefined ? {} : { seed }),
  } as const;
  const scenario = loadScenarioText(text, options);
  const data = structuredClone(readYaml(text, file).data) as Data;
  for (const assignment of set) applyOverride(data, assignment);
  return { file, data, scenario };
}

export interface Axes {
  readonly policies: readonly PolicyChoice[];
  readonly vmms: readonly VmmChoice[];
  readonly topologies: readonly Topology[];
}

export interface GridCell {
  readonly policy: string;
  readonly vmm: string;
  readonly topology: string;
  /** Null: the scenario cannot be run so; `wrong` says why. */
  readonly scenario: Scenario | null;
  readonly wrong: string | null;
}

/** All cells, topology by topology, VMM by VMM. Throws UsageError if none of them can be run. */
export function gridCells(base: GridBase, axes: Axes): GridCell[] {
  let first: UsageError | null = null;
  const cells = axes.topologies.flatMap((topology) =>
    axes.vmms.flatMap((vmm) =>
      axes.policies.map((policy): GridCell => {
        const names = { policy: policy.name, vmm: vmm.name, topology: topology.name };
        try {
          return { ...names, scenario: cellScenario(base, policy, vmm, topology), wrong: null };
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
          const where = `${vmm.name} on ${topology.name} with ${policy.name}`;
          const hint = error.hint === undefined ? {} : { hint: error.hint };
          first ??= new UsageError(`${where}: ${error.message}`, hint);
          return { ...names, scenario: null, wrong: error.message };
        }
      }),
    ),
  );
  if (first !== null && cells.every(({ scenario }) => scenario === null)) throw first;
  return cells;
}

/** Entries of the small tables of the base. */
export function gridTableSize({ data }: GridBase): number {
  return tableSize(section(data, "host"));
}

function section(data: Data, key: string): Data {
  const value = data[key];
  return typeof value === "object" && value !== null ? (value as Data) : {};
}

function cellScenario(
  { file, data, scenario }: GridBase,
  policy: PolicyChoice,
  vmm: VmmChoice,
  topology: Topology,
): Scenario {
  const copy = structuredClone(data);
  const host = section(copy, "host");
  copy.host = host;
  const devices = copy.devices as Data[];
  applyTopology(host, devices, topology);
  applyVmm(copy.guests as Data[], vmm);
  host.retention = policy.retention;
  for (const device of devices) delete device.retention;
  // What the scenario expects is of its own host; stages within a way are not compared.
  copy.expect = [];
  copy.run = { ...section(copy, "run"), stages: "ends" };
  return scenarioFromData(copy, { file, engine: "virtual", seed: scenario.seed });
}
