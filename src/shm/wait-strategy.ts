/** How a worker waits when it has nothing to do: spin, park, or spin a while first. */
import type { Parker } from "./waker.ts";

/*
 * What a wait learns is KVM's halt polling (virt/kvm/kvm_main.c, kvm_vcpu_halt): a wait that ended
 * soon after the spinning did would have been caught by spinning longer, so the next one spins
 * twice as long, up to a limit; a wait that was far longer makes spinning pointless, so it halves.
 */

/*
 * Whoever spins looks by plain reads (`glance`), which cost a tenth of atomic ones in V8 and may be
 * stale: what they miss they see in a later look, since each batch of looks ends with a call out
 * of the engine, across which nothing is kept. Only the look that decides on a sleep is atomic.
 */

export type WaitKind = "spin" | "park" | "adaptive";

/** How a wait ended: work was seen without a sleep, the sleep was ended by a waker, or by time. */
export type WakeMode = "spinning" | "parked" | "timeout";

export interface WaitSetting {
  readonly cores: number;
  /** Threads that want a core at the same time, this one included. */
  readonly threads: number;
  readonly clock: { now(): number };
}

/** KVM's defaults: halt_poll_ns, and halt_poll_ns_grow_start. */
export const SPIN_NS_MAX = 200_000;
export const SPIN_NS_START = 10_000;

/** Looks at the sources between two looks at the clock, which cost more. */
const LOOKS_PER_CLOCK = 16;

/** One worker's way to wait. */
export class WaitStrategy {
  readonly kind: WaitKind;
  readonly #clock: { now(): number };
  readonly #mayLearn: boolean;
  #spinNs = 0;

  constructor(kind: WaitKind, { cores, threads, clock }: WaitSetting) {
    this.kind = kind;
    this.#clock = clock;
    // Spinning on a core that the expected waker needs only delays it.
    this.#mayLearn = kind === "adaptive" && threads <= cores;
    if (this.#mayLearn) this.#spinNs = SPIN_NS_START;
  }

  /** How long the next wait spins before it parks, ns. */
  get spinNs(): number {
    return this.kind === "spin" ? Number.POSITIVE_INFINITY : this.#spinNs;
  }

  /**
   * Waits until `hasWork()` or for `timeoutMs` (finite), and tells how the wait ended. A wake-up
   * without work is a wake-up all the same: the caller looks and waits again. `glance` is a cheaper
   * look, which may miss work for a while.
   */
  idle(
    parker: Parker,
    hasWork: () => boolean,
    timeoutMs: number,
    glance: () => boolean = hasWork,
  ): WakeMode {
    if (glance()) return "spinning";
    if (this.kind === "park" || (this.kind === "adaptive" && !this.#mayLearn)) {
      return sleep(parker, hasWork, timeoutMs);
    }
    const start = this.#clock.now();
    const end = start + timeoutMs * 1e6;
    if (this.kind === "spin") return this.#spin(glance, end) ? "spinning" : "timeout";
    if (this.#spin(glance, Math.min(end, start + this.#spinNs))) return "spinning";
    const left = end - this.#clock.now();
    if (left <= 0) return "timeout";
    const mode = sleep(parker, hasWork, left / 1e6);
    this.#learn(mode, this.#clock.now() - start);
    return mode;
  }

  /** Looks for work until `end` (ns), at least once; true if there is some. */
  #spin(glance: () => boolean, end: number): boolean {
    do {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (glance()) return true;
      }
    } while (this.#clock.now() < end);
    return false;
  }

  #learn(mode: WakeMode, waitedNs: number): void {
    if (mode !== "timeout" && waitedNs <= SPIN_NS_MAX) {
      this.#spinNs = Math.min(SPIN_NS_MAX, Math.max(SPIN_NS_START, this.#spinNs * 2));
    } else if (waitedNs > SPIN_NS_MAX) {
      this.#spinNs = this.#spinNs > SPIN_NS_START ? this.#spinNs / 2 : 0;
    }
  }
}

/** Announces the sleep, looks once more, and sleeps. */
function sleep(parker: Parker, hasWork: () => boolean, timeoutMs: number): WakeMode {
  const epoch = parker.prepare();
  if (hasWork()) {
    parker.retract();
    return "spinning";
  }
  const outcome = parker.sleep(epoch, timeoutMs);
  if (outcome === "timed-out") return "timeout";
  // A waker that came between the look and the sleep: the thread never left its core.
  return outcome === "not-equal" ? "spinning" : "parked";
}
