import { describe, expect, it } from "vitest";
import { differences } from "../../../../src/conform/compare.ts";
import { LeakedState } from "../../../../src/conform/leaked-state.ts";
import { recordingName } from "../../../../src/conform/recorded-machine.ts";
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

  it("leaves out Linux irq numbers and kernel messages, and of the matrix what we lack", () => {
    expect(differences({ irqfile: "28", log: ["x"] }, {})).toEqual([]);
    const matrix = { global_avail: 5, global_rsvd: 9 };
    expect(differences({ matrix }, { matrix: { global_avail: 5 } })).toEqual([]);
    expect(differences({ matrix }, { matrix: { global_avail: 6 } })).toHaveLength(1);
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
    leaked.learn("x16", enable, { ret: -1, errno: "EINVAL" });
    expect(leaked.forget("x16", irqs, [hw(8)])).not.toEqual([hw(8)]);
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
  });

  it("refuses other names", () => {
    expect(() => recordingName("h00.jsonl")).toThrow("NAME.KERNEL.jsonl");
    expect(() => recordingName("h00.5.10.jsonl")).toThrow("NAME.KERNEL.jsonl");
  });
});
