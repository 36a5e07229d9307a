/** The policy that a scenario names. */
import { UsageError } from "../../../src/base/errors.ts";
import type { OwnPolicies, RetentionPolicy } from "../../../src/run/retention-policy.ts";
import type { RetentionSpec } from "../../../src/scenario/types.ts";
import { boundedRetention } from "./bounded.ts";
import { CACHE_RETENTION } from "./cache.ts";
import { FREE_DYNAMIC } from "./free-dynamic.ts";
import { FREE_ON_TEARDOWN } from "./free-on-teardown.ts";
import { FREE_ON_UNSET } from "./free-on-unset.ts";
import { checkedPolicy } from "./own.ts";

const PLAIN = {
  cache: CACHE_RETENTION,
  "free-on-teardown": FREE_ON_TEARDOWN,
  "free-on-unset": FREE_ON_UNSET,
  "free-dynamic": FREE_DYNAMIC,
} as const;

/** `own` holds the user's policies, imported before the machine was built; throws UsageError. */
export function retentionPolicy(
  spec: RetentionSpec,
  device: string,
  own: OwnPolicies,
): RetentionPolicy {
  if (typeof spec === "string") return PLAIN[spec];
  if (spec.policy === "bounded") return boundedRetention(spec);
  const found = own.get(spec.url);
  if (found === undefined) {
    throw new UsageError(`retention: nobody brought ${spec.name}`, {
      hint: "pass it as policies of runScenario's options, or name a file",
    });
  }
  return checkedPolicy(typeof found === "function" ? found(device) : found, spec.name);
}
