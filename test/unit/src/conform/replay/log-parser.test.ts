/** Logs as they may come: each field's forms, and what is wrong with a place and a remedy. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../../src/base/errors.ts";
import type { LogEntry, SetIrqsEntry } from "../../../../../src/conform/replay/log.ts";
import { parseIoctlLog } from "../../../../../src/conform/replay/log-parser.ts";

const CALL = {
  t: 0,
  device: "a",
  index: "MSIX",
  start: 0,
  count: 1,
  flags: "EVENTFD|TRIGGER",
  fds: ["e0"],
  ret: 0,
};

function entriesOf(...lines: (object | string)[]): readonly LogEntry[] {
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  return parseIoctlLog(texts.map((text) => `${text}\n`).join(""), "x.jsonl").entries;
}

const call = (change: object): SetIrqsEntry => entriesOf({ ...CALL, ...change })[0] as SetIrqsEntry;

function errorOf(text: string): UsageError {
  try {
    parseIoctlLog(text, "x.jsonl");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error("no error");
}

describe("a call's fields", () => {
  it("may name index and flags, or give the numbers of linux/vfio.h", () => {
    expect(call({}).index).toBe(2);
    expect(call({}).flags).toBe(0x24);
    expect(call({ index: 2, flags: 36 })).toEqual(call({}));
    const long = "VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER";
    expect(call({ index: "VFIO_PCI_MSIX_IRQ_INDEX", flags: long })).toEqual(call({}));
    expect(call({ index: "msi-x", flags: "0x24" })).toEqual(call({}));
  });

  it("give a result as errno, as the kernel's negative, as strace prints it, or not at all", () => {
    expect(call({ ret: -1, errno: 22 }).ret).toBe(-22);
    expect(call({ ret: -1, errno: "EINVAL" }).ret).toBe(-22);
    expect(call({ ret: -22 }).ret).toBe(-22);
    expect(call({ ret: "-1 EINVAL (Invalid argument)" }).ret).toBe(-22);
    expect(call({ ret: "5" }).ret).toBe(5);
    expect(call({ ret: 994, errno: 0 }).ret).toBe(994);
    expect(call({ ret: null }).ret).toBeNull();
    expect(call({ ret: "?" }).ret).toBeNull();
  });

  it("name descriptors by number or eN; -1 is none, other negatives are what they are", () => {
    expect(call({ count: 6, fds: ["e1", 30, "30", -1, "bad", -2] }).fds).toEqual([
      "e1",
      "30",
      "30",
      -1,
      "bad",
      "-2",
    ]);
  });

  it("have an argsz of header and listed data, unless they say another", () => {
    expect(call({}).argsz).toBe(24);
    expect(call({ flags: "NONE|TRIGGER", fds: undefined }).argsz).toBe(20);
    expect(call({ flags: "BOOL|TRIGGER", count: 2, bools: [1, false] }).argsz).toBe(22);
    expect(call({ count: 9, argsz: 24 })).toMatchObject({ argsz: 24, fds: ["e0"], count: 9 });
  });

  it("need no device where the header describes just one", () => {
    const { device: _, ...anonymous } = CALL;
    const entries = entriesOf({ devices: [{ name: "nic" }] }, anonymous);
    expect(entries[0]).toMatchObject({ device: "nic" });
  });
});

describe("time", () => {
  it("is in nanoseconds, unless a fraction or the header says seconds", () => {
    const times = (...lines: object[]): unknown[] => entriesOf(...lines).map((e) => e.timeNs);
    const at = (t: unknown): object => ({ ...CALL, t });
    expect(times(at(0), at(1500), at(null))).toEqual([0, 1500, null]);
    expect(times(at(1), at(1.5))).toEqual([1e9, 1.5e9]);
    expect(times(at("1700000000.000000"))).toEqual([1.7e18]);
    expect(times({ time: "s" }, at(2))).toEqual([2e9]);
    expect(times({ time: "ns" }, at(2.5))).toEqual([2.5]);
  });
});

describe("other lines", () => {
  it("open, close, reset, ask, assign, and tell", () => {
    const entries = entriesOf(
      "# a comment",
      "",
      { op: "open", device: "a", ret: 12 },
      { op: "VFIO_DEVICE_RESET", device: "a", ret: 0 },
      { op: "get_irq_info", device: "a", index: 2, count: 64, iflags: "EVENTFD|NORESIZE", ret: 0 },
      { op: "kvm_irqfd", act: "deassign", fd: 30, gsi: 24, ret: 0 },
      { op: "irqfd", fd: "e1", gsi: 21, resample: "e2", ret: 0 },
      { op: "eventfd", fd: 30 },
      { op: "eventfd_close", fd: 30 },
      { op: "cfgw", dev: "a", off: "0x4", len: 2, val: "0x507", ret: 2 },
      { op: "comment", text: "done" },
      { op: "close", device: "a", ret: 0 },
    );
    const ops = "comment open reset get_irq_info irqfd irqfd eventfd eventfd_close command comment";
    expect(entries.map(({ op }) => op).join(" ")).toBe(`${ops} close`);
    expect(entries[3]).toMatchObject({ count: 64, iflags: 9, line: 5 });
    expect(entries[5]).toMatchObject({ act: "assign", resample: "e2" });
    expect(entries[8]).toMatchObject({ value: 0x507 });
  });

  it("of a VMM's recording that no model answers are left out", () => {
    const entries = entriesOf(CALL, { op: "q", ev: "x" }, { op: "barw" }, { op: "cfgw", off: 16 });
    expect(entries).toHaveLength(1);
  });
});

describe("a wrong log", () => {
  const good = JSON.stringify(CALL);
  const change = (fields: object): string => `${JSON.stringify({ ...CALL, ...fields })}\n`;
  it.each([
    ["", undefined, undefined, "no calls"],
    ["# only words\n", undefined, undefined, "no calls"],
    [`${good}\n{"t":0,"dev`, 2, 12, "the last line is cut off"],
    [`${good}\n{"t":0,"device":"a\\`, 2, 19, "the last line is cut off"],
    [`${good}\n{"t":0,"dev\n${good}\n`, 2, 12, "not JSON"],
    ["[]\n", 1, 1, "not an object"],
    [' "x"\n', 1, 2, "not an object"],
    [change({ index: "MSIY" }), 1, 29, 'unknown index "MSIY"'],
    [change({ index: -1 }), 1, 29, "index -1 is below 0"],
    [change({ flags: "EVENTFD|TRIGER" }), 1, 64, 'unknown flag "TRIGER"'],
    [change({ flags: undefined }), 1, 1, "flags is missing"],
    [change({ count: -1 }), 1, 54, "count -1 is below 0"],
    [change({ count: 2 ** 32 }), 1, 54, "count 4294967296 is above 4294967295"],
    [change({ count: 1.5 }), 1, 54, "count 1.5 is not a whole number"],
    [change({ count: 1e9 }), 1, undefined, "count 1000000000, but 1 fds"],
    [change({ start: undefined }), 1, 1, "start is missing"],
    [change({ device: undefined }), 1, 1, "device is missing"],
    [change({ device: 7 }), 1, 17, "device is not text"],
    [change({ fds: "e0" }), 1, undefined, "fds is not an array"],
    [change({ fds: ["x"] }), 1, undefined, '"x" is no descriptor'],
    [change({ fds: [2 ** 31] }), 1, undefined, "is above 2147483647"],
    [change({ ret: undefined }), 1, 1, "ret is missing"],
    [change({ ret: -1 }), 1, undefined, "ret -1 without errno"],
    [change({ ret: -22, errno: 5 }), 1, undefined, "ret -22 and errno 5 differ"],
    [change({ ret: -1, errno: "EWHAT" }), 1, undefined, "unknown error EWHAT"],
    [change({ t: "soon" }), 1, 6, 't "soon" is no time'],
    [change({ op: "set_irq" }), 1, undefined, 'unknown op "set_irq"'],
    [`${good}\n{"kernel":"linux-6.1"}\n`, 2, 1, "a header after calls"],
    ['{"kernl":1}\n', 1, 10, "unknown key kernl"],
    ['{"kernel":"linux-5"}\n', 1, 11, "there is no kernel linux-5"],
    ['{"devices":[{"model":"nvme"}]}\n', 1, 12, "a device has no name"],
    ['{"devices":[{"name":"a"},{"name":"a"}]}\n', 1, 12, "two devices are named a"],
    ['{"cpus":0}\n', 1, 9, "cpus 0 is below 1"],
  ])("%j is refused at %s:%s with a remedy", (text, line, column, message) => {
    const error = errorOf(text);
    expect(error.message).toContain(message);
    expect(error.place.line).toBe(line);
    if (column !== undefined) expect(error.place.column).toBe(column);
    expect(error.hint).toMatch(/\S/);
  });

  it("may miss the end of its last line, if that is whole, and may begin with a BOM", () => {
    expect(parseIoctlLog(`\uFEFF${good}\r\n${good}`, "x").entries).toHaveLength(2);
  });
});
