import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FATES, type Fate } from "../../../../src/measure/fates.ts";
import {
  balanceLedger,
  classifyFates,
  describeViolation,
  fateAt,
  type LedgerInput,
} from "../../../../src/measure/ledger.ts";
import { layoutRows, rowCount } from "../../../../src/measure/rows.ts";

/** One nvme with an INTx line and two MSI-X vectors: rows 0 to 2. */
const ROWS = layoutRows([{ name: "nvme0", msi: 0, msix: 2 }]);
const ROW_COUNT = rowCount(ROWS[0]!);
const VECTOR_0 = 1;
const VECTOR_1 = 2;

type Counts = readonly (readonly [row: number, fate: Fate, n: number])[];

const fates = (counts: Counts): number[] => {
  const flat = new Array<number>(ROW_COUNT * FATES.length).fill(0);
  for (const [row, fate, n] of counts) flat[fateAt(row, fate)]! += n;
  return flat;
};

const guest = (
  raised: readonly number[],
  host: Counts,
  own: Counts,
  change: Partial<LedgerInput> = {},
): LedgerInput => ({
  name: "g1",
  rows: ROWS,
  alive: true,
  raised,
  hostFates: fates(host),
  guestFates: fates(own),
  injected: [0, 0, 0],
  ...change,
});

describe("a ledger that balances", () => {
  test("adds the fates of both sides, row by row and in total", () => {
    const { rows, raised, totals, violations } = balanceLedger([
      guest(
        [1, 10, 5],
        [
          [0, "dropped-withdrawn", 1],
          [VECTOR_0, "coalesced-pba", 2],
        ],
        [
          [VECTOR_0, "delivered", 8],
          [VECTOR_1, "delivered", 4],
          [VECTOR_1, "pending-guest", 1],
        ],
        { injected: [0, 8, 5] },
      ),
    ]);
    expect(violations).toEqual([]);
    expect(raised).toBe(16);
    expect(totals).toEqual({
      delivered: 12,
      "coalesced-pba": 2,
      "pending-guest": 1,
      "dropped-withdrawn": 1,
    });
    expect(rows).toEqual([
      { guest: "g1", source: "nvme0 intx", raised: 1, fates: { "dropped-withdrawn": 1 } },
      {
        guest: "g1",
        source: "nvme0 msix[0]",
        raised: 10,
        fates: { delivered: 8, "coalesced-pba": 2 },
      },
      {
        guest: "g1",
        source: "nvme0 msix[1]",
        raised: 5,
        fates: { delivered: 4, "pending-guest": 1 },
      },
    ]);
  });

  test("leaves out rows on which nothing happened", () => {
    const { rows } = balanceLedger([guest([0, 0, 1], [], [[VECTOR_1, "delivered", 1]])]);
    expect(rows.map(({ source }) => source)).toEqual(["nvme0 msix[1]"]);
  });

  test("balances however the tokens of a row are shared out", () => {
    const share = fc.record({
      row: fc.nat(ROW_COUNT - 1),
      fate: fc.constantFrom(...FATES),
      n: fc.nat(1_000),
      byHost: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(share), (shares) => {
        const raised = [0, 0, 0];
        for (const { row, n } of shares) raised[row]! += n;
        const side = (byHost: boolean): Counts =>
          shares.filter((s) => s.byHost === byHost).map(({ row, fate, n }) => [row, fate, n]);
        const ledger = balanceLedger([guest(raised, side(true), side(false))]);
        expect(ledger.violations).toEqual([]);
        const sum = Object.values(ledger.totals).reduce((a, b) => a + b, 0);
        expect(sum).toBe(ledger.raised);
      }),
    );
  });
});

describe("a ledger that does not balance", () => {
  test("names a row whose interrupts vanished", () => {
    const { violations } = balanceLedger([guest([0, 10, 0], [], [[VECTOR_0, "delivered", 7]])]);
    expect(violations).toEqual([
      {
        guest: "g1",
        source: "nvme0 msix[0]",
        rule: "raised-is-sum",
        raised: 10,
        sum: 7,
        difference: 3,
      },
    ]);
    expect(describeViolation(violations[0]!)).toBe(
      "g1 nvme0 msix[0]: raised 10, fates add up to 7: 3 vanished",
    );
  });

  test("names a row that counted interrupts twice, also one that raised none", () => {
    const { violations } = balanceLedger([
      guest(
        [0, 1, 0],
        [[VECTOR_0, "coalesced-irr", 1]],
        [
          [VECTOR_0, "delivered", 1],
          [VECTOR_1, "delivered", 1],
        ],
      ),
    ]);
    expect(violations.map(({ source, difference }) => [source, difference])).toEqual([
      ["nvme0 msix[0]", -1],
      ["nvme0 msix[1]", -1],
    ]);
    expect(describeViolation(violations[0]!)).toContain("1 counted twice");
  });

  test("notices an error in one row that another row makes up for", () => {
    const { violations } = balanceLedger([
      guest(
        [0, 3, 2],
        [],
        [
          [VECTOR_0, "delivered", 2],
          [VECTOR_1, "delivered", 3],
        ],
      ),
    ]);
    expect(violations.map(({ difference }) => difference)).toEqual([1, -1]);
  });

  test("notices injected interrupts that the guest does not account for", () => {
    const { violations } = balanceLedger([
      // The sums agree, since the host counted as merged what it had injected.
      guest([0, 5, 0], [[VECTOR_0, "coalesced-irr", 3]], [[VECTOR_0, "delivered", 2]], {
        injected: [0, 4, 0],
      }),
    ]);
    expect(violations.map(({ rule, sum, difference }) => [rule, sum, difference])).toEqual([
      ["injected-is-counted", 2, 2],
    ]);
    expect(describeViolation(violations[0]!)).toContain("injected 4, the guest accounts for 2");
  });

  test("does not expect one fate per injection of a level-triggered line", () => {
    const input = guest([1, 0, 0], [], [[0, "delivered", 1]], { injected: [3, 0, 0] });
    expect(balanceLedger([input]).violations).toEqual([]);
  });

  test.each([
    ["negative", -1],
    ["not a number", Number.NaN],
    ["fractional", 0.5],
    ["beyond 2^53", 2 ** 60],
    ["infinite", Number.POSITIVE_INFINITY],
  ])("notices a count that is %s", (_what, n) => {
    const input = guest([0, 1, 0], [], [[VECTOR_0, "delivered", n]]);
    const { totals, violations } = balanceLedger([input]);
    expect(violations.map(({ rule }) => rule)).toEqual(["counts-are-counts"]);
    // What is no count is not added to anything.
    expect(totals).toEqual({});
    expect(describeViolation(violations[0]!)).toContain("negative, broken or too big");
  });
});

describe("a dead guest", () => {
  const dead = { alive: false } as const;

  test("loses what was in flight when it died", () => {
    const { totals, violations } = balanceLedger([
      guest([0, 10, 0], [[VECTOR_0, "dropped-closed", 1]], [[VECTOR_0, "delivered", 6]], dead),
    ]);
    expect(violations).toEqual([]);
    expect(totals).toEqual({ delivered: 6, "dropped-closed": 1, "dropped-guest-dead": 3 });
  });

  test("adds to what the host has already counted as lost with it", () => {
    const { totals } = balanceLedger([
      guest([0, 4, 0], [[VECTOR_0, "dropped-guest-dead", 1]], [], dead),
    ]);
    expect(totals).toEqual({ "dropped-guest-dead": 4 });
  });

  test("cannot have counted more than was raised", () => {
    const { violations } = balanceLedger([
      guest([0, 2, 0], [], [[VECTOR_0, "delivered", 3]], dead),
    ]);
    expect(violations.map(({ difference }) => difference)).toEqual([-1]);
  });

  test("need not account for what was injected into it", () => {
    const input = guest([0, 2, 0], [], [], { ...dead, injected: [0, 2, 0] });
    expect(balanceLedger([input]).violations).toEqual([]);
  });
});

test("every fate belongs to one of four classes", () => {
  const one = Object.fromEntries(FATES.map((fate) => [fate, 1]));
  expect(classifyFates(one)).toEqual({ delivered: 1, coalesced: 6, pending: 3, dropped: 8 });
});
