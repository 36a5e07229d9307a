/** The one source of time: nanoseconds as a double, injected wherever time is read. */

export interface Clock {
  readonly kind: "wall" | "virtual";
  /** Nanoseconds since the clock's epoch; exact below 2^53 (104 days). */
  now(): number;
  /**
   * Writes the present time to `to[at]`. For hot paths: a time that a call returns is put on the
   * heap wherever the call is not inlined.
   */
  stamp(to: Float64Array, at: number): void;
  /**
   * Accounts for `ns` of work done by straight function calls. A wall clock has already seen the
   * work, so this does nothing; a virtual clock moves `now()` forward inside the running event.
   */
  spend(ns: number): void;
}
