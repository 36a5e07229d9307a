/** A fingerprint of a scenario, so that two results can be told to be of the same one. */
import { createHash } from "node:crypto";
import type { Scenario } from "./types.ts";

/**
 * First 16 hex digits of the SHA-256 of the scenario with sorted keys; the seed counts too, the
 * place of a policy's file does not: it differs between machines.
 */
export function scenarioHash(scenario: Scenario): string {
  return createHash("sha256").update(canonical(scenario)).digest("hex").slice(0, 16);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === "url") return undefined;
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
