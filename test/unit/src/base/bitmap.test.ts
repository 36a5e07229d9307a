import { describe, expect, it } from "vitest";
import { Bitmap } from "../../../../src/base/bitmap.ts";
import { InvariantError } from "../../../../src/base/errors.ts";

describe("a bitmap", () => {
  it("counts a bit once however often it is set or cleared", () => {
    const map = new Bitmap(40);
    map.set(33);
    map.set(33);
    expect(map.weight).toBe(1);
    map.clear(33);
    map.clear(33);
    expect(map.weight).toBe(0);
  });

  it("finds nothing in a bitmap without bits", () => {
    const map = new Bitmap(0);
    expect([map.findNextZero(), map.findNextSet(), map.findZeroArea(1)]).toEqual([-1, -1, -1]);
  });

  it("does not take the unused bits of its last word for free ones", () => {
    const map = new Bitmap(33);
    map.setRange(0, 33);
    expect(map.findNextZero()).toBe(-1);
    expect(map.findZeroArea(1)).toBe(-1);
  });

  it("gives an aligned block although an unaligned one comes first", () => {
    const map = new Bitmap(16);
    map.set(0);
    expect(map.findZeroArea(4)).toBe(1);
    expect(map.findZeroArea(4, 4)).toBe(4);
    map.set(5);
    expect(map.findZeroArea(4, 4)).toBe(8);
    expect(map.findZeroArea(8, 8)).toBe(8);
    expect(map.findZeroArea(16, 16)).toBe(-1);
  });

  it("is copied with all its bits, and lives on apart from its copy", () => {
    const map = new Bitmap(70);
    map.setRange(30, 10);
    const copy = map.copy();
    expect([copy.weight, copy.findNextSet(), copy.findNextZero(30)]).toEqual([10, 30, 40]);
    copy.clear(30);
    map.set(69);
    expect([map.test(30), copy.test(69), map.weight, copy.weight]).toEqual([true, false, 11, 9]);
  });

  it("refuses bits it does not have", () => {
    const map = new Bitmap(8);
    for (const bit of [-1, 8, Number.NaN]) {
      expect(() => map.set(bit)).toThrow(InvariantError);
      expect(() => map.clear(bit)).toThrow(InvariantError);
    }
    expect(() => new Bitmap(-1)).toThrow(InvariantError);
  });
});
