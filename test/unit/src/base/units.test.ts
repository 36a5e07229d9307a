import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import {
  formatCount,
  formatMoment,
  formatNs,
  formatRate,
  parseDurationNs,
  parseRatePerSecond,
  parseSize,
} from "../../../../src/base/units.ts";

function hintOf(parse: () => number): string {
  try {
    parse();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).format();
  }
  return expect.unreachable();
}

describe("parsing", () => {
  it.each([
    ["0ms", 0],
    ["500ns", 500],
    ["20us", 20_000],
    ["20µs", 20_000],
    ["200ms", 200e6],
    ["2.5s", 2.5e9],
    ["1.1us", 1100],
    [" 1 s ", 1e9],
    ["1m", 60e9],
    ["1.5h", 5400e9],
  ])("the duration %s is %d ns", (text, ns) => {
    expect(parseDurationNs(text)).toBe(ns);
  });

  it.each([
    ["500/s", 500],
    ["0.5/s", 0.5],
    ["20k/s", 20_000],
    ["1.1k/s", 1100],
    ["1.5M/s", 1.5e6],
    ["1G/s", 1e9],
  ])("the rate %s is %d a second", (text, rate) => {
    expect(parseRatePerSecond(text)).toBe(rate);
  });

  it.each([
    ["65", 65],
    ["64K", 65_536],
    ["1m", 2 ** 20],
    ["2G", 2 ** 31],
  ])("the size %s is %d", (text, size) => {
    expect(parseSize(text)).toBe(size);
  });

  it.each(["", "200", "ms", "-1s", "1e3s", "1 day", "1,5s", "0x10ns", ".5s", "5.s", "1s1s"])(
    "%j is no duration, and the message says how to write one",
    (text) => {
      expect(hintOf(() => parseDurationNs(text))).toBe(
        `"${text}" is not a duration\n` +
          "  hint: write a number and one of ns, us, ms, s, m, h, such as 200ms",
      );
    },
  );

  it.each(["", "20k", "20", "k/s", "20K/s", "-5/s", "20/m"])("%j is no rate", (text) => {
    expect(hintOf(() => parseRatePerSecond(text))).toMatch(/is not a rate\n.*such as 20k\/s/);
  });

  it("a size beyond what a number can count is refused", () => {
    expect(hintOf(() => parseSize("9999999999G"))).toMatch(/too large/);
    expect(hintOf(() => parseSize("1.5K"))).toMatch(/not a size/);
  });
});

describe("a moment of a run", () => {
  it.each([
    [0, "0.0 ms"],
    [1_500_449_000, "1500.4 ms"],
    [3_600e9, "1:00:00.0000"],
    [66_180_203_800_000, "18:23:00.2038"],
    [86_399_999_960_000, "24:00:00.0000"],
  ])("%d ns is %s", (ns, text) => {
    expect(formatMoment(ns)).toBe(text);
  });
});

describe("formatting", () => {
  it.each([
    [0, "0 ns"],
    [0.25, "0.25 ns"],
    [35, "35 ns"],
    [35.27, "35.3 ns"],
    [999, "999 ns"],
    [999.4, "999 ns"],
    [999.6, "1.00 us"],
    [1000, "1.00 us"],
    [1234, "1.23 us"],
    [9_996, "10.0 us"],
    [12_345, "12.3 us"],
    [123_456, "123 us"],
    [999_499, "999 us"],
    [999_500, "1.00 ms"],
    [1.5e9, "1.50 s"],
    [3.599e12, "3599 s"],
    [5.4e12, "1.50 h"],
    [86_400e9, "24.0 h"],
    [-7_200e9, "-2.00 h"],
    [-1500, "-1.50 us"],
  ])("%d ns is %s", (ns, text) => {
    expect(formatNs(ns)).toBe(text);
  });

  it("rates scale by thousands", () => {
    expect([0, 500, 20_000, 1.5e6, 2e9, 5e12].map(formatRate)).toEqual([
      "0/s",
      "500/s",
      "20.0k/s",
      "1.50M/s",
      "2.00G/s",
      "5000G/s",
    ]);
  });

  it("counts have their thousands set apart", () => {
    expect([0, 999, 1000, 2_098_176, -1234, 1.6, -0.2].map(formatCount)).toEqual([
      "0",
      "999",
      "1,000",
      "2,098,176",
      "-1,234",
      "2",
      "0",
    ]);
  });

  it("what is no number is a dash", () => {
    for (const format of [formatNs, formatRate, formatCount]) {
      expect([format(Number.NaN), format(Number.POSITIVE_INFINITY)]).toEqual(["-", "-"]);
    }
  });
});
