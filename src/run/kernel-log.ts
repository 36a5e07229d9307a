/** What the host's kernel would have had in its log, as warnings. */
import type { HostReport } from "./contract.ts";
import type { Warning } from "./result.ts";

const NOBODY_CARED =
  "a device interrupts by a wire that no handler answers for: look for one that has reset " +
  "itself, or give those that share the line (slots four apart) others";
const OOPS = "the kernel has a bug that the scenario asks for (host.bugs); leave it out to compare";

export function kernelLogWarnings({ pool, oopses = 0 }: HostReport): Warning[] {
  const warnings: Warning[] = [];
  const off = pool.linesSwitchedOff ?? 0;
  if (off > 0) {
    const text = `nobody cared: the host's kernel switched an INTx line off ${times(off)}`;
    warnings.push({
      text: `${text}; whoever shares it gets no more interrupts`,
      advice: NOBODY_CARED,
    });
  }
  if (oopses > 0) {
    const text = `the host's kernel followed a null pointer ${times(oopses)}`;
    warnings.push({ text, advice: OOPS });
  }
  return warnings;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
