/** The one source of time: nanoseconds as a double, injected wherever time is read. */

export interface Clock {
  readonly kind: "wall" | "virtual";
  /** Nanoseconds since the clock's epoch; exact below 2^53 (104 days). */
  now(): number;
  /**
   * Accounts for `ns` of work done by straight function calls. A wall clock has already seen the
   * work, so this does nothing; a virtual clock moves `now()` forward inside the running event.
   */
  spend(ns: number): void;
}
