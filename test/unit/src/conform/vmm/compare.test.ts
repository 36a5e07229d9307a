import { describe, expect, it } from "vitest";
import type { FdName, VmmCall } from "../../../../../src/conform/vmm/calls.ts";
import {
  align,
  callDifferences,
  callText,
  EventfdNames,
} from "../../../../../src/conform/vmm/compare.ts";

function call(what: string, fds: readonly FdName[] = [], fields: Partial<VmmCall> = {}): VmmCall {
  const common = { line: 1, op: "set_irqs", dev: "n64", thread: "vmm", silent: false, ret: 0 };
  return { ...common, what, fds, ...fields };
}

const calls = (...whats: string[]) => whats.map((what) => call(what));

function shape(expected: VmmCall[], got: VmmCall[]): string[] {
  return align(expected, got).map((pair) => `${pair.expected?.what}/${pair.got?.what}`);
}

describe("align", () => {
  it("puts the same calls beside each other", () => {
    expect(shape(calls("a", "b"), calls("a", "b"))).toEqual(["a/a", "b/b"]);
  });

  it("finds a call that is missing, and one too many", () => {
    expect(shape(calls("a", "b", "c", "d"), calls("a", "c", "d"))).toContain("b/undefined");
    expect(shape(calls("a", "c", "d"), calls("a", "b", "c", "d"))).toContain("undefined/b");
  });

  it("finds another call in one's place, and goes on after it", () => {
    expect(shape(calls("a", "b", "c", "d"), calls("a", "x", "c", "d"))).toEqual([
      "a/a",
      "b/x",
      "c/c",
      "d/d",
    ]);
  });

  it("finds an end that is missing", () => {
    expect(shape(calls("a", "b"), calls("a"))).toEqual(["a/a", "b/undefined"]);
  });
});

describe("eventfds", () => {
  it("have one name on each side, whatever it is", () => {
    const names = new EventfdNames();
    expect(names.same("e0", "e7")).toBe(true);
    expect(names.same("e0", "e7")).toBe(true);
    expect(names.same("e1", "e7")).toBe(false);
    expect(names.same("e0", "e8")).toBe(false);
    expect(names.same(-1, "e8")).toBe(false);
    expect(names.same(-1, -1)).toBe(true);
    expect(names.renamed("e7")).toBe("e0");
  });

  it("that are swapped are told by their recorded names", () => {
    const names = new EventfdNames();
    callDifferences(call("x", ["e0", "e1"]), call("x", ["e5", "e6"]), names);
    const found = callDifferences(call("y", ["e0", "e1"]), call("y", ["e6", "e5"]), names);
    expect(found).toEqual([{ field: "fds", expected: ["e0", "e1"], got: ["e1", "e0"] }]);
  });
});

describe("a call", () => {
  it.each([
    ["ret", { ret: -22 }],
    ["msi_irqs", { msiIrqs: [0, 2] as const }],
    ["gsi", { gsi: 24 }],
    ["routes", { routes: { nr: 39, set: [], gone: [2] } }],
  ])("differs in %s", (field, fields) => {
    const found = callDifferences(call("x"), call("x", [], fields), new EventfdNames());
    expect(found.map((difference) => difference.field)).toEqual([field]);
  });

  it("is a line of text", () => {
    const irqfd = call("assign", ["e1", "e2"], { op: "kvm_irqfd", gsi: 21 });
    expect(callText(irqfd)).toBe("kvm_irqfd assign [e1 e2] gsi 21");
    const routes = { nr: 40, set: ["24 0xfee00000 0x23"], gone: [2] };
    expect(callText(call("", [], { op: "kvm_routing", routes }))).toBe(
      "kvm_routing nr 40 set 24 0xfee00000 0x23 gone 2",
    );
  });
});
