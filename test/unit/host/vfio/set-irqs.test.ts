import { describe, expect, it } from "vitest";
import { IrqSetCall, parseIrqSet } from "../../../../host/vfio/set-irqs.ts";
import { encodeIrqSet, packFds } from "../../../../src/uapi/vfio.ts";

const EFAULT = -14;
const EINVAL = -22;
/** Retyped from include/uapi/linux/vfio.h. */
const NONE = 1;
const BOOL = 2;
const EVENTFD = 4;
const TRIGGER = 32;

interface Header {
  argsz: number;
  flags: number;
  index: number;
  start: number;
  count: number;
}

/** A device with 8 vectors of every index but ERR, which it lacks. */
const irqCount = (index: number): number => (index === 3 ? 0 : 8);

function parse(header: Partial<Header>, data: Uint8Array = new Uint8Array(0)): unknown {
  const defaults = { argsz: 20 + data.length, flags: NONE | TRIGGER, index: 2, start: 0, count: 1 };
  return parseIrqSet(encodeIrqSet({ ...defaults, ...header }, data), irqCount);
}

describe("parseIrqSet, one refusal a rule, in the kernel's order", () => {
  it("needs a readable header before anything else", () => {
    expect(parseIrqSet(new Uint8Array(19), irqCount)).toBe(EFAULT);
  });

  it("refuses an argsz below 20", () => {
    expect(parse({ argsz: 19 })).toBe(EINVAL);
  });

  it("refuses an index beyond REQ", () => {
    expect(parse({ index: 5 })).toBe(EINVAL);
    expect(parse({ index: 0xffffffff })).toBe(EINVAL);
  });

  it("refuses a range that ends at or beyond 2^32 - 1", () => {
    expect(parse({ start: 1, count: 0xfffffffe })).toBe(EINVAL);
  });

  it("refuses unknown flag bits, the highest included", () => {
    expect(parse({ flags: NONE | TRIGGER | 0x40 })).toBe(EINVAL);
    expect(parse({ flags: 0x80000021 })).toBe(EINVAL);
  });

  it("refuses a start at the number of irqs, even with count 0", () => {
    expect(parse({ start: 8, count: 0 })).toBe(EINVAL);
    expect(parse({ start: 7, count: 0 })).toBeInstanceOf(IrqSetCall);
  });

  it("refuses a range that ends beyond the number of irqs", () => {
    expect(parse({ start: 7, count: 2 })).toBe(EINVAL);
    expect(parse({ start: 7, count: 1 })).toBeInstanceOf(IrqSetCall);
  });

  it("refuses everything for an index the device lacks, disabling too", () => {
    expect(parse({ index: 3, count: 0 })).toBe(EINVAL);
  });

  it("wants exactly one data type", () => {
    expect(parse({ flags: TRIGGER })).toBe(EINVAL);
    expect(parse({ flags: NONE | BOOL | TRIGGER })).toBe(EINVAL);
  });

  it("wants an argsz that covers the data", () => {
    const data = packFds([3, 4]);
    expect(parse({ flags: EVENTFD | TRIGGER, count: 2, argsz: 27 }, data)).toBe(EINVAL);
    expect(parse({ flags: EVENTFD | TRIGGER, count: 2, argsz: 28 }, data)).toBeInstanceOf(
      IrqSetCall,
    );
  });

  it("faults where argsz promises data that is not mapped", () => {
    expect(parse({ flags: BOOL | TRIGGER, count: 2, argsz: 22 })).toBe(EFAULT);
  });

  it("accepts any combination of action bits, which are judged later", () => {
    expect(parse({ flags: NONE })).toBeInstanceOf(IrqSetCall);
    expect(parse({ flags: NONE | 0x38 })).toBeInstanceOf(IrqSetCall);
  });

  it("reads descriptors as signed and booleans as bytes", () => {
    const fds = parse({ flags: EVENTFD | TRIGGER, count: 2 }, packFds([-1, 7])) as IrqSetCall;
    expect([fds.fd(0), fds.fd(1)]).toEqual([-1, 7]);
    const bools = parse({ flags: BOOL | TRIGGER, count: 2 }, Uint8Array.of(0, 255)) as IrqSetCall;
    expect([bools.bool(0), bools.bool(1)]).toEqual([false, true]);
  });
});
