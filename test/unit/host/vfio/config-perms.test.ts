/**
 * Who owns which bit of configuration space (vfio_pci_config.c, init_pci_cap_*_perm): all bits are
 * tried, and those written by userspace must be found in the copy, in the hardware, or nowhere.
 */
import { describe, expect, it } from "vitest";
import { ConfigPerms } from "../../../../host/vfio/config-perms.ts";
import { type CapabilitySpec, PciFunction } from "../../../../src/pci/function.ts";

const PM = 0x40;
const MSI = 0x50;
const MSIX = 0x70;
const EXP = 0x80;

const BOTH = { a64: true, perVectorMask: true };
const ENDPOINT: Express = { version: 2, rootComplexIntegrated: false };

interface Express {
  readonly version: 1 | 2;
  readonly rootComplexIntegrated: boolean;
}

function perms(msi = BOTH, express = ENDPOINT): ConfigPerms {
  const capabilities: CapabilitySpec[] = [
    { kind: "pm", offset: PM, noSoftReset: true, pme: false },
    { kind: "msi", offset: MSI, vectors: 4, ...msi },
    {
      kind: "msix",
      offset: MSIX,
      vectors: 4,
      table: { bar: 0, offset: 0 },
      pba: { bar: 0, offset: 0x800 },
    },
    { kind: "pcie", offset: EXP, flr: true, ...express },
  ];
  const fn = new PciFunction({
    name: "f",
    vendorId: 0x1b36,
    deviceId: 0x10,
    classCode: 0x010802,
    interruptPin: 1,
    command: 0,
    bars: [{ index: 0, kind: "mem64", size: 0x1000 }],
    capabilities,
  });
  return new ConfigPerms(fn);
}

/** Bits that live in the copy, and bits that may be written, of `size` bytes. */
function bits(p: ConfigPerms, at: number, size: number): string[] {
  return [p.virt, p.write].map((all) => {
    const bytes = [...all.subarray(at, at + size)].reverse();
    return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  });
}

describe("the header", () => {
  it.each([
    ["vendor", 0x00, 2, "ffff", "0000"],
    ["device", 0x02, 2, "ffff", "0000"],
    ["command: INTx disable is virtual, all may be written", 0x04, 2, "0400", "ffff"],
    ["status: the capability list bit is virtual, nothing may be written", 0x06, 2, "0010", "0000"],
    ["revision and class: the hardware's, read only", 0x08, 4, "00000000", "00000000"],
    ["cache line size: the hardware's, may be written", 0x0c, 1, "00", "ff"],
    ["latency timer: the hardware's, may be written", 0x0d, 1, "00", "ff"],
    ["header type: the hardware's, read only", 0x0e, 1, "00", "00"],
    ["BIST: the hardware's, may be written", 0x0f, 1, "00", "ff"],
    ["BAR 0: virtual", 0x10, 4, "ffffffff", "ffffffff"],
    ["BAR 5: virtual", 0x24, 4, "ffffffff", "ffffffff"],
    ["CardBus and subsystem: the hardware's, read only", 0x28, 4, "00000000", "00000000"],
    ["subsystem: the hardware's, read only", 0x2c, 4, "00000000", "00000000"],
    ["expansion ROM: virtual", 0x30, 4, "ffffffff", "ffffffff"],
    ["capability pointer: virtual, read only", 0x34, 1, "ff", "00"],
    ["reserved", 0x35, 3, "000000", "000000"],
    ["interrupt line: virtual", 0x3c, 1, "ff", "ff"],
    ["interrupt pin: virtual, read only", 0x3d, 1, "ff", "00"],
    ["latencies: the hardware's, read only", 0x3e, 2, "0000", "0000"],
  ])("%s", (_name, at, size, virt, write) => {
    expect(bits(perms(), at, size)).toEqual([virt, write]);
  });
});

describe("capabilities", () => {
  it("the pointers to the next one are virtual, identities the hardware's; all read only", () => {
    for (const at of [PM, MSI, MSIX, EXP]) {
      expect(bits(perms(), at, 1)).toEqual(["00", "00"]);
      expect(bits(perms(), at + 1, 1)).toEqual(["ff", "00"]);
    }
  });

  it("power management: PME is virtual; neither it nor the state is written, the rest is", () => {
    expect(bits(perms(), PM + 2, 2)).toEqual(["0000", "0000"]);
    expect(bits(perms(), PM + 4, 4)).toEqual(["00008100", "ffff7efc"]);
  });

  it("MSI: all virtual, of the control word the low byte; masks are the hardware's", () => {
    const p = perms();
    expect(bits(p, MSI + 2, 2)).toEqual(["00ff", "00ff"]);
    expect(bits(p, MSI + 4, 4)).toEqual(["ffffffff", "ffffffff"]);
    expect(bits(p, MSI + 8, 4)).toEqual(["ffffffff", "ffffffff"]);
    expect(bits(p, MSI + 12, 2)).toEqual(["ffff", "ffff"]);
    expect(bits(p, MSI + 14, 2)).toEqual(["0000", "0000"]);
    expect(bits(p, MSI + 16, 8)).toEqual(["0".repeat(16), "f".repeat(16)]);
    expect(bits(p, MSI + 24, 8)).toEqual(["0".repeat(16), "0".repeat(16)]);
  });

  it("MSI without 64-bit addresses has its data where the high address would be", () => {
    const p = perms({ a64: false, perVectorMask: true });
    expect(bits(p, MSI + 8, 4)).toEqual(["0000ffff", "0000ffff"]);
    expect(bits(p, MSI + 12, 8)).toEqual(["0".repeat(16), "f".repeat(16)]);
  });

  it("MSI-X: read only, its enable bit is the kernel's business", () => {
    expect(bits(perms(), MSIX + 2, 10)).toEqual(["0".repeat(20), "0".repeat(20)]);
  });

  it("PCI Express: FLR, payload and read request are virtual, phantom functions not", () => {
    expect(bits(perms(), EXP + 8, 2)).toEqual(["f0e0", "fdff"]);
    expect(bits(perms(), EXP + 0x28, 2)).toEqual(["0000", "ffdf"]);
    expect(bits(perms(), EXP + 2, 6)).toEqual(["0".repeat(12), "0".repeat(12)]);
  });
});

describe("ranges, at whose borders accesses are cut", () => {
  it.each([
    ["the header has 64 bytes", 0x3f, 0x00, 0x40],
    ["power management has 8", PM, PM, PM + 8],
    ["MSI with 64-bit addresses and masks has 24", MSI + 23, MSI, MSI + 24],
    ["MSI-X has 12", MSIX, MSIX, MSIX + 12],
    ["PCI Express has 60", EXP + 59, EXP, EXP + 60],
  ])("%s", (_name, offset, start, end) => {
    expect(perms().rangeAt(offset)).toMatchObject({ start, end });
  });

  it.each([
    [{ a64: false, perVectorMask: false }, 10],
    [{ a64: true, perVectorMask: false }, 14],
    [{ a64: false, perVectorMask: true }, 20],
    [{ a64: true, perVectorMask: true }, 24],
  ])("MSI with %j has %i bytes", (msi, bytes) => {
    expect(perms(msi).rangeAt(MSI)).toMatchObject({ start: MSI, end: MSI + bytes });
  });

  it.each([
    [{ version: 1, rootComplexIntegrated: false }, 20],
    [{ version: 2, rootComplexIntegrated: false }, 60],
    [{ version: 1, rootComplexIntegrated: true }, 12],
    [{ version: 2, rootComplexIntegrated: true }, 44],
  ] as const)("PCI Express with %j has %i bytes", (express, bytes) => {
    const p = perms(BOTH, express);
    expect(p.rangeAt(EXP)).toMatchObject({ start: EXP, end: EXP + bytes });
    expect(bits(p, EXP + 8, 2)).toEqual(["f0e0", "fdff"]);
    expect(bits(p, EXP + 0x28, 2)).toEqual(["0000", express.version === 1 ? "0000" : "ffdf"]);
  });

  it("what is between capabilities is nobody's, up to the next one or the end", () => {
    expect(perms().rangeAt(PM + 8)).toEqual({ start: PM + 8, end: MSI, what: "unassigned" });
    // As long as the model knows no extended capabilities.
    expect(perms().rangeAt(EXP + 60)).toMatchObject({ end: 4096, what: "unassigned" });
  });
});
