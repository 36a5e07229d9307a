/** What plots are drawn from: bands that add up, lines that go where percentiles are, lanes. */
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { COLOURS, DeviceColours } from "../../../../../src/report/plot/colours.ts";
import { lanesPlot } from "../../../../../src/report/plot/lanes.ts";
import {
  holdersBySize,
  irqsDiffer,
  occupancyBands,
  occupancyPlot,
  pinNames,
} from "../../../../../src/report/plot/occupancy.ts";
import {
  percentilesPlot,
  percentileTick,
  stageLines,
} from "../../../../../src/report/plot/percentiles.ts";
import { NARROW, timeUnit, WIDE } from "../../../../../src/report/plot/svg.ts";
import { FULL, TOTALS, withGuests } from "../../../../support/full-result.ts";
import { SAMPLE } from "../../../../support/sample-result.ts";

function textsOf(svg: string): string[] {
  return [...parseHTML(svg).document.querySelectorAll("text")].map((text) => text.textContent);
}

describe("bands of the pool", () => {
  it("add up to what is in use, boot and lines included", () => {
    const { pool } = withGuests(64);
    const { at, holders } = pool.occupancy!;
    const bands = occupancyBands(pool, "irtes", new DeviceColours(holdersBySize(pool.occupancy)));
    for (const [i] of at.entries()) {
      const stacked = bands.reduce((sum, { values }) => sum + values[i]!, 0);
      const held = holders.reduce((sum, { irtes }) => sum + irtes[i]!, 0);
      expect(stacked).toBe(pool.irtesBoot + held);
    }
  });

  it("name the largest holders, in natural order, and fold the others", () => {
    const { pool } = withGuests(64);
    const names = holdersBySize(pool.occupancy);
    expect(names.slice(0, 11)).toEqual(Array.from({ length: 11 }, (_, i) => `nvme${i}`));
    const bands = occupancyBands(pool, "irqs", new DeviceColours(names));
    expect(bands.map(({ name }) => name)).toEqual([
      "nvme0",
      "nvme1",
      "nvme2",
      "nvme3",
      "nvme4",
      "59 other devices",
    ]);
    expect(new Set(bands.map(({ colour }) => colour)).size).toBe(bands.length);
    expect(pinNames(pool.occupancy)).toEqual(["IO-APIC pin 21"]);
  });

  it("count those that have no series of their own, too", () => {
    const { pool } = withGuests(64);
    const rest = pool.occupancy!.at.map(() => 100);
    const occupancy = { ...pool.occupancy!, others: { count: 936, irqs: rest, irtes: rest } };
    const colours = new DeviceColours(holdersBySize(occupancy));
    const bands = occupancyBands({ ...pool, occupancy }, "irqs", colours);
    expect(bands.at(-1)).toMatchObject({ name: "995 other devices" });
    expect(bands.at(-1)!.values.at(-1)).toBe(59 * 65 + 100);
  });

  it("put larger holders first, whatever they are called", () => {
    const at = [0, 1];
    const holder = (name: string, n: number) => ({ name, irqs: [0, n], irtes: [0, n] });
    const holders = [holder("a", 3), holder("b", 300), holder("c", 30)];
    expect(holdersBySize({ at, holders })).toEqual(["b", "c", "a"]);
  });

  it("tell irqs apart from entries only where they differ", () => {
    expect(irqsDiffer(FULL.pool)).toBe(false);
    const holders = [{ name: "nic0", irqs: [0, 5], irtes: [0, 8] }];
    expect(irqsDiffer({ ...FULL.pool, occupancy: { at: [0, 1], holders } })).toBe(true);
  });

  it("show the limit only where it is near", () => {
    const bands = [{ name: "a", colour: "var(--c0)", values: [0, 40] }];
    const plot = { at: [0, 1e9], durationNs: 2e9, bands, what: "IRTEs" };
    const [near] = occupancyPlot({ ...plot, limit: 64 });
    expect(textsOf(near!.svg)).toContain("all 64");
    const [far] = occupancyPlot({ ...plot, limit: 65_536 });
    expect(textsOf(far!.svg)).not.toContain("all 65,536");
  });
});

describe("colours of devices", () => {
  it("leave room for the fold when there are more than colours", () => {
    const names = (n: number) => Array.from({ length: n }, (_, i) => `d${i}`);
    expect(new DeviceColours(names(COLOURS)).names.length).toBe(COLOURS);
    expect(new DeviceColours(names(COLOURS + 1)).names.length).toBe(COLOURS - 1);
    expect(new DeviceColours(names(9)).of("d8")).toBe("var(--others)");
    expect(new DeviceColours(names(9)).of("d1")).toBe("var(--c1)");
  });
});

describe("lines of percentiles", () => {
  const total = stageLines(FULL.latency).at(-1)!;

  it("go through the percentiles of what was recorded", () => {
    const sorted = [...TOTALS].sort((a, b) => a - b);
    const median = total.points.find(({ x }) => x === 2)!;
    expect(median.y / sorted[sorted.length / 2 - 1]!).toBeCloseTo(1, 2);
    expect(total.points.at(-1)!.y).toBe(sorted.at(-1));
    expect(total.points.at(-1)!.x).toBeGreaterThanOrEqual(TOTALS.length);
  });

  it("never fall", () => {
    for (const { points } of stageLines(FULL.latency)) {
      for (let i = 1; i < points.length; i++) {
        expect(points[i]!.y).toBeGreaterThanOrEqual(points[i - 1]!.y);
        expect(points[i]!.x).toBeGreaterThanOrEqual(points[i - 1]!.x);
      }
    }
  });

  it("of results without histograms go through the five percentiles they have", () => {
    const line = stageLines(SAMPLE.latency).at(-1)!;
    expect(line.points.slice(0, 4)).toEqual([
      { x: 1, y: 640 },
      { x: 2, y: 1_510 },
      { x: 10, y: 3_050 },
      { x: 100, y: 14_200 },
    ]);
  });

  it("are told apart without colour, and total is the heaviest", () => {
    const lines = stageLines(FULL.latency);
    expect(new Set(lines.map(({ dash, width }) => `${dash} ${width}`)).size).toBe(lines.length);
    expect(Math.max(...lines.map(({ width }) => width))).toBe(total.width);
  });

  it("have axes that read as percentiles and times", () => {
    expect([1, 2, 10, 100, 1_000, 10_000, 100_000].map(percentileTick)).toEqual([
      "0 %",
      "50 %",
      "90 %",
      "99 %",
      "99.9 %",
      "99.99 %",
      "99.999 %",
    ]);
    const floors = [{ text: "floor, spinning", ns: 140 }];
    const [wide, narrow] = percentilesPlot({ lines: stageLines(FULL.latency), floors });
    expect(textsOf(wide!.svg)).toEqual(
      expect.arrayContaining(["99.9 %", "1.00 us", "floor, spinning"]),
    );
    expect(wide!.svg).toContain(`width="${WIDE}"`);
    expect(narrow!.svg).toContain(`width="${NARROW}"`);
  });
});

describe("lanes of guests", () => {
  it("say in words what fits, and on a phone cut long names", () => {
    const guests = [{ ...FULL.guests[0]!, name: "a-guest-with-a-long-name" }];
    const [wide, narrow] = lanesPlot({ guests, durationNs: 2.5e9, dense: false });
    expect(textsOf(wide!.svg)).toEqual(expect.arrayContaining(["MSI-X", "INTx"]));
    expect(textsOf(wide!.svg).join()).toContain("\u21bba-guest-with-a-long-name: reboot at 1.50 s");
    expect(textsOf(wide!.svg)).toContain("a-guest-with-a-...");
    expect(textsOf(narrow!.svg)).toContain("a-gues...");
  });

  it("keep guests apart whose names are equal when they are cut", () => {
    const names = ["the-same-beginning-of-a-name-1", "the-same-beginning-of-a-name-2"];
    const guests = names.map((name) => ({ ...FULL.guests[0]!, name }));
    const [wide] = lanesPlot({ guests, durationNs: 2.5e9, dense: false });
    const rows = new Set([...wide!.svg.matchAll(/<rect[^>]* y="([\d.]+)"/g)].map(([, y]) => y));
    expect(rows.size).toBe(2);
  });
});

it("times have the unit in which an axis reads best", () => {
  expect([5e9, 2e9, 1.9e9, 3e6, 5e3, 900].map((ns) => timeUnit(ns).unit)).toEqual([
    "s",
    "s",
    "ms",
    "ms",
    "\u00b5s",
    "ns",
  ]);
});
