import { describe, expect, it } from "vitest";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { Counter, Machine, type TestClient } from "./machine.ts";

const ENOMEM = -12;
const EINVAL = -22;
const ENODEV = -19;

/** No root ports: every LPI is to be had, and the first one is 8192. */
const BOOT = { irtes: 0, irqs: 26, vectors: 0, reservations: 0, lines: [] };

function its(host: Partial<HostSpec> = {}): Machine {
  return new Machine({ platform: "arm64-its", boot: BOOT, ...host });
}

/** LPIs taken. */
function lpis({ pool }: Machine): number {
  return pool.inspect().tables[0]!.used;
}

/** An MSI-X or MSI enable and disable as vfio makes them, its result, and what it left. */
function tryOut(machine: Machine, client: TestClient, nvec: number, kind: "msi" | "msix"): number {
  const result = machine.vfioEnable(client, nvec, kind);
  if (result === 0) machine.disable(client);
  return result;
}

describe("what an enable costs", () => {
  it("6.12: MSI-X takes the whole table rounded up, however few vectors are asked for", () => {
    for (const [table, block] of [
      [5, 8],
      [8, 8],
      [16, 16],
      [64, 64],
      [2048, 2048],
    ] as const) {
      const machine = its();
      expect(machine.vfioEnable(machine.client({ msix: table }), 1)).toBe(0);
      expect(lpis(machine)).toBe(block);
    }
  });

  it("6.1: MSI-X takes the request rounded up", () => {
    for (const [asked, block] of [
      [1, 1],
      [5, 8],
      [33, 64],
      [1025, 2048],
    ] as const) {
      const machine = its({ kernel: "linux-6.1" });
      expect(machine.vfioEnable(machine.client({ msix: 2048 }), asked)).toBe(0);
      expect(lpis(machine)).toBe(block);
    }
  });

  it("MSI takes the request rounded up, on 7.2 the whole capability", () => {
    const cost = (kernel: HostSpec["kernel"], asked: number): number => {
      const machine = its({ kernel });
      machine.vfioEnable(machine.client({ msi: 16 }), asked, "msi");
      return lpis(machine);
    };
    expect([1, 2, 3, 5, 9, 16].map((asked) => cost("linux-6.12", asked))).toEqual([
      1, 2, 4, 8, 16, 16,
    ]);
    expect([1, 3, 16].map((asked) => cost("linux-7.2", asked))).toEqual([16, 16, 16]);
  });

  it("exactly 28 tables of 2,048 fit into 57,344, and the 29th device gets -ENOMEM", () => {
    const machine = its();
    for (let i = 0; i < 28; i++) {
      expect(machine.vfioEnable(machine.client({ msix: 2048 }), 1)).toBe(0);
    }
    expect(lpis(machine)).toBe(57_344);
    const late = machine.client({ msix: 2048, msi: 16 });
    expect([1, 2048].map((nvec) => machine.vfioEnable(late, nvec))).toEqual([ENOMEM, ENOMEM]);
    expect(machine.vfioEnable(late, 1, "msi")).toBe(ENOMEM);
    expect(machine.vfioEnable(late, 0)).toBe(-34);
  });

  it("7.2: without an LPI the function has no MSI domain at all", () => {
    const machine = its({ kernel: "linux-7.2", lpis: 8 });
    expect(machine.vfioEnable(machine.client({ msix: 8 }), 8)).toBe(0);
    expect(machine.vfioEnable(machine.client({ msix: 8 }), 1)).toBe(ENODEV);
  });

  it("needs no CPU vector: 2,048 handlers on one function are no trouble", () => {
    const machine = its();
    const client = machine.client({ msix: 2048 });
    machine.enable(client, 2048);
    const results = Array.from({ length: 2048 }, (_, i) => machine.request(client, i));
    expect(new Set(results)).toEqual(new Set([0]));
  });
});

describe("short grants", () => {
  /** 27 tables of 2,048 and 11 root ports, as recorded: 2,037 LPIs are free. */
  function crowded(): Machine {
    const machine = its({ boot: { ...BOOT, irtes: 11 } });
    for (let i = 0; i < 27; i++) machine.enable(machine.client({ msix: 2048 }), 1);
    return machine;
  }

  it("MSI-X: the positive number that the halved block has; asked for, it is granted", () => {
    const machine = crowded();
    const client = machine.client({ msix: 2048 });
    expect(57_344 - lpis(machine)).toBe(2037);
    expect(machine.vfioEnable(client, 2048)).toBe(1024);
    expect(57_344 - lpis(machine)).toBe(2037);
    expect(machine.vfioEnable(client, 1024)).toBe(0);
    expect([1, 2, 3].map(() => machine.vfioEnable(machine.client({ msix: 2048 }), 2048))).toEqual([
      512, 512, 512,
    ]);
  });

  it("MSI: always 1, never the real maximum", () => {
    const machine = its({ lpis: 5 });
    const client = machine.client({ msi: 16 });
    expect(machine.vfioEnable(client, 16, "msi")).toBe(1);
    expect(machine.vfioEnable(client, 4, "msi")).toBe(0);
  });

  it("tell which table was short, who holds most of it, and how much of that is idle", () => {
    const machine = its({ lpis: 24 });
    const hog = machine.client({ msix: 16 });
    machine.enable(hog, 16);
    machine.request(hog, 3);
    const late = machine.client({ msix: 16 });
    machine.vfioEnable(late, 16);
    const events = machine.trace.events.filter(({ point }) => point === "irq_grant_short");
    expect(events.map(({ args }) => args)).toEqual([
      {
        device: late.fn.name,
        kind: "msix",
        vectors: 16,
        got: 8,
        table: "ITS0 LPIs",
        size: 24,
        used: 16,
        asked: 16,
        largest: 8,
        for: `${late.fn.name} ${late.bdf}`,
        most: `${hog.fn.name} ${hog.bdf}`,
        mostEntries: 16,
        mostIdle: 15,
      },
    ]);
  });

  it("tell a leak from want of LPIs", () => {
    const machine = its();
    const client = machine.client({ msi: 16 });
    tryOut(machine, client, 3, "msi");
    machine.vfioEnable(client, 4, "msi");
    const event = machine.trace.events.find(({ point }) => point === "irq_grant_short");
    const name = `${client.fn.name} ${client.bdf}`;
    expect(event?.args).toMatchObject({
      got: 1,
      table: `ITS0 LPIs events of ${name}`,
      size: 4,
      used: 1,
      largest: 2,
      most: `${name}, leaked`,
      mostEntries: 1,
      mostIdle: 1,
    });
  });
});

describe("no dynamic MSI-X", () => {
  it("although the kernel could", () => {
    const machine = its();
    expect(machine.pool.canAllocDynamically).toBe(false);
    const client = machine.client({ msix: 8 });
    machine.enable(client, 4);
    expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 5))).toBe(EINVAL);
  });
});

describe("the leak of multi-MSI that is no power of two", () => {
  /** What each size of block can still give after MSI `first`: MSI's and MSI-X's maximum. */
  function left(first: number, host: Partial<HostSpec> = {}): { msi: number; msix: number } {
    const machine = its(host);
    const client = machine.client({ msi: 16, msix: 16 });
    expect(tryOut(machine, client, first, "msi")).toBe(0);
    const most = (kind: "msi" | "msix", sizes: number[]): number =>
      Math.max(...sizes.filter((nvec) => tryOut(machine, client, nvec, kind) === 0));
    const msi = most("msi", [1, 2, 4, 8, 16]);
    return {
      msi,
      msix: most(
        "msix",
        Array.from({ length: 16 }, (_, i) => i + 1),
      ),
    };
  }

  it.each([
    [3, 2, 3],
    [5, 4, 5],
    [6, 4, 6],
    [7, 4, 7],
    [9, 8, 9],
    [12, 8, 12],
    [15, 8, 15],
  ])("6.12: after MSI %i the function gets %i MSI, or %i MSI-X", (first, msi, msix) => {
    expect(left(first)).toEqual({ msi, msix });
  });

  it("7.2: after MSI 3 event 3 of 16 is blocked: 8 MSI, 15 MSI-X", () => {
    expect(left(3, { kernel: "linux-7.2" })).toEqual({ msi: 8, msix: 15 });
  });

  it.each([1, 2, 4, 8, 16])("does not come with MSI %i", (first) => {
    expect(left(first)).toEqual({ msi: 16, msix: 16 });
  });

  it("costs 4, 8 or 16 LPIs, once, and only the function that had them", () => {
    const machine = its();
    const [leaky, twin] = [machine.client({ msi: 16 }), machine.client({ msi: 16 })];
    for (let round = 0; round < 5; round++) tryOut(machine, leaky, 3, "msi");
    expect(lpis(machine)).toBe(4);
    expect(tryOut(machine, twin, 16, "msi")).toBe(0);
    expect(lpis(machine)).toBe(4);
  });

  it("is gone where it is fixed", () => {
    const fixed = ["its-msi-frees-part", "its-prepare-marks-shared"] as const;
    for (const kernel of ["linux-6.1", "linux-6.12", "linux-7.2"] as const) {
      expect(left(3, { kernel, fixed })).toEqual({ msi: 16, msix: 16 });
    }
  });
});

describe("the leak of a short-granted multi-MSI", () => {
  function shortMsi(host: Partial<HostSpec> = {}): Machine {
    const machine = its({ lpis: 21, ...host });
    const hog = machine.client({ msix: 16 });
    machine.enable(hog, 16);
    const client = machine.client({ msi: 16, msix: 16 });
    expect(machine.vfioEnable(client, 16, "msi")).toBe(1);
    machine.disable(hog);
    return machine;
  }

  it("keeps the small block for ever, also with the whole pool free again", () => {
    const machine = shortMsi();
    expect(lpis(machine)).toBe(4);
    const again = machine.trace.events.findLast(({ point }) => point === "free_lpi_range");
    expect(again?.args).toEqual({ base: 8192, nr: 16 });
  });

  it("is gone where it is fixed", () => {
    expect(lpis(shortMsi({ fixed: ["its-prepare-marks-shared"] }))).toBe(0);
  });

  it("is no leak of MSI-X: a short-granted table is given back", () => {
    const machine = its({ lpis: 5 });
    expect(machine.vfioEnable(machine.client({ msix: 16 }), 16)).toBe(4);
    expect(lpis(machine)).toBe(0);
  });
});

describe("how long LPIs stay", () => {
  it("6.12: until disable", () => {
    const machine = its();
    const client = machine.client({ msix: 8 });
    machine.enable(client, 8);
    machine.disable(client);
    expect(lpis(machine)).toBe(0);
  });

  it("7.2: over disable, until the function changes its mode or loses its driver", () => {
    const machine = its({ kernel: "linux-7.2" });
    const client = machine.client({ msix: 5, msi: 1 });
    tryOut(machine, client, 5, "msix");
    expect(lpis(machine)).toBe(8);
    expect(machine.pool.report().irtesKept).toBe(8);
    tryOut(machine, client, 1, "msi");
    expect(lpis(machine)).toBe(1);
    machine.pool.removeDeviceDomain(client);
    expect(lpis(machine)).toBe(0);
  });

  it("7.2: a function that met an empty pool keeps its small block", () => {
    const machine = its({ kernel: "linux-7.2", lpis: 24 });
    const hog = machine.client({ msix: 16 });
    machine.enable(hog, 16);
    const late = machine.client({ msix: 16 });
    expect(machine.vfioEnable(late, 16)).toBe(8);
    machine.disable(hog);
    machine.pool.removeDeviceDomain(hog);
    expect(machine.vfioEnable(late, 16)).toBe(8);
    machine.pool.removeDeviceDomain(late);
    expect(machine.vfioEnable(late, 16)).toBe(0);
  });

  it("7.2: a leaked block stays also when the driver goes, and is not called kept", () => {
    const machine = its({ kernel: "linux-7.2" });
    const client = machine.client({ msi: 16 });
    tryOut(machine, client, 3, "msi");
    machine.pool.removeDeviceDomain(client);
    expect(lpis(machine)).toBe(16);
    expect(machine.pool.report().irtesKept).toBe(0);
  });

  it("a hole of 2,048 takes 2,048 again, at the same ids", () => {
    const machine = its();
    const clients = [0, 1, 2].map(() => machine.client({ msix: 2048 }));
    for (const client of clients) machine.enable(client, 1);
    machine.disable(clients[1]!);
    machine.enable(machine.client({ msix: 2048 }), 1);
    const created = machine.trace.events.filter(
      ({ point }) => point === "its_create_device_return",
    );
    expect(created.map(({ args }) => args.base)).toEqual([8192, 10_240, 12_288, 10_240]);
  });
});

it("messages name an event of the function at GITS_TRANSLATER", () => {
  const machine = its();
  const client = machine.client({ msix: 8 });
  machine.enable(client, 8);
  const counter = new Counter();
  machine.request(client, 5, counter);
  const entry = (offset: number): number => client.fn.tableRead(5 * 16 + offset, 4);
  expect([entry(0), entry(4), entry(8)]).toEqual([0x08090040, 0, 5]);
  client.fn.raise("msix", 5);
  expect(counter.count).toBe(1);
});

it("a line is an SPI: it needs nothing to be opened and no vector", () => {
  const machine = its({ lpis: 64 });
  const client = machine.client({});
  expect(machine.run(machine.pool.openLine(client))).toBe(0);
  expect(machine.run(machine.pool.requestLine(client, new Counter(), true))).toBe(0);
  expect(machine.pool.inspect()).toMatchObject({ matrix: null, irqs: 0 });
});
