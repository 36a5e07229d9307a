/** Configuration space of every model, as real kernels saw the devices (recordings h00-info). */
import { expect, test } from "vitest";
import { createDevice } from "../../../../host/device/registry.ts";
import type { PciFunction } from "../../../../src/pci/function.ts";
import type { DeviceSpec } from "../../../../src/scenario/types.ts";
import { spec } from "./fixtures.ts";

/** Capability ids and offsets in list order. */
function walk(fn: PciFunction): [id: number, offset: number][] {
  const found: [number, number][] = [];
  for (let at = fn.configRead(0x34, 1); at !== 0; at = fn.configRead(at + 1, 1)) {
    found.push([fn.configRead(at, 1), at]);
  }
  return found;
}

const MSIX = 17;
const EXP = 16;
const MSI = 5;
const PM = 1;

interface Layout {
  ids: [vendor: number, device: number];
  caps: [id: number, offset: number][];
  pin: number;
  msixCtrl?: number;
  msiCtrl?: number;
  table?: number;
  pba?: number;
  pmcsr?: number;
  flr?: boolean;
  canReset: boolean;
}

const NVME: Omit<Layout, "msixCtrl" | "pba"> = {
  ids: [0x1b36, 0x0010],
  caps: [
    [MSIX, 64],
    [EXP, 128],
    [PM, 96],
  ],
  pin: 1,
  table: 8192,
  pmcsr: 0x0008,
  flr: true,
  canReset: true,
};

const LAYOUTS: [name: string, DeviceSpec, Layout][] = [
  ["nvme with 8 vectors", spec("nvme", 8), { ...NVME, msixCtrl: 0x0007, pba: 12288 }],
  ["nvme with 64 vectors", spec("nvme", 64), { ...NVME, msixCtrl: 0x003f, pba: 12288 }],
  ["nvme with 2048 vectors", spec("nvme", 2048), { ...NVME, msixCtrl: 0x07ff, pba: 40960 }],
  [
    "e1000e",
    spec("e1000e", 5, 1),
    {
      ids: [0x8086, 0x10d3],
      caps: [
        [PM, 200],
        [MSI, 208],
        [EXP, 224],
        [MSIX, 160],
      ],
      pin: 1,
      msixCtrl: 0x0004,
      msiCtrl: 0x0080,
      table: 0 | 3,
      pba: 8192 | 3,
      pmcsr: 0x0000,
      flr: false,
      canReset: true,
    },
  ],
  [
    "edu",
    spec("edu", 0, 1),
    { ids: [0x1234, 0x11e8], caps: [[MSI, 64]], pin: 1, msiCtrl: 0x0080, canReset: false },
  ],
  [
    "rocker",
    spec("rocker", 16),
    {
      ids: [0x1b36, 0x0006],
      caps: [[MSIX, 64]],
      pin: 0,
      msixCtrl: 0x000f,
      table: 0 | 1,
      pba: 4096 | 1,
      canReset: false,
    },
  ],
  [
    "nec-usb-xhci",
    spec("nec-usb-xhci", 16, 16),
    {
      ids: [0x1033, 0x0194],
      caps: [
        [MSIX, 144],
        [EXP, 160],
        [MSI, 112],
      ],
      pin: 1,
      msixCtrl: 0x000f,
      msiCtrl: 0x0088,
      table: 12288,
      pba: 14336,
      flr: false,
      canReset: false,
    },
  ],
];

test.each(LAYOUTS)("%s has the recorded header and capabilities", (_name, deviceSpec, layout) => {
  const { fn } = createDevice(deviceSpec);
  expect([fn.configRead(0, 2), fn.configRead(2, 2)]).toEqual(layout.ids);
  expect(fn.configRead(4, 2)).toBe(0x0103);
  expect(fn.configRead(6, 2)).toBe(0x0010);
  expect(fn.configRead(0x3d, 1)).toBe(layout.pin);
  expect(fn.configRead(0x3c, 1)).toBe(layout.pin === 0 ? 0 : 0x0b);
  expect(walk(fn)).toEqual(layout.caps);
  expect(fn.canReset).toBe(layout.canReset);
  for (const [id, at] of layout.caps) {
    if (id === MSIX) {
      expect(fn.configRead(at + 2, 2)).toBe(layout.msixCtrl);
      expect(fn.configRead(at + 4, 4)).toBe(layout.table);
      expect(fn.configRead(at + 8, 4)).toBe(layout.pba);
    }
    if (id === MSI) expect(fn.configRead(at + 2, 2)).toBe(layout.msiCtrl);
    if (id === PM) expect(fn.configRead(at + 4, 2)).toBe(layout.pmcsr);
    if (id === EXP) expect((fn.configRead(at + 4, 4) & 0x10000000) !== 0).toBe(layout.flr);
  }
});

test.each(LAYOUTS)("%s has BARs that hold its table and PBA", (_name, deviceSpec) => {
  const { fn } = createDevice(deviceSpec);
  const { msix } = fn;
  if (msix === null) return;
  expect(msix.table.offset + msix.tableBytes).toBeLessThanOrEqual(
    fn.config.bar(msix.table.bar)!.size,
  );
  expect(msix.pba.offset + msix.pbaBytes).toBeLessThanOrEqual(fn.config.bar(msix.pba.bar)!.size);
  expect(msix.table.offset + msix.tableBytes).toBeLessThanOrEqual(msix.pba.offset);
});

test("a model without vectors of a kind has no capability for it", () => {
  for (const model of ["nvme", "edu", "e1000e", "rocker", "nec-usb-xhci"] as const) {
    const { fn } = createDevice(spec(model, 0, 0));
    expect([fn.msi, fn.msix]).toEqual([null, null]);
  }
});

test("an nvme can have MSI beside MSI-X", () => {
  const { fn } = createDevice(spec("nvme", 4, 8));
  expect(fn.msi!.vectors).toBe(8);
  expect(walk(fn).map(([id]) => id)).toEqual([MSIX, EXP, PM, MSI]);
});

test("table and PBA are reached through their BAR, also with eight bytes at once", () => {
  const device = createDevice(spec("rocker", 16));
  device.barWrite(1, 0, 8, 0x1_fee0_0000n);
  expect(device.barRead(1, 0, 4)).toBe(0xfee00000n);
  expect(device.barRead(1, 0, 8)).toBe(0x1_fee0_0000n);
  device.barWrite(0, 0x20, 4, 5n);
  expect(device.barRead(1, 0x1000, 8)).toBe(0x20n);
  device.barWrite(1, 0x1000, 4, 0n);
  expect(device.barRead(1, 0x1000, 4)).toBe(0x20n);
});
