/** Imports the retention policies of their own that a scenario's users bring. */
import { UsageError } from "../base/errors.ts";
import type { OwnRetention, RetentionSpec, Scenario } from "../scenario/types.ts";
import type { OwnPolicies, OwnPolicy } from "./retention-policy.ts";

/** Policies that the program passes, by the NAME of `retention: own:NAME`. */
export type GivenPolicies = Readonly<Record<string, OwnPolicy>>;

const GIVEN = "own:";

/** Policies that `scenario` names, by url; throws UsageError that says what to do. */
export async function loadOwnPolicies(
  scenario: Pick<Scenario, "host" | "devices">,
  given: GivenPolicies = {},
): Promise<OwnPolicies> {
  const found = new Map<string, OwnPolicy>();
  for (const spec of ownSpecs(scenario)) {
    if (found.has(spec.url)) continue;
    const { url } = spec;
    found.set(url, url.startsWith(GIVEN) ? givenPolicy(spec, given) : await imported(spec));
  }
  return found;
}

/** Throws UsageError for what cannot cross to a worker thread: functions of the program. */
export function requireFiles(scenario: Pick<Scenario, "host" | "devices">): void {
  for (const { name, url } of ownSpecs(scenario)) {
    if (!url.startsWith(GIVEN)) continue;
    throw new UsageError(`retention: ${name}: a function cannot be sent to the host's thread`, {
      hint: "put the policy into a file and name that, or use the virtual engine",
    });
  }
}

function ownSpecs({ host, devices }: Pick<Scenario, "host" | "devices">): OwnRetention[] {
  const all: (RetentionSpec | undefined)[] = [
    host.retention,
    ...devices.map(({ retention }) => retention),
  ];
  return all.flatMap((spec) => (typeof spec === "object" && spec.policy === "own" ? [spec] : []));
}

function givenPolicy({ name, url }: OwnRetention, given: GivenPolicies): OwnPolicy {
  const key = url.slice(GIVEN.length);
  const policy = Object.hasOwn(given, key) ? given[key] : undefined;
  if (policy !== undefined) return policy;
  const known = Object.keys(given);
  throw new UsageError(`retention: ${name}: the program passes no such policy`, {
    hint:
      known.length === 0
        ? "pass { policies: { NAME: policy } } to runScenario, or name a file"
        : `it passes ${known.join(", ")}`,
  });
}

async function imported({ name, url }: OwnRetention): Promise<OwnPolicy> {
  let module: { policy?: unknown; default?: unknown };
  try {
    module = (await import(url)) as typeof module;
  } catch (error) {
    throw cannotImport(name, url, error as NodeJS.ErrnoException);
  }
  const policy = module.policy ?? module.default;
  if (typeof policy === "function" || (typeof policy === "object" && policy !== null)) {
    return policy as OwnPolicy;
  }
  throw new UsageError(`retention: ${name} exports no policy`, {
    hint: "export const policy = { name, freesAfterTeardown(irq, reason) { ... } }",
  });
}

function cannotImport(name: string, url: string, error: NodeJS.ErrnoException): UsageError {
  const { code } = error;
  if (code === "ERR_UNKNOWN_FILE_EXTENSION" && /\.[cm]?ts$/.test(url)) {
    return new UsageError(`retention: ${name}: Node ${process.version} runs no TypeScript`, {
      hint: "compile it and name the .js file, or use Node 22.18 or later",
    });
  }
  if (code === "ERR_MODULE_NOT_FOUND" && error.message.includes(new URL(url).pathname)) {
    return new UsageError(`retention: ${name}: there is no such file`, {
      hint: "the path is relative to the scenario's file",
    });
  }
  return new UsageError(`retention: ${name} cannot be loaded: ${error.message}`, {
    hint: "try it with node alone",
  });
}
