import { describe, expect, it } from "vitest";
import { type MemorySample, memoryVerdict } from "../../soak/memory.ts";

function samples(mib: (minute: number, i: number) => number, count = 30): MemorySample[] {
  return Array.from({ length: count }, (_, i) => {
    const minute = (i + 1) / 3;
    return { minute, mib: mib(minute, i) };
  });
}

describe("memory is flat", () => {
  it("if it only wobbles, however much", () => {
    const verdict = memoryVerdict(
      samples((_, i) => 120 + (i % 3) * 15),
      2,
    );
    expect([verdict.flat, Math.abs(verdict.slope!) < 1]).toEqual([true, true]);
  });

  it("if it grows in the warm-up only", () => {
    const verdict = memoryVerdict(
      samples((minute) => Math.min(120, 80 + 15 * minute)),
      2,
    );
    expect([verdict.flat, verdict.slope]).toEqual([true, 0]);
  });

  it("if single samples are far off", () => {
    const verdict = memoryVerdict(
      samples((_, i) => (i === 29 ? 900 : 120)),
      2,
    );
    expect([verdict.flat, verdict.slope]).toEqual([true, 0]);
  });

  it("if it grows by less than is allowed", () => {
    expect(
      memoryVerdict(
        samples((minute) => 100 + minute),
        2,
      ).flat,
    ).toBe(true);
  });
});

describe("memory grows", () => {
  it("if it does so steadily by more than is allowed, noise and all", () => {
    const verdict = memoryVerdict(
      samples((minute, i) => 100 + 3 * minute + (i % 2)),
      2,
    );
    expect(verdict.flat).toBe(false);
    expect(verdict.slope).toBeCloseTo(3, 0);
    expect(verdict.rising).toBeGreaterThan(0.9);
  });
});

it("a few samples tell nothing", () => {
  expect(
    memoryVerdict(
      samples((minute) => 100 * minute, 5),
      2,
    ),
  ).toMatchObject({ slope: null, flat: null });
  expect(memoryVerdict([], 2).flat).toBeNull();
});
