import { describe, expect, test } from "vitest";
import type { CheckInput } from "../../../../src/check/check.ts";
import { leakOf } from "../../../../src/check/leaks.ts";
import { runChecks } from "../../../../src/check/run-checks.ts";
import type { Fate } from "../../../../src/measure/fates.ts";
import type { Ledger, LedgerViolation } from "../../../../src/measure/ledger.ts";
import type { PoolReport } from "../../../../src/run/contract.ts";

/** A pool as at boot: 30 entries and 12 vectors belong to the host itself. */
const POOL: PoolReport = {
  irqsHeld: 0,
  irqsPeak: 66,
  irtesUsed: 30,
  irtesBoot: 30,
  irtesPeak: 95,
  irtesSize: 65_536,
  vectorsUsed: 12,
  vectorsBoot: 12,
  vectorsPeak: 77,
  vectorsSize: 392,
  samples: [],
};

const entry = (guest: string, raised: number, fates: Partial<Record<Fate, number>>) => ({
  guest,
  source: "nvme0 msix[0]",
  raised,
  fates,
});

const ledgerOf = (rows: Ledger["rows"], violations: readonly LedgerViolation[] = []): Ledger => ({
  rows,
  raised: rows.reduce((n, { raised }) => n + raised, 0),
  totals: {},
  violations,
});

const guestOf = (name: string, alive = true, hostile: Record<string, number> = {}) => ({
  name,
  alive,
  hostile,
  running: alive,
});

const WELL: CheckInput = {
  ledger: ledgerOf([entry("g1", 5, { delivered: 5 }), entry("g2", 9, { delivered: 9 })]),
  guests: [guestOf("g1"), guestOf("g2")],
  poolAfterExit: POOL,
};

const finding = (check: string, change: Partial<CheckInput>) =>
  runChecks({ ...WELL, ...change }).find((result) => result.check === check)!;

test("a run in which all is well passes every check, and each says what it looked at", () => {
  expect(runChecks(WELL)).toEqual([
    { check: "conservation", ok: true, detail: "14 interrupts from 2 sources" },
    {
      check: "leaks",
      ok: true,
      detail: "all given back: 66 irqs, 95 IRTEs and 77 vectors at most",
    },
    { check: "isolation", ok: true, detail: "no guest died or misbehaved" },
  ]);
});

describe("conservation", () => {
  const violation: LedgerViolation = {
    guest: "g1",
    source: "nvme0 msix[3]",
    rule: "raised-is-sum",
    raised: 4,
    sum: 3,
    difference: 1,
  };

  test("fails with the row that does not add up", () => {
    const found = finding("conservation", { ledger: ledgerOf([], [violation]) });
    expect(found.ok).toBe(false);
    expect(found.detail).toContain("g1 nvme0 msix[3]: raised 4, fates add up to 3");
  });

  test("names a few rows and counts the others", () => {
    const many = Array.from({ length: 12 }, () => violation);
    expect(finding("conservation", { ledger: ledgerOf([], many) }).detail).toMatch(/; 7 more$/);
  });
});

describe("leaks", () => {
  test.each([
    ["irqs", { irqsHeld: 2 }, "2 irqs kept"],
    ["IRTEs", { irtesUsed: 34 }, "4 irtes kept"],
    ["vectors", { vectorsUsed: 13 }, "1 vectors kept"],
    ["entries given back twice", { irtesUsed: 29 }, "1 irtes too few"],
  ])("fails on %s", (_what, change, detail) => {
    const found = finding("leaks", { poolAfterExit: { ...POOL, ...change } });
    expect(found).toEqual({ check: "leaks", ok: false, detail });
  });

  test("counts from what the host itself held at boot", () => {
    expect(leakOf(POOL)).toEqual({ irqs: 0, irtes: 0, vectors: 0 });
  });

  test("fails if nobody could look", () => {
    expect(finding("leaks", { poolAfterExit: null }).ok).toBe(false);
  });
});

describe("isolation", () => {
  const dead = [guestOf("g1", false), guestOf("g2")];

  test("holds if the neighbours of a dead guest got their interrupts", () => {
    const found = finding("isolation", { guests: dead });
    expect(found).toEqual({
      check: "isolation",
      ok: true,
      detail: "g1 in trouble, 1 others unharmed",
    });
  });

  test("is broken if a neighbour of a dead guest got none", () => {
    const ledger = ledgerOf([entry("g2", 9, { "pending-host": 9 })]);
    const found = finding("isolation", { guests: dead, ledger });
    expect([found.ok, found.detail]).toEqual([false, "beside g1: g2 got no interrupt"]);
  });

  test("is broken if a neighbour of a hostile guest got none", () => {
    const ledger = ledgerOf([entry("g2", 9, { "dropped-closed": 9 })]);
    const guests = [guestOf("g1", true, { "not-msgpack": 3 }), guestOf("g2")];
    expect(finding("isolation", { guests, ledger }).ok).toBe(false);
  });

  test("holds for a neighbour whose vectors the host refused: it starves for want of them", () => {
    const ledger = ledgerOf([entry("g2", 9, { "pending-host": 1, "coalesced-pba": 8 })]);
    const guests = [guestOf("g1", false), { ...guestOf("g2"), refused: 2 }];
    expect(finding("isolation", { guests, ledger }).ok).toBe(true);
  });

  test("is asked of a neighbour that had I/O for a fifth of a second without a break", () => {
    const ledger = ledgerOf([entry("g2", 9, { "dropped-closed": 9 })]);
    const guests = (ioNs: number) => [guestOf("g1", false), { ...guestOf("g2"), ioNs }];
    expect(finding("isolation", { guests: guests(199e6), ledger }).ok).toBe(true);
    expect(finding("isolation", { guests: guests(200e6), ledger }).ok).toBe(false);
  });

  test("holds for a neighbour that had crashed by itself", () => {
    const ledger = ledgerOf([entry("g2", 9, { "pending-guest": 1, "coalesced-irr": 8 })]);
    const guests = [guestOf("g1", false), { ...guestOf("g2"), running: false }];
    expect(finding("isolation", { guests, ledger }).ok).toBe(true);
  });

  test("is broken if a living neighbour lost interrupts as a dead one does", () => {
    const ledger = ledgerOf([entry("g2", 9, { delivered: 8, "dropped-guest-dead": 1 })]);
    expect(finding("isolation", { guests: dead, ledger }).detail).toContain("as if it were dead");
  });

  test("holds for a neighbour that had nothing to get", () => {
    const ledger = ledgerOf([entry("g2", 9, { "dropped-disabled": 9 })]);
    expect(finding("isolation", { guests: dead, ledger }).ok).toBe(true);
    expect(finding("isolation", { guests: dead, ledger: ledgerOf([]) }).ok).toBe(true);
  });
});
