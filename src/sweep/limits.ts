/** What a verdict on policies does not say. */
import { formatNs } from "../base/units.ts";
import type { GridRunOptions } from "./compare.ts";
import type { Place } from "./comparison.ts";
import { distinct, listText } from "./words.ts";

/** VMMs that give a masked vector another eventfd, instead of none. */
const SWAPPING = /^(?:qemu|crosvm)\b/;
/** No VMM in use takes the eventfd away when a vector is masked. */
export const HYPOTHETICAL_VMM = "minimal";
const NOT_RECORDED = /^(?:cloud-hypervisor|crosvm|dpdk)\b/;

/** Sentences. */
export function limitsOf(
  scenario: string,
  places: readonly Place[],
  { seeds, jitterNs, lateNs }: Pick<GridRunOptions, "seeds" | "jitterNs" | "lateNs">,
): string[] {
  const vmms = distinct(places.map(({ vmm }) => vmm));
  const jitter =
    jitterNs > 0
      ? `seeds delay each step of a guest's life by up to ${formatNs(jitterNs)}, and move arrivals`
      : "seeds move arrivals only";
  return [
    `It holds for the scenario ${scenario}, with its table sizes; ${jitter}.`,
    "Times, and with them which interrupts are late or lost, are those of a cost model " +
      "(src/time/costs.ts names the source of each cost), not of a machine; counts of " +
      "allocations and failures depend on it only through the order of events.",
    `Late is what takes longer than ${formatNs(lateNs)} from the device to its handler.`,
    chanceLimit(seeds.length),
    ...vmmLimits(vmms),
  ];
}

function chanceLimit(seeds: number): string {
  if (seeds === 1) {
    return "With one seed differences cannot be told from chance: use --seeds 5.";
  }
  return (
    "A difference counts if the 95 % interval of its mean over paired seeds excludes zero " +
    `(Student's t, ${seeds} seeds): of those that are none, one in twenty will seem real.`
  );
}

function vmmLimits(vmms: readonly string[]): string[] {
  const swapping = vmms.filter((vmm) => SWAPPING.test(vmm));
  const sources = vmms.filter((vmm) => NOT_RECORDED.test(vmm));
  const limits: string[] = [];
  if (swapping.length > 0) {
    const give = swapping.length === 1 ? "gives" : "give";
    limits.push(
      `Idle is what has no eventfd. ${listText(swapping)} ${give} masked vectors another one, so ` +
        "that what their guests do not use counts as in use, and others fail for want of it " +
        "without anybody's being idle.",
    );
  }
  if (sources.length > 0) {
    const are = sources.length === 1 ? "is" : "are";
    limits.push(`${listText(sources)} ${are} modelled from sources, not from recordings.`);
  }
  if (vmms.includes(HYPOTHETICAL_VMM)) {
    limits.push(
      "minimal is hypothetical: no VMM in use takes the eventfd away when a vector is masked.",
    );
  }
  return limits;
}
