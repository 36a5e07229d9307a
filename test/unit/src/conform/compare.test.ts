import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { differences } from "../../../../src/conform/compare.ts";
import { LeakedState } from "../../../../src/conform/leaked-state.ts";
import { recordingName } from "../../../../src/conform/recorded-machine.ts";
import { scriptOps } from "../../../../src/conform/recording.ts";
import { parseLine } from "../../../../src/conform/script.ts";

const PLACE = { file: "h.jsonl", line: 1 };

describe("differences", () => {
  it("does not mind the order of keys", () => {
    expect(differences({ st: { held: 1, idx: "0" } }, { st: { idx: "0", held: 1 } })).toEqual([]);
  });

  it("finds what is missing and what is too much", () => {
    expect(differences({ ret: 0, ev: { 0: 1 } }, { ret: 0 })).toEqual([
      { field: "ev", expected: { 0: 1 }, got: undefined },
    ]);
    expect(differences({ ret: 0 }, { ret: 0, ev: { 0: 1 } })).toHaveLength(1);
  });

  it("leaves out messages and chips where the host has none, and how the recorder opens", () => {
    expect(differences({ log: ["AMD-Vi: x"], chips: { "XT-PIC": 1 } }, {})).toEqual([]);
    expect(differences({ chips: { "XT-PIC": 1 } }, { chips: { "XT-PIC": 2 } })).toHaveLength(1);
    expect(differences({ ret: 0, step: "GET_DEVICE_FD", got: {} }, { ret: 0 })).toEqual([]);
  });

  it("compares Linux irq numbers and how many descriptors there are", () => {
    expect(differences({ irqfile: "28" }, { irqfile: "29" })).toHaveLength(1);
    expect(differences({ irqdescs: 23 }, {})).toHaveLength(1);
  });

  it("compares every counter of the vector matrix", () => {
    const matrix = { global_avail: 5, reserve: 9 };
    expect(differences({ matrix }, { matrix: { global_avail: 5, reserve: 8 } })).toHaveLength(1);
    expect(differences({ matrix }, { matrix: { global_avail: 5 } })).toHaveLength(1);
  });

  it("compares messages about interrupts in their order, without the addresses in them", () => {
    const short = ["DMAR-IR: IR0: can't allocate an IRTE", "DMAR-IR: Failed to allocate IRTE"];
    const log = ["clocksource: Long readout interval", ...short];
    expect(differences({ log }, { log: short })).toEqual([]);
    expect(differences({ log }, { log: short.toReversed() })).toHaveLength(1);
    expect(differences({ log }, { log: short.slice(1) })).toHaveLength(1);
    const producer = (token: string) => ({
      log: [`vfio-pci 0000:00:04.0: irq bypass producer ${token} registration fails: -16`],
    });
    expect(differences(producer("(token 00000000a2b1)"), producer("(token)"))).toEqual([]);
  });
});

describe("LeakedState", () => {
  const irqs = parseLine("irqs", PLACE);
  const hw = (mme: number) => ({ hw: { msi_en: 0, msi_mme: mme } });
  const enable = parseLine("set MSI 0 4 EVENTFD|TRIGGER -1*4", PLACE);

  it("leaves the granted vectors out until the script has enabled MSI itself", () => {
    const leaked = new LeakedState();
    const [expected, got] = leaked.forget("x16", irqs, [hw(8), hw(1)]);
    expect(differences(expected!, got!)).toEqual([]);
    leaked.learn("x16", enable, { ret: 0 });
    expect(leaked.forget("x16", irqs, [hw(8), hw(1)])).toEqual([hw(8), hw(1)]);
  });

  it("does not count an enable that was refused before it reached the hardware", () => {
    const leaked = new LeakedState();
    for (const errno of ["EINVAL", "ENOSPC"]) {
      leaked.learn("x16", enable, { ret: -1, errno });
      expect(leaked.forget("x16", irqs, [hw(8)])).not.toEqual([hw(8)]);
    }
  });

  it("knows the virtual field only after it was written, or after the next open", () => {
    const leaked = new LeakedState();
    const pcicap = parseLine("pcicap", PLACE);
    const cap = { caps: [{ id: 5, ctrl: "00a8", mme: 4 }] };
    leaked.learn("x16", enable, { ret: 0 });
    expect(leaked.forget("x16", pcicap, [cap])).toEqual([{ caps: [{ id: 5, ctrl: "0088" }] }]);
    leaked.learn("x16", parseLine("open", PLACE), { ret: 0 });
    expect(leaked.forget("x16", pcicap, [cap])).toEqual([cap]);
  });

  it("concerns no device that a reset brings back to its defaults", () => {
    const leaked = new LeakedState();
    expect(leaked.forget("e1000e", irqs, [hw(8)])).toEqual([hw(8)]);
  });

  it("follows the selected device", () => {
    const leaked = new LeakedState();
    expect(leaked.follow(irqs)).toBe("n8");
    leaked.follow(parseLine("@edu", PLACE));
    expect(leaked.follow(irqs)).toBe("edu");
    expect(leaked.follow(parseLine("@rk irqs", PLACE))).toBe("rk");
    expect(leaked.follow(irqs)).toBe("edu");
  });
});

describe("recordingName", () => {
  it("knows kernel, CPUs and platform from file and folder", () => {
    const host = (path: string) => recordingName(path).machine.host;
    expect(host("a/pool/p01-grow.6.1.smp1.jsonl")).toMatchObject({ kernel: "linux-6.1", cpus: 1 });
    expect(host("handwritten/h00.6.12.jsonl")).toMatchObject({ kernel: "linux-6.12", cpus: 2 });
    expect(host("random-pool/pool-0001.6.12.jsonl").cpus).toBe(1);
    expect(host("noremap/h00.6.12.jsonl").platform).toBe("x86-flat");
    expect(host("nointxmask/h00.6.12.jsonl").nointxmask).toBe(true);
    expect(recordingName("x/noremap/h00.6.1.jsonl").key).toBe("noremap/h00.6.1.jsonl");
    expect(host("amd/a01-range.6.1.jsonl")).toMatchObject({ platform: "x86-amd", irtes: 512 });
    expect(host("irte/q02-first.6.12.jsonl")).toMatchObject({
      platform: "x86-vtd",
      irtes: 65_536,
      boot: { irtes: 54, vectors: 42, reservations: 13 },
    });
  });

  it("knows which scripts ran behind a process that holds the table, and which fill it", () => {
    const setUp = (path: string) => recordingName(path).machine.setUp;
    const prefill = setUp("irte/q02-first.6.12.jsonl")!;
    // 31 devices of 2,048 entries and one of 1,994, each opened first; then the first is closed.
    expect(prefill).toHaveLength(65);
    expect(prefill[1]).toBe("@p01 set MSIX 0 2048 EVENTFD|TRIGGER -1*2048");
    expect(prefill[63]).toBe("@p32 set MSIX 0 1994 EVENTFD|TRIGGER -1*1994");
    expect(prefill[64]).toBe("@p01 close");
    expect(setUp("random-irte/irte-0001.6.1.jsonl")).toEqual(prefill);
    expect(setUp("irte/q01-exhaust.6.12.jsonl")).toBeUndefined();
    expect(setUp("irte/prefill-2048.6.1.jsonl")).toBeUndefined();
    expect(setUp("pool/p01-grow.6.1.smp1.jsonl")).toBeUndefined();
  });

  it("fills the table as the recorded script did", () => {
    const folder = "test/conformance/recordings-irte/irte";
    const script = readFileSync(`${folder}/prefill-2048.script`, "utf8");
    const changing = scriptOps(script).flatMap(({ op }) => (op.startsWith("@") ? [op] : []));
    expect(recordingName("irte/q02-first.6.12.jsonl").machine.setUp).toEqual(changing);
  });

  it("knows a random script's machine wherever it was copied to", () => {
    const machine = (path: string) => recordingName(path).machine;
    expect(machine("x/pool-0002.6.12.jsonl").host.cpus).toBe(1);
    expect(machine("x/irte-0002.6.1.jsonl")).toEqual(machine("random-irte/irte-0002.6.1.jsonl"));
    const lpi = "lpi-0002.6.12-arm64.jsonl";
    expect(machine(`x/${lpi}`)).toEqual(machine(`random-pool/${lpi}`));
    expect(machine("x/b03-more.6.12.jsonl")).toEqual(machine("amd-alias/b03-more.6.12.jsonl"));
    expect(machine("x/a04-more.6.12.jsonl").host.platform).toBe("x86-amd");
    expect(machine("x/q10-more.6.1.jsonl")).toEqual(machine("irte/q10-more.6.1.jsonl"));
    expect(machine("x/single-0002.6.12.jsonl").host.cpus).toBe(2);
  });

  it("knows the folder where the path does not say it", () => {
    const before = process.cwd();
    const folder = join(mkdtempSync(join(tmpdir(), "names-")), "noremap");
    mkdirSync(folder);
    process.chdir(folder);
    try {
      expect(recordingName("h00.6.12.jsonl").machine.host.platform).toBe("x86-flat");
      expect(recordingName("./h00.6.12.jsonl").key).toBe("noremap/h00.6.12.jsonl");
    } finally {
      process.chdir(before);
      rmSync(dirname(folder), { recursive: true });
    }
  });

  it("places 32 root ports' devices eight to a slot, and bridged ones behind one bridge", () => {
    const device = (path: string, name: string) =>
      recordingName(path).machine.devices.find((spec) => spec.name === name);
    const irte = "irte/q02-first.6.12.jsonl";
    expect(device(irte, "p08")!.place).toEqual({ bdf: "0000:0b:00.0", rootSlot: 0x10 });
    expect(device(irte, "p09")!.place).toEqual({ bdf: "0000:0c:00.0", rootSlot: 0x11 });
    expect(device(irte, "p32")!.place).toEqual({ bdf: "0000:23:00.0", rootSlot: 0x13 });
    const alias = "amd-alias/b01-bridge.6.12.jsonl";
    expect(device(alias, "v3")).toMatchObject({ bridge: "pb", msixVectors: 400 });
    expect(device(alias, "x16")!.bridge).toBeUndefined();
  });

  it("refuses other names", () => {
    expect(() => recordingName("h00.jsonl")).toThrow("NAME.KERNEL.jsonl");
    expect(() => recordingName("h00.5.10.jsonl")).toThrow("NAME.KERNEL.jsonl");
  });
});
