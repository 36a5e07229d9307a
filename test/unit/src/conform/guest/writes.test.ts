import { describe, expect, it } from "vitest";
import {
  exclusion,
  sameWrite,
  writeOf,
  writeText,
} from "../../../../../src/conform/guest/writes.ts";

const CAPS = { msi: { offset: 0x50, bytes: 24 }, msix: { offset: 0x70 } };
const config = (offset: number, size = 2, value = 0) =>
  ({ kind: "config", offset, size, value }) as const;

describe("a guest's write", () => {
  it("is read off its line", () => {
    const table = { op: "g_tblw", vector: 3, field: "data", val: "0x23", i: 7, t: 0 };
    expect(writeOf(table)).toEqual({ kind: "table", vector: 3, field: 8, value: 0x23, line: 7 });
    const command = { op: "g_cfgw", off: "0x4", len: 2, val: "0x507", i: 8, t: 0 };
    expect(writeText(writeOf(command)!)).toBe("config 0x4/2 = 0x507");
    expect(writeOf({ op: "cfgw", i: 9, t: 0 })).toBeNull();
  });

  it("is the same by place, size and value", () => {
    expect(sameWrite(config(4, 2, 7), config(4, 2, 7))).toBe(true);
    expect(sameWrite(config(4, 2, 7), config(4, 4, 7))).toBe(false);
    expect(sameWrite(config(4), { kind: "table", vector: 0, field: 4, value: 0 })).toBe(false);
  });

  it("is compared in command register, MSI, MSI-X and table", () => {
    for (const offset of [4, 0x52, 0x54, 0x67, 0x72]) {
      expect(exclusion(config(offset), CAPS)).toBeNull();
    }
    expect(exclusion({ kind: "table", vector: 0, field: 0, value: 0 }, CAPS)).toBeNull();
  });

  it.each([
    [0x10, "BARs"],
    [0x30, "BARs"],
    [0x3c, "interrupt line"],
    [0x0d, "header"],
    [0x88, "other capabilities"],
  ])("to 0x%x is left out, with a reason", (offset, why) => {
    expect(exclusion(config(offset), CAPS)).toContain(why);
  });
});
