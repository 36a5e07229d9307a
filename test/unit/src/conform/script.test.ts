import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { parseLine } from "../../../../src/conform/script.ts";

const PLACE = { file: "h.jsonl", line: 7 };
const op = (text: string) => parseLine(text, PLACE).op;

describe("parseLine", () => {
  it("tells a selected device from one that is addressed once", () => {
    expect(parseLine("@n8", PLACE)).toEqual({ device: "n8", op: { verb: "select" } });
    expect(parseLine("@n8 open", PLACE)).toEqual({ device: "n8", op: { verb: "open" } });
    expect(parseLine("open", PLACE).device).toBeNull();
  });

  it("reads SET_IRQS with every kind of data", () => {
    expect(op("set MSIX 3 7 EVENTFD|TRIGGER e0 e2..e3 -1 bad file 5*1")).toEqual({
      verb: "set",
      index: 2,
      start: 3,
      count: 7,
      flags: 4 | 32,
      data: [
        { kind: "eventfd", id: 0 },
        { kind: "eventfd", id: 2 },
        { kind: "eventfd", id: 3 },
        { kind: "number", value: -1 },
        { kind: "bad" },
        { kind: "file" },
        { kind: "number", value: 5 },
      ],
      argsz: null,
      fault: false,
    });
  });

  it("refuses more data than a call can take", () => {
    expect(op("set MSIX 0 1 EVENTFD|TRIGGER -1*65536")).toMatchObject({ count: 1 });
    for (const data of ["-1*65537", "e0..e65536", "-1*65536 -1", "e0*99999999999999999999"]) {
      expect(() => op(`set MSIX 0 1 EVENTFD|TRIGGER ${data}`)).toThrow("more than 65536 data");
    }
    expect(() => op("set MSIX 0 1 EVENTFD|TRIGGER e3..e1")).toThrow("e3..e1 is empty");
  });

  it("repeats data, and takes argsz and fault from anywhere in the line", () => {
    const set = op("set 5 0 2 0x80000021 argsz=0xffffffff -2*3 fault");
    expect(set).toMatchObject({ index: 5, flags: 0x80000021, argsz: 0xffffffff, fault: true });
    expect(set).toMatchObject({ data: Array(3).fill({ kind: "number", value: -2 }) });
  });

  it("reads counts beyond 2^53 exactly", () => {
    expect(op("sig e0 0xfffffffffffffffe")).toEqual({ verb: "sig", id: 0, count: 2n ** 64n - 2n });
    expect(op("sig e4")).toEqual({ verb: "sig", id: 4, count: 1n });
  });

  it("reads accesses, and information with its argsz", () => {
    expect(op("barw 0 0x60 4 1")).toEqual({
      verb: "barw",
      region: 0,
      offset: 0x60,
      size: 4,
      value: 1n,
    });
    expect(op("cfgr 0x72 2")).toEqual({ verb: "cfgr", offset: 0x72, size: 2 });
    expect(op("irqinfo 0xffffffff argsz=15")).toEqual({
      verb: "irqinfo",
      index: 0xffffffff,
      argsz: 15,
    });
    expect(op("pcicap hw")).toEqual({ verb: "pcicap", hardware: true });
  });

  it.each([
    ["frobnicate", "unknown operation frobnicate"],
    ["set MSIX 0", "count is missing"],
    ["set MSIX 0 1 EVENTFD|FLY e0", "unknown flag FLY"],
    ["set MSIX 0 1 EVENTFD|TRIGGER x", "x is not data"],
    ["set SPI 0 1 NONE", "index: SPI is not a number"],
    ["sig 3", "3 is not an eventfd"],
    ["open now", "words too many"],
  ])("refuses %j with file and line", (text, message) => {
    expect(() => op(text)).toThrow(UsageError);
    try {
      op(text);
    } catch (error) {
      expect((error as UsageError).format()).toMatch(/^h\.jsonl:7: /);
      expect((error as UsageError).message).toContain(message);
    }
  });
});
