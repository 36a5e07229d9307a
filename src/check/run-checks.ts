/** All observers, in report order. */
import type { Check, CheckInput, CheckResult } from "./check.ts";
import { checkConservation } from "./conservation.ts";
import { checkIsolation } from "./isolation.ts";
import { checkLeaks } from "./leaks.ts";

const CHECKS: readonly Check[] = [checkConservation, checkLeaks, checkIsolation];

export function runChecks(input: CheckInput): CheckResult[] {
  return CHECKS.map((check) => check(input));
}
