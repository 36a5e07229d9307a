/** `--costs FILE`: costs of the virtual engine in place of those of src/time/costs.ts. */
import { UsageError } from "../base/errors.ts";
import { parseDurationNs } from "../base/units.ts";
import { didYouMean } from "../scenario/suggest.ts";
import { readYaml } from "../scenario/yaml.ts";
import { DEFAULT_COSTS } from "../time/costs.ts";

/** Beyond it a run would be over before it has done anything. */
const COST_NS_MAX = 1e9;
const NAMES = Object.keys(DEFAULT_COSTS);

/**
 * A mapping of costs to durations, as YAML or JSON: `irqAlloc: 3us`. In ns by name. Throws
 * UsageError with the place in the file.
 */
export function parseCosts(text: string, file: string): Record<string, number> {
  const { data, place } = readYaml(text, file);
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    const hint = "write one cost a line: irqAlloc: 3us";
    const isEmpty = data === null || data === undefined;
    const message = isEmpty ? "has no costs in it" : "is no mapping of costs to times";
    throw new UsageError(message, { place: { file }, hint });
  }
  const costs: Record<string, number> = {};
  for (const [name, value] of Object.entries(data)) {
    if (!NAMES.includes(name)) {
      const nearest = didYouMean(name, NAMES) ?? "";
      const known = nearest.startsWith("known") ? nearest : `${nearest} known: ${NAMES.join(", ")}`;
      const hint = name === "costs" ? "this file has the costs themselves: irqAlloc: 3us" : known;
      throw new UsageError(`there is no cost ${name}`, { place: place([name], true), hint });
    }
    costs[name] = durationOf(value, () => place([name]));
  }
  return costs;
}

function durationOf(value: unknown, place: () => { file?: string }): number {
  if (typeof value !== "string") {
    const hint = `write a duration, such as ${typeof value === "number" ? value : 3}ns or 3us`;
    throw new UsageError("a cost needs a unit", { place: place(), hint });
  }
  const ns = parsedNs(value, place);
  if (ns <= COST_NS_MAX) return ns;
  const hint = "a cost is what one step takes, at most 1s; src/time/costs.ts has the usual ones";
  throw new UsageError(`${value} is too long for a cost`, { place: place(), hint });
}

function parsedNs(value: string, place: () => { file?: string }): number {
  try {
    return parseDurationNs(value);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const hint = "write a number and one of ns, us, ms, s, such as 3us";
    throw new UsageError(error.message, { place: place(), hint });
  }
}
