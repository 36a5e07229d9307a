/** What an observer beside the model finds in the plain reports of a run. */
import type { Ledger } from "../measure/ledger.ts";
import type { HostGuestReport, PoolReport } from "../run/contract.ts";

/** One finding; `detail` says what was looked at if it is ok, and what is wrong if not. */
export interface CheckResult {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface CheckedGuest extends Pick<HostGuestReport, "name" | "alive" | "hostile"> {
  /** Its kernel is up at the end. */
  readonly running: boolean;
  /** The longest time in which nothing happened but its driver's I/O, ns; left out: unknown. */
  readonly ioNs?: number;
  /** How often the host refused vectors to its VMM: then it may get no interrupts for that. */
  readonly refused?: number;
}

export interface CheckInput {
  readonly ledger: Ledger;
  readonly guests: readonly CheckedGuest[];
  /** The pool after the last VM process was closed; null if some could not be closed. */
  readonly poolAfterExit: PoolReport | null;
}

export type Check = (input: CheckInput) => CheckResult;
