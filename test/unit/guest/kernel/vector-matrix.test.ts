import { describe, expect, test } from "vitest";
import { groupCpusEvenly, irqCreateAffinityMasks } from "../../../../guest/kernel/affinity.ts";
import { VectorMatrix } from "../../../../guest/kernel/vector-matrix.ts";

describe("the guest's vector matrix", () => {
  test("vectors 0x20 to 0xeb less int 0x80 are available, and the boot CPU has 16 fewer", () => {
    const matrix = new VectorMatrix(2, () => 0);
    expect(matrix.available(1)).toBe(0xec - 0x20 - 1);
    expect(matrix.available(0)).toBe(matrix.available(1) - 16);
  });

  test("an irq goes to the vCPU with most available vectors, the first of equals", () => {
    const matrix = new VectorMatrix(3, () => 3);
    expect(matrix.alloc([0, 1, 2])).toBe((1 << 8) | 0x23);
    expect(matrix.alloc([0, 1, 2])).toBe((2 << 8) | 0x23);
    expect(matrix.alloc([0])).toBe(0x23);
  });

  test("a managed bit is kept through alloc and free, and nobody else gets it", () => {
    const matrix = new VectorMatrix(1, () => 3);
    expect(matrix.reserveManaged([0])).toBe(0);
    expect(matrix.alloc([0])).toBe(0x24);
    const slot = matrix.allocManaged([0]);
    expect(slot).toBe(0x23);
    matrix.free(slot);
    expect(matrix.alloc([0])).toBe(0x25);
    matrix.removeManaged([0]);
    expect(matrix.alloc([0])).toBe(0x23);
  });

  test("a full vCPU gives -ENOSPC, and a reservation that fails leaves nothing behind", () => {
    const matrix = new VectorMatrix(2, () => 3);
    while (matrix.available(1) > 0) matrix.alloc([1]);
    expect(matrix.alloc([1])).toBe(-28);
    const before = matrix.available(0);
    expect(matrix.reserveManaged([0, 1])).toBe(-28);
    expect(matrix.available(0)).toBe(before);
  });
});

describe("managed affinity", () => {
  test("queues share the vCPUs evenly, the first ones larger", () => {
    expect(groupCpusEvenly(7, 3)).toEqual([
      [0, 1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  test("the first vector is the admin queue's and unmanaged", () => {
    expect(irqCreateAffinityMasks(2, 3, 1)).toEqual([null, [0], [1]]);
    expect(irqCreateAffinityMasks(4, 1, 1)).toEqual([null]);
  });
});
