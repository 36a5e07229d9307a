/** Retention policies as a list on the command line names them. */
import { UsageError } from "../base/errors.ts";
import { expandRetention, RETENTION_NAMES } from "../scenario/retention.ts";
import { didYouMean } from "../scenario/suggest.ts";

export interface PolicyChoice {
  /** As given: `bounded:cap=8`. */
  readonly name: string;
  /** What a scenario file would have under `host.retention`. */
  readonly retention: unknown;
}

/** The first is what the others are compared with. */
export const DEFAULT_POLICIES = RETENTION_NAMES.join(",");

const PARAMETERS = ["cap", "idleTimeout", "watermark", "reclaim"] as const;
const BOUNDED = "bounded:";

/**
 * `cache,bounded:cap=8:idleTimeout=50ms,./my-policy.js`: names, `bounded` with its keys, files.
 * Throws UsageError.
 */
export function parsePolicies(text: string): PolicyChoice[] {
  return splitList("--policies", text).map((name) => ({ name, retention: retentionOf(name) }));
}

/** Entries between commas, each once; throws UsageError that names the flag. */
export function splitList(flag: string, text: string): string[] {
  const entries = text.split(",").map((entry) => entry.trim());
  if (entries.includes("")) throw new UsageError(`${flag} ${text}: an entry is empty`);
  return [...new Set(entries)];
}

function retentionOf(name: string): unknown {
  if (name.startsWith(BOUNDED)) return boundedOf(name);
  if ((RETENTION_NAMES as readonly string[]).includes(name)) return name;
  if (!/[\\/:]|\.[cm]?[jt]s$/.test(name)) {
    const hint = didYouMean(name, RETENTION_NAMES) ?? "a policy of your own is ./my-policy.js";
    throw new UsageError(`--policies: "${name}" is no policy`, { hint });
  }
  // A file is found from here, not from where the scenario is.
  const spec = expandRetention(name, ".");
  return typeof spec === "object" && spec.policy === "own" ? spec.url : name;
}

function boundedOf(name: string): unknown {
  const entry: Record<string, unknown> = { policy: "bounded" };
  for (const part of name.slice(BOUNDED.length).split(":")) {
    const [key = "", value] = part.split("=");
    if (value === undefined || !(PARAMETERS as readonly string[]).includes(key)) {
      const hint = didYouMean(key, PARAMETERS) ?? "bounded:cap=8:idleTimeout=50ms:watermark=5%";
      throw new UsageError(`--policies ${name}: "${part}" is no key of bounded`, { hint });
    }
    entry[key] = key === "cap" ? Number(value) : key === "reclaim" ? value === "true" : value;
  }
  return entry;
}
