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
/** Time between two looks at the clock in which the thread was not on its core. */
export const PREEMPTED_NS = 50_000;
/**
 * A sleep that ends with its time ends late: by the timer's slack (prctl(2), PR_SET_TIMERSLACK: 50
 * us) and a wake-up. A device that is due would be late by it, so the sleep ends so much earlier.
 */
export const ALARM_LEAD_NS = 100_000;
/** Waits that only park after spinning was of no use; then it is tried again, once. */
export const PARKS_PER_TRY = 64;
/** The same after the core was lost, which may have been a passing stranger. */
export const PARKS_AFTER_PREEMPTION = 16;

/** How spinning ended. */
type Spin = "found" | "in-vain" | "preempted";

/*
 * Where threads outnumber cores a spinning thread may keep the one it waits for from its core. Yet
 * while only some of the threads have something to do, a short spin catches most answers, and costs
 * a tenth of a sleep. So there it is tried, not for longer than a sleep would cost; a try in vain,
 * or one in which the thread lost its core to somebody else, is followed by waits without one.
 * The most that this can lose to parking at once is a spin in as many waits.
 */

/** One worker's way to wait. */
export class WaitStrategy {
  readonly kind: WaitKind;
  readonly #clock: { now(): number };
  readonly #crowded: boolean;
  #spinNs = 0;
  /** Waits that only park, before the next try. */
  #parksLeft = 0;

  constructor(kind: WaitKind, { cores, threads, clock }: WaitSetting) {
    this.kind = kind;
    this.#clock = clock;
    this.#crowded = threads > cores;
    if (kind === "adaptive") this.#spinNs = SPIN_NS_START;
  }

  /** How long the next wait spins before it parks, ns. */
  get spinNs(): number {
    if (this.kind === "spin") return Number.POSITIVE_INFINITY;
    return this.#parksLeft > 0 ? 0 : this.#spinNs;
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
    if (this.kind === "park") return sleep(parker, hasWork, timeoutMs);
    if (this.#parksLeft > 0) {
      this.#parksLeft--;
      return sleep(parker, hasWork, timeoutMs);
    }
    const start = this.#clock.now();
    const end = start + timeoutMs * 1e6;
    if (this.kind === "spin") {
      return this.#spin(glance, start, end, false) === "found" ? "spinning" : "timeout";
    }
    const spin = this.#spin(glance, start, Math.min(end, start + this.#spinNs), true);
    if (spin === "found") return "spinning";
    const now = this.#clock.now();
    if (now >= end) return "timeout";
    const lead = this.#crowded || spin === "preempted" ? 0 : ALARM_LEAD_NS;
    if (end - now <= lead) {
      return this.#spin(glance, now, end, true) === "found" ? "spinning" : "timeout";
    }
    const mode = sleep(parker, hasWork, (end - now - lead) / 1e6);
    if (this.#crowded) this.#parksLeft = PARKS_PER_TRY;
    else if (spin === "preempted") this.#parksLeft = PARKS_AFTER_PREEMPTION;
    else this.#learn(mode, this.#clock.now() - start);
    return mode;
  }

  /** Looks for work until `end` (ns), at least once; `yields` to whoever took the core. */
  #spin(glance: () => boolean, start: number, end: number, yields: boolean): Spin {
    let last = start;
    for (;;) {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (glance()) return "found";
      }
      const now = this.#clock.now();
      if (yields && now - last > PREEMPTED_NS) return "preempted";
      if (now >= end) return "in-vain";
      last = now;
    }
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
