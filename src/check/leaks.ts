/** Leaks: when every VM process is gone, the IRQ pool holds what it held at boot. */
import type { PoolReport } from "../run/contract.ts";
import type { CheckInput, CheckResult } from "./check.ts";

/** What is still allocated beyond boot. */
export interface Leak {
  readonly irqs: number;
  readonly irtes: number;
  readonly vectors: number;
}

/** Negative numbers mean that something was given back twice. */
export function leakOf(pool: PoolReport): Leak {
  return {
    irqs: pool.irqsHeld,
    irtes: pool.irtesUsed - pool.irtesBoot - (pool.irtesKept ?? 0),
    vectors: pool.vectorsUsed - pool.vectorsBoot,
  };
}

export function checkLeaks({ poolAfterExit }: CheckInput): CheckResult {
  const check = "leaks";
  if (poolAfterExit === null) {
    return { check, ok: false, detail: "VM processes could not be closed, so nobody can tell" };
  }
  const leaks = Object.entries(leakOf(poolAfterExit)).filter(([, n]) => n !== 0);
  if (leaks.length === 0) {
    const { irqsPeak, irtesPeak, vectorsPeak, entries = "IRTEs" } = poolAfterExit;
    const peak = `${irqsPeak} irqs, ${irtesPeak} ${entries} and ${vectorsPeak} vectors at most`;
    return { check, ok: true, detail: `all given back: ${peak}` };
  }
  const words = leaks.map(([what, n]) => (n > 0 ? `${n} ${what} kept` : `${-n} ${what} too few`));
  return { check, ok: false, detail: words.join(", ") };
}
