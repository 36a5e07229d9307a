/** A user's own policy: looked at before the run, and blamed by name when it misbehaves. */
import { UsageError } from "../../../src/base/errors.ts";
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";

const HINT = "see RetentionPolicy in src/run/retention-policy.ts";

/** `policy` as the host may use it; throws UsageError if it is none, or when it throws later. */
export function checkedPolicy(policy: unknown, from: string): RetentionPolicy {
  const wrong = whatIsWrong(policy);
  if (wrong !== null) throw new UsageError(`retention: ${from}: ${wrong}`, { hint: HINT });
  const own = policy as RetentionPolicy;
  return {
    name: own.name,
    ...(own.idleMax === undefined ? {} : { idleMax: own.idleMax }),
    ...(own.idleTimeoutNs === undefined ? {} : { idleTimeoutNs: own.idleTimeoutNs }),
    ...(own.reclaim === undefined ? {} : { reclaim: { watermark: own.reclaim.watermark } }),
    freesAfterTeardown: (irq, reason) => {
      const answer = answerOf(() => own.freesAfterTeardown(irq, reason), from);
      if (typeof answer === "boolean") return answer;
      const message = `retention: ${from}: freesAfterTeardown returned ${String(answer)}`;
      throw new UsageError(message, { hint: "it returns true or false" });
    },
  };
}

function answerOf(ask: () => unknown, from: string): unknown {
  try {
    return ask();
  } catch (error) {
    const message = `retention: ${from}: freesAfterTeardown threw: ${(error as Error)?.message}`;
    throw new UsageError(message, { hint: HINT });
  }
}

/** Null if it is a policy. */
function whatIsWrong(policy: unknown): string | null {
  if (typeof policy !== "object" || policy === null) return "there is no policy";
  const { name, freesAfterTeardown, idleMax, idleTimeoutNs, reclaim } =
    policy as Partial<RetentionPolicy>;
  if (typeof name !== "string" || name === "") return "the policy has no name";
  if (typeof freesAfterTeardown !== "function") return "it has no freesAfterTeardown(irq, reason)";
  if (idleMax !== undefined && !(Number.isInteger(idleMax) && idleMax >= 0)) {
    return "idleMax is not a whole number";
  }
  if (idleTimeoutNs !== undefined && !(idleTimeoutNs > 0)) return "idleTimeoutNs is not above 0";
  if (reclaim === undefined) return null;
  const share = reclaim?.watermark;
  return share >= 0 && share < 1 ? null : "reclaim.watermark is not a share from 0 to 1";
}
