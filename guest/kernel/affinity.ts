/** Which vCPUs each managed interrupt belongs to (lib/group_cpus.c, kernel/irq/affinity.c). */

/** Spreads vCPUs 0..vcpus-1 over `groups` in order, the first ones a vCPU larger. */
export function groupCpusEvenly(vcpus: number, groups: number): number[][] {
  const size = Math.floor(vcpus / groups);
  const larger = vcpus - size * groups;
  const masks: number[][] = [];
  let next = 0;
  for (let group = 0; group < groups; group++) {
    const count = size + (group < larger ? 1 : 0);
    masks.push(Array.from({ length: count }, () => next++));
  }
  return masks;
}

/**
 * irq_create_affinity_masks: a mask for each of `vectors` vectors; null for the first `preVectors`,
 * which nobody manages.
 */
export function irqCreateAffinityMasks(
  vcpus: number,
  vectors: number,
  preVectors: number,
): (readonly number[] | null)[] {
  const managed = vectors - preVectors;
  const plain = Array.from({ length: Math.min(preVectors, vectors) }, () => null);
  return managed > 0 ? [...plain, ...groupCpusEvenly(vcpus, managed)] : plain;
}
