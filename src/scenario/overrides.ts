/** `--set guests.0.vcpus=8`: changes scenario data before it is validated. */
import { parseDocument } from "yaml";
import { UsageError } from "../base/errors.ts";
import type { Path } from "./issues.ts";

export interface Override {
  /** As given, for messages. */
  readonly flag: string;
  readonly path: Path;
}

/**
 * Applies `a.b=value` to `data` in place; list entries go by number or by their `name`, the value
 * is read as YAML. Throws UsageError that names the flag.
 */
export function applyOverride(data: unknown, assignment: string): Override {
  const flag = `--set ${assignment}`;
  const equals = assignment.indexOf("=");
  if (equals <= 0) {
    const hint = "write --set host.irtes=256 or --set guests.0.vcpus=4";
    throw new UsageError(`${flag}: there is no path=value`, { hint });
  }
  const parts = assignment.slice(0, equals).split(".");
  const value = readValue(assignment.slice(equals + 1), flag);
  const path: (string | number)[] = [];
  let container = data;
  parts.forEach((part, i) => {
    const key = keyIn(container, part, flag, parts.slice(0, i).join("."));
    path.push(key);
    const map = container as Record<string | number, unknown>;
    if (i === parts.length - 1) {
      Object.defineProperty(map, key, {
        value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
      return;
    }
    // Sections that the file leaves out, such as host or run, come into being.
    if (!Object.hasOwn(map, key) || map[key] === null) map[key] = {};
    container = map[key];
  });
  return { flag, path };
}

function readValue(text: string, flag: string): unknown {
  const document = parseDocument(text, { prettyErrors: false });
  const problem = document.errors[0];
  if (problem !== undefined) throw new UsageError(`${flag}: ${problem.message.split("\n", 1)[0]}`);
  return document.toJS({ maxAliasCount: 0 });
}

function keyIn(container: unknown, part: string, flag: string, above: string): string | number {
  const where = above === "" ? "the scenario" : above;
  if (Array.isArray(container)) {
    if (/^\d+$/.test(part) && Number(part) < container.length) return Number(part);
    const names = container.map((entry: unknown) =>
      String((entry as { name?: unknown })?.name ?? ""),
    );
    const at = names.indexOf(part);
    if (at >= 0) return at;
    const shown = names.slice(0, 20).join(", ");
    const hint = `${where} has 0 to ${container.length - 1}${shown === "" ? "" : `: ${shown}`}`;
    throw new UsageError(`${flag}: ${where} has no entry ${part}`, { hint });
  }
  if (typeof container !== "object" || container === null) {
    throw new UsageError(`${flag}: ${where} is a single value, it has no ${part}`);
  }
  if (part === "" || part === "__proto__") throw new UsageError(`${flag}: "${part}" is not a key`);
  return part;
}

/** The override that put the value at `path` there, or null: the last one wins. */
export function overrideOf(overrides: readonly Override[], path: Path): Override | null {
  return (
    overrides.findLast(({ path: set }) => {
      const shared = Math.min(set.length, path.length);
      return set.length <= path.length && set.slice(0, shared).every((part, i) => part === path[i]);
    }) ?? null
  );
}
