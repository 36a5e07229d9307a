import { describe, expect, it } from "vitest";
import {
  isVmmRecording,
  parseVmmRecording,
  type RecordedLine,
  recordedVmm,
} from "../../../../../src/conform/vmm/recording.ts";

const line = (fields: object): RecordedLine => ({ i: 0, t: 0, op: "", ...fields });
const intxIrqfd = line({ op: "kvm_irqfd", act: "assign", gsi: 0, resample: "e1" });
const vectorIrqfd = line({ op: "kvm_irqfd", act: "assign", gsi: 24 });
const hole = line({ op: "kvm_irqfd", act: "assign", gsi: 0 });
const routing = (nr: number, address = "0x0") =>
  line({ op: "kvm_routing", nr, set: [[1, address, "0x0"]] });
const msixInfo = (iflags: number) =>
  line({ op: "get_irq_info", index: "MSIX", ret: 0, count: 64, iflags });

describe("recordedVmm", () => {
  it.each([
    ["q72-kvm-xhci-smp2", [intxIrqfd], "7.2", "irqfd", "full"],
    ["q10-kvm-nobypass-e1000-smp2", [], "10.0", "userspace", "full"],
    ["q11-tcg-hda-smp1", [], "11.1", "userspace", "none"],
    ["q10-kvmsplit-xhci-smp2", [routing(24), vectorIrqfd], "10.0", "irqfd", "split"],
    ["q11-guestIR-vnet-smp2", [vectorIrqfd], "11.1", "irqfd", "split"],
    ["q10-multimsi-xmsi-smp4", [vectorIrqfd], "10.0", "irqfd", "split"],
  ] as const)("takes version, path and irqchip of %s", (name, lines, version, path, irqchip) => {
    expect(recordedVmm(`/some/where/${name}.jsonl`, lines)).toMatchObject({
      version,
      path,
      irqchip,
    });
  });

  it("does not take an irqfd of a hole, on GSI 0, for a bypass", () => {
    expect(recordedVmm("q10-kvm-nobypass-igb-raw.jsonl", [hole]).path).toBe("userspace");
    expect(recordedVmm("q10-kvm-igb-raw.jsonl", [intxIrqfd, hole]).path).toBe("irqfd");
  });

  it("knows an old kernel by NORESIZE, or by the name where the VMM does not ask", () => {
    expect(recordedVmm("q10-kvm-igb-smp2.jsonl", [msixInfo(9)]).kernel).toBe("linux-6.1");
    expect(recordedVmm("q10-kvm-igb-smp2.jsonl", [msixInfo(1)]).kernel).toBe("linux-6.12");
    expect(recordedVmm("q72-kvm-l1k61-igb-smp2.jsonl", []).kernel).toBe("linux-6.1");
    expect(recordedVmm("q72-kvm-l2k61-igb-smp2.jsonl", []).kernel).toBe("linux-6.12");
  });

  it("knows a guest that remaps by its mode, its messages, or its pins' redirection hint", () => {
    const remapped = (name: string, ...lines: RecordedLine[]): boolean =>
      recordedVmm(`q10-${name}.jsonl`, [routing(24), ...lines]).isRemapped;
    expect(remapped("guestIR-e1000-smp2")).toBe(true);
    expect(remapped("kvmsplit-e1000-smp2")).toBe(false);
    expect(remapped("kvmsplit-n3-smp2", line({ op: "g_tblw", val: "0xfee00318" }))).toBe(true);
    expect(remapped("kvmsplit-n3-smp2", line({ op: "g_tblw", val: "0xfee01000" }))).toBe(false);
    expect(remapped("kvmsplit-e1000-smp2", routing(24, "0xfee0100c"))).toBe(true);
  });
});

it.each([
  ["q10-kvm-hda-smp2.jsonl", true],
  ["q11-guestIR-nvme-lifecycle-smp4.jsonl", true],
  ["x86-vtd.jsonl", false],
  ["q10.jsonl", false],
])("%s is a VMM's recording: %s", (name, is) => {
  expect(isVmmRecording(name)).toBe(is);
});

describe("parseVmmRecording", () => {
  const open = { i: 0, t: 0, op: "get_device_fd", dev: "n64", ret: 9 };
  const parse = (fields: object) =>
    parseVmmRecording(
      `${JSON.stringify(open)}\n${JSON.stringify({ i: 1, t: 0, ...fields })}\n`,
      "q",
    );
  const cfgw = { op: "g_cfgw", dev: "n64", off: "0x4", len: 2, val: "0x406" };
  const tblw = { op: "g_tblw", dev: "n64", vector: 63, field: "ctrl", val: "0x1" };

  it("takes what a guest can write", () => {
    expect(parse(cfgw)).toHaveLength(2);
    expect(parse(tblw)).toHaveLength(2);
    expect(parse({ ...tblw, val: "0xffffffff", size: 4 })).toHaveLength(2);
  });

  it.each([
    [{ ...cfgw, off: "0x1000" }, "configuration space"],
    [{ ...cfgw, off: -4 }, "configuration space"],
    [{ ...cfgw, len: 3 }, "len 3"],
    [{ ...cfgw, val: "five" }, "val five"],
    [{ ...tblw, vector: 2048 }, "vector 2048"],
    [{ ...tblw, field: "addr" }, "field addr"],
    [{ ...tblw, size: 8 }, "size 8"],
    [{ ...tblw, val: 2 ** 32 }, "val 4294967296"],
    [{ ...tblw, val: undefined }, "val undefined"],
    [{ op: "reset", dev: "n65", ret: 0 }, "no device n65"],
  ])("refuses what none can, with its place: %j", (fields, message) => {
    expect(() => parse(fields)).toThrow(
      expect.objectContaining({
        name: "UsageError",
        message: expect.stringContaining(message),
        place: { file: "q", line: 2 },
      }),
    );
  });
});
