/** What the recorder prints of the pool, from what a host shows; numbers as recorded (q01, a01). */
import { describe, expect, it } from "vitest";
import { PoolView } from "../../../../src/conform/pool-view.ts";
import { recordingName } from "../../../../src/conform/recorded-machine.ts";
import type {
  DeviceInspection,
  HostMachine,
  PoolInspection,
  TableInspection,
} from "../../../../src/run/contract.ts";

const IDLE: DeviceInspection = {
  held: [],
  kind: null,
  armed: [],
  intx: false,
  config: new Uint8Array(),
  irqFile: 0,
};
const MATRIX = {
  globalAvailable: 392,
  globalReserved: 12,
  totalAllocated: 10,
  alloc: 7,
  reserve: 9,
  unreserve: 5,
  free: 3,
  allocFail: 1,
};

/** A host that shows what it is told to. */
function host(
  pool: () => Partial<PoolInspection>,
  devices: Readonly<Record<string, Partial<DeviceInspection>>> = {},
): HostMachine {
  const shown: Pick<HostMachine, "inspect" | "inspectPool"> = {
    inspect: (name) => ({ ...IDLE, ...devices[name] }),
    inspectPool: () => ({ irqs: 0, lines: 3, matrix: MATRIX, tables: [], ...pool() }),
  };
  return shown as HostMachine;
}

const machine = (path: string) => recordingName(path).machine;

function irte(size: number, free: TableInspection["free"]): unknown {
  const used = size - free.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const tables = [{ name: "IR0", size, used, free }];
  return new PoolView(
    host(() => ({ tables })),
    machine("irte/q01.6.12.jsonl"),
  ).irte().irte;
}

describe("irte", () => {
  it("is what the kernel's bitmap says after boot: 54 used, 32,741 aligned pairs (q01)", () => {
    expect(irte(65_536, [{ first: 54, last: 65_535 }])).toEqual({
      used: 54,
      free: 65_482,
      free_aligned: { "2": 32_741, "4": 16_370, "8": 8_185, "16": 4_092, "32": 2_046 },
      free_at: "54-65535",
    });
  });

  it("counts no block that is not aligned, and lists single entries by themselves", () => {
    expect(
      irte(64, [
        { first: 3, last: 10 },
        { first: 12, last: 12 },
      ]),
    ).toEqual({
      used: 55,
      free: 9,
      free_aligned: { "2": 3, "4": 1, "8": 0, "16": 0, "32": 0 },
      free_at: "3-10,12",
    });
  });

  it("shows no more than forty ranges", () => {
    const free = Array.from({ length: 50 }, (_, i) => ({ first: 2 * i, last: 2 * i }));
    const { free_at } = irte(128, free) as { free_at: string };
    expect(free_at.split(",")).toHaveLength(40);
    expect(free_at.endsWith(",78")).toBe(true);
  });

  it("is empty for a full table", () => {
    expect(irte(64, [])).toMatchObject({ free: 0, free_at: "" });
  });
});

describe("pool", () => {
  const AMD = machine("amd/a01-range.6.12.jsonl");
  const CHIPS = {
    "IR-IO-APIC": 18,
    "IR-PCI-MSIX-0000:00:01.0": 1,
    "IR-PCI-MSIX-0000:00:02.0": 1,
    "IR-PCI-MSIX-0000:00:03.0": 1,
    "PCI-MSI-0000:00:0b.0": 1,
    "XT-PIC": 1,
  };

  it("counts events since the script began, then since the last time", () => {
    let now = MATRIX;
    const view = new PoolView(
      host(() => ({ matrix: now })),
      AMD,
    );
    expect(view.pool().matrix).toEqual({
      global_avail: 392,
      global_rsvd: 12,
      total_alloc: 10,
      alloc: 0,
      reserve: 0,
      unreserve: 0,
      free: 0,
      alloc_fail: 0,
    });
    now = { ...MATRIX, alloc: 9, reserve: 19, unreserve: 10, free: 7, allocFail: 3 };
    const counts = { alloc: 2, reserve: 10, unreserve: 5, free: 4, alloc_fail: 2 };
    expect(view.pool().matrix).toMatchObject(counts);
    expect(view.pool().matrix).toMatchObject({ alloc: 0, reserve: 0 });
  });

  it("names descriptors by chip, a device and kind each in 6.12 (a01)", () => {
    const devices = {
      a: { kind: "msix", held: [0, 1, 2], armed: [1] },
      x16: { kind: "msi", held: [0, 1], armed: [0, 1] },
      edu: { intx: true },
    } as const;
    const view = new PoolView(
      host(() => ({ irqs: 5, lines: 4 }), devices),
      AMD,
    );
    expect(view.pool()).toMatchObject({
      irqdescs: 23 + 1 + 5,
      chips: {
        ...CHIPS,
        "IR-IO-APIC": 19,
        "IR-PCI-MSIX-0000:00:04.0": 3,
        "IR-PCI-MSI-0000:00:09.0": 2,
      },
      requested: { msix: 1, msi: 2, intx: 1 },
    });
  });

  it("knows one chip for all functions in 6.1, and none of remapping without it", () => {
    const devices = { a: { kind: "msix", held: [0, 1, 2] } } as const;
    const chips = (path: string) =>
      new PoolView(
        host(() => ({ irqs: 3 }), devices),
        machine(path),
      ).pool().chips;
    expect(chips("amd/a01-range.6.1.jsonl")).toEqual({
      "IR-IO-APIC": 18,
      "IR-PCI-MSI": 6,
      "PCI-MSI": 1,
      "XT-PIC": 1,
    });
    expect(chips("noremap/p01.6.1.jsonl")).toEqual({
      "IO-APIC": 18,
      "PCI-MSI": 6,
      "DMAR-MSI": 1,
      "XT-PIC": 1,
    });
  });

  it("only counts descriptors where there are more than 9,000", () => {
    const view = new PoolView(
      host(() => ({ irqs: 9_000 })),
      AMD,
    );
    expect(view.pool()).toMatchObject({ irqdescs: 9_023, chips: {} });
  });
});
