/** In which settings two results, or two sets of them, differ. */

import type { Provenance, RunResult } from "../run/result.ts";
import { sortedEntries } from "./natural-order.ts";

export interface Unlike {
  /** `seed`, `option retention`. */
  readonly what: string;
  readonly a: string;
  readonly b: string;
  /** It is rarely what somebody wants to compare. */
  readonly grave: boolean;
}

type Setting = readonly [what: string, grave: boolean, value: string];

function settingsOf({ provenance }: RunResult): Setting[] {
  const { scenario, scenarioHash, engine, kernel, version, options, machine } = provenance;
  return [
    ["scenario", true, scenario],
    ["scenario hash", false, scenarioHash],
    ["engine", true, engine],
    ["kernel", false, kernel],
    ["version", false, version],
    ["machine", true, machineText(machine)],
    ...sortedEntries(options).map(([key, value]): Setting => [`option ${key}`, false, `${value}`]),
  ];
}

function machineText(machine: Provenance["machine"]): string {
  if (machine === null) return "none";
  return `${machine.cpus} x ${machine.cpuModel}, Node ${machine.node}`;
}

/** Values of each setting over the runs of a side, each once. */
function collect(runs: readonly RunResult[]): Map<string, { grave: boolean; values: Set<string> }> {
  const settings = new Map<string, { grave: boolean; values: Set<string> }>();
  for (const run of runs) {
    for (const [what, grave, value] of settingsOf(run)) {
      const known = settings.get(what);
      if (known === undefined) settings.set(what, { grave, values: new Set([value]) });
      else known.values.add(value);
    }
  }
  return settings;
}

export function unlikeOf(a: readonly RunResult[], b: readonly RunResult[]): Unlike[] {
  const [left, right] = [collect(a), collect(b)];
  const found: Unlike[] = [];
  for (const what of new Set([...left.keys(), ...right.keys()])) {
    const text = (side: typeof left): string =>
      [...(side.get(what)?.values ?? ["none"])].join(", ");
    const grave = (left.get(what) ?? right.get(what))!.grave;
    if (text(left) !== text(right)) found.push({ what, a: text(left), b: text(right), grave });
  }
  const seeds = (runs: readonly RunResult[]): string =>
    [...new Set(runs.map(({ provenance }) => provenance.seed))].sort((m, n) => m - n).join(", ");
  if (seeds(a) !== seeds(b)) {
    found.push({
      what: a.length + b.length > 2 ? "seeds" : "seed",
      a: seeds(a),
      b: seeds(b),
      grave: true,
    });
  }
  return found.sort((x, y) => Number(y.grave) - Number(x.grave));
}
