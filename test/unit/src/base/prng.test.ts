import { describe, expect, it } from "vitest";
import { fnv1a, Prng } from "../../../../src/base/prng.ts";

const PINNED = [1_558_809_159, 2_279_233_575, 1_341_482_112, 3_553_258_344];

/** sfc32 as its author defines it, in 64-bit arithmetic; PractRand's seeding discards 12. */
function sfc32(a: bigint, b: bigint, c: bigint): () => number {
  const u32 = (value: bigint): bigint => BigInt.asUintN(32, value);
  let counter = 1n;
  const next = (): number => {
    const sum = u32(a + b + counter);
    counter = u32(counter + 1n);
    a = u32(b ^ (b >> 9n));
    b = u32(c + (c << 3n));
    c = u32(((c << 21n) | (c >> 11n)) + sum);
    return Number(sum);
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

describe("a random stream", () => {
  it("is sfc32 keyed by seed and name, in 32-bit arithmetic", () => {
    const seed = 0x1_2345_6789_abc;
    const name = BigInt.asUintN(32, BigInt(fnv1a("arrivals")));
    const reference = sfc32(0x456789abcn & 0xffffffffn, BigInt(seed) >> 32n, name);
    const stream = Prng.stream(seed, "arrivals");
    for (let i = 0; i < 1000; i++) expect(stream.nextUint32()).toBe(reference());
  });

  it("gives the same numbers in every version: replay lines depend on it", () => {
    const stream = Prng.stream(42, "schedule");
    expect(Array.from({ length: 4 }, () => stream.nextUint32())).toEqual(PINNED);
    expect(Prng.stream(42, "schedule").nextFloat()).toBe(
      ((PINNED[0]! >>> 5) * 2 ** 26 + (PINNED[1]! >>> 6)) / 2 ** 53,
    );
  });

  it("differs by seed, also above 2^32, and by name", () => {
    const first = (seed: number, name: string): number => Prng.stream(seed, name).nextUint32();
    const all = [first(1, "a"), first(2, "a"), first(1, "b"), first(1 + 2 ** 32, "a")];
    expect(new Set(all).size).toBe(4);
  });

  it("is uniform enough: sixteen bins of 64,000 draws, chi square below its 99.9 % point", () => {
    const stream = Prng.stream(7, "chi");
    const bins = new Array<number>(16).fill(0);
    for (let i = 0; i < 64_000; i++) bins[stream.nextBelow(16)]!++;
    const chi = bins.reduce((sum, count) => sum + (count - 4000) ** 2 / 4000, 0);
    expect(chi).toBeLessThan(37.7);
  });

  it("draws below its bound, and reaches every value", () => {
    const stream = Prng.stream(7, "below");
    const seen = new Set(Array.from({ length: 200 }, () => stream.nextBelow(3)));
    expect([...seen].sort()).toEqual([0, 1, 2]);
    expect(stream.nextBelow(1)).toBe(0);
  });

  it("has exponential gaps of the given mean, never negative or infinite", () => {
    const stream = Prng.stream(7, "gaps");
    let sum = 0;
    for (let i = 0; i < 50_000; i++) {
      const gap = stream.nextExponential(200);
      expect(gap >= 0 && gap < 200 * 40).toBe(true);
      sum += gap;
    }
    // Five standard errors of the mean.
    expect(Math.abs(sum / 50_000 - 200)).toBeLessThan((5 * 200) / Math.sqrt(50_000));
  });
});

describe("fnv1a", () => {
  it("gives the published values", () => {
    expect([fnv1a(""), fnv1a("a"), fnv1a("foobar")].map((hash) => hash >>> 0)).toEqual([
      0x811c9dc5, 0xe40c292c, 0xbf9cf968,
    ]);
  });
});
