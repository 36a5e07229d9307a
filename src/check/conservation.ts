/** Conservation: every interrupt that was raised has exactly one fate. */
import { describeViolation } from "../measure/ledger.ts";
import type { CheckInput, CheckResult } from "./check.ts";

/** Violations named in one finding; the ledger has them all. */
const NAMED_MAX = 5;

export function checkConservation({ ledger }: CheckInput): CheckResult {
  const { violations, raised, rows } = ledger;
  const ok = violations.length === 0;
  const named = violations.slice(0, NAMED_MAX).map(describeViolation);
  if (violations.length > NAMED_MAX) named.push(`${violations.length - NAMED_MAX} more`);
  return {
    check: "conservation",
    ok,
    detail: ok ? `${raised} interrupts from ${rows.length} sources` : named.join("; "),
  };
}
