import { expect, it } from "vitest";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { Machine } from "./machine.ts";

const ENOSPC = -28;

/** Three root ports, as recorded: 61 of 64 SPIs are free. */
const BOOT = { irtes: 3, irqs: 26, vectors: 0, reservations: 0, lines: [] };

function v2m(host: Partial<HostSpec> = {}): Machine {
  return new Machine({ platform: "arm64-v2m", boot: BOOT, ...host });
}

function spis({ pool }: Machine): number {
  return pool.inspect().tables[0]!.used;
}

it("an MSI-X vector costs one of 64 SPIs, no table is rounded", () => {
  const machine = v2m();
  expect(machine.vfioEnable(machine.client({ msix: 64 }), 33)).toBe(0);
  expect(spis(machine)).toBe(3 + 33);
});

it("a short grant is exact: 61 of 64, and 3 where 3 are left", () => {
  const machine = v2m();
  const client = machine.client({ msix: 64 });
  expect(machine.vfioEnable(client, 64)).toBe(61);
  expect(machine.vfioEnable(client, 58)).toBe(0);
  const late = machine.client({ msix: 5 });
  expect([5, 3].map((nvec) => machine.vfioEnable(late, nvec))).toEqual([3, 0]);
});

it("nothing left is -ENOSPC, for MSI-X and MSI", () => {
  const machine = v2m();
  machine.enable(machine.client({ msix: 61 }), 61);
  const late = machine.client({ msix: 16, msi: 16 });
  expect(machine.vfioEnable(late, 16)).toBe(ENOSPC);
  expect([1, 2].map((nvec) => machine.vfioEnable(late, nvec, "msi"))).toEqual([ENOSPC, ENOSPC]);
});

it("MSI takes an aligned run: 8 free SPIs in a row may give no more than 1 or 4", () => {
  const machine = v2m();
  machine.enable(machine.client({ msix: 50 }), 50);
  const hole = machine.client({ msix: 8 });
  machine.enable(hole, 8);
  machine.enable(machine.client({ msix: 3 }), 3);
  machine.disable(hole);
  // SPIs 133 to 140 are free; a run of 8 would have to begin at 136, a run of 4 can.
  const client = machine.client({ msi: 16 });
  const grants = [16, 8, 4].map((nvec) => machine.vfioEnable(client, nvec, "msi"));
  expect(grants).toEqual([1, 1, 0]);
});

it.each([3, 5, 7])("MSI %i takes as many and gives as many back, round after round", (nvec) => {
  const machine = v2m();
  const client = machine.client({ msi: 16 });
  for (let round = 0; round < 24; round++) {
    expect(machine.vfioEnable(client, nvec, "msi")).toBe(0);
    expect(spis(machine)).toBe(3 + nvec);
    machine.disable(client);
    expect(spis(machine)).toBe(3);
  }
});

it("has no dynamic MSI-X", () => {
  expect(v2m().pool.canAllocDynamically).toBe(false);
});

it("a message carries the SPI's interrupt id to the frame's MSI_SETSPI_NS", () => {
  const machine = v2m();
  const client = machine.client({ msix: 4 });
  machine.enable(client, 4);
  machine.request(client, 2);
  const entry = (offset: number): number => client.fn.tableRead(2 * 16 + offset, 4);
  // Ids 80..82 are the ports'.
  expect([entry(0), entry(8)]).toEqual([0x08020040, 85]);
});

it("many MSI begin at an interrupt id that is a multiple of their number", () => {
  // Id 80 is the first, so that 32 of them begin at 96, 16 places behind it, and fit once.
  const machine = v2m();
  const [a, b] = [machine.client({ msi: 32 }), machine.client({ msi: 32 })];
  expect(machine.vfioEnable(a, 32, "msi")).toBe(0);
  expect(machine.pool.inspect().tables[0]!.free).toEqual([
    { first: 3, last: 15 },
    { first: 48, last: 63 },
  ]);
  expect(machine.vfioEnable(b, 32, "msi")).toBe(1);
  expect(machine.vfioEnable(b, 16, "msi")).toBe(0);
  expect(machine.pool.inspect().tables[0]!.free).toEqual([{ first: 3, last: 15 }]);
});

it("a short grant tells who holds most of the SPIs and how much of it is idle", () => {
  const machine = v2m();
  const hog = machine.client({ msix: 60 });
  machine.enable(hog, 60);
  machine.request(hog, 0);
  machine.vfioEnable(machine.client({ msix: 8 }), 8);
  const event = machine.trace.events.find(({ point }) => point === "irq_grant_short");
  expect(event?.args).toMatchObject({
    got: 1,
    table: "GICv2m SPIs",
    size: 64,
    most: `${hog.fn.name} ${hog.bdf}`,
    mostEntries: 60,
    mostIdle: 59,
  });
});
