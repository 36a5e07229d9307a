import { expect, it } from "vitest";
import { LPI_BASE, LPIS, LpiRanges } from "../../../../host/irq/lpi-ranges.ts";

it("has 57,344 LPIs: interrupt ids of 16 bits, the first LPI is 8192", () => {
  expect([LPI_BASE, LPIS]).toEqual([8192, 57_344]);
  expect(LPI_BASE + LPIS).toBe(65_536);
});

it("gives the first range that is long enough, from its front", () => {
  const lpis = new LpiRanges(57_344);
  expect([lpis.alloc(8), lpis.alloc(2048), lpis.alloc(8)]).toEqual([8192, 8200, 10_248]);
  lpis.release(8200, 2048);
  // The hole is long enough for 16, and the same hole fits 2048 no more then.
  expect([lpis.alloc(16), lpis.alloc(2048)]).toEqual([8200, 10_256]);
});

it("merges what is given back with its neighbours, on both sides", () => {
  const lpis = new LpiRanges(64);
  const [a, b, c] = [lpis.alloc(16), lpis.alloc(16), lpis.alloc(16)];
  expect(lpis.ranges()).toEqual([{ first: 8240, last: 8255 }]);
  lpis.release(a, 16);
  lpis.release(c, 16);
  expect(lpis.ranges()).toEqual([
    { first: 8192, last: 8207 },
    { first: 8224, last: 8255 },
  ]);
  lpis.release(b, 16);
  expect(lpis.ranges()).toEqual([{ first: 8192, last: 8255 }]);
  expect(lpis.free).toBe(64);
});

it("halves a block until it fits one range, and joins no holes for it", () => {
  const lpis = new LpiRanges(2037);
  // As recorded with 27 tables of 2,048 taken: 2,037 free give 1,024, then 512, 256, 128.
  expect([1, 2, 3, 4].map(() => lpis.allocHalving(2048)?.count)).toEqual([1024, 512, 256, 128]);
  const holes = new LpiRanges(8);
  for (let i = 0; i < 8; i++) holes.alloc(1);
  for (const lpi of [8192, 8194, 8196, 8198]) holes.release(lpi, 1);
  expect(holes.allocHalving(4)).toEqual({ base: 8192, count: 1 });
});

it("gives nothing where no LPI is free", () => {
  const lpis = new LpiRanges(4);
  expect(lpis.allocHalving(4)).toEqual({ base: 8192, count: 4 });
  expect(lpis.allocHalving(1)).toBeNull();
  expect(lpis.alloc(1)).toBe(-1);
});

it("does not take back what is free", () => {
  const lpis = new LpiRanges(64);
  lpis.alloc(32);
  expect(() => lpis.release(8224, 8)).toThrow("free already");
  lpis.release(8192, 16);
  expect(() => lpis.release(8200, 16)).toThrow("free already");
});
