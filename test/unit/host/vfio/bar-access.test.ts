/** BAR access through the file (vfio_pci_bar_rw, do_io_rw), seen from the device. */
import { describe, expect, it } from "vitest";
import { type BarTarget, barAccess } from "../../../../host/vfio/bar-access.ts";
import { PciFunction } from "../../../../src/pci/function.ts";
import { Mutex, type Process, sleep, withLock } from "../../../../src/time/process.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

const [EIO, EINVAL] = [-5, -22];
/** BAR 0: 256 bytes, of which the MSI-X table has 0x40..0x7f. BAR 2: I/O. */
const SIZE = 256;

class Bench {
  readonly log: string[] = [];
  readonly scheduler = new Scheduler(new VirtualClock());
  readonly lock = new Mutex("memory");
  memory = true;
  readonly #target: BarTarget;

  constructor() {
    const fn = new PciFunction({
      name: "f",
      vendorId: 1,
      deviceId: 2,
      classCode: 0,
      interruptPin: 0,
      command: 0,
      bars: [
        { index: 0, kind: "mem32", size: SIZE },
        { index: 2, kind: "io", size: 32 },
      ],
      capabilities: [
        {
          kind: "msix",
          offset: 0x40,
          vectors: 4,
          table: { bar: 0, offset: 0x40 },
          pba: { bar: 0, offset: 0x80 },
        },
      ],
    });
    const physical = {
      fn,
      barRead: (bar: number, at: number, size: number) => {
        this.log.push(`${bar}:${at.toString(16)} ${size}`);
        let value = 0n;
        for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(at + i);
        return value;
      },
      barWrite: (bar: number, at: number, size: number, value: bigint) => {
        this.log.push(`${bar}:${at.toString(16)} ${size} = ${value.toString(16)}`);
      },
    } as unknown as BarTarget["physical"];
    this.#target = {
      physical,
      memoryEnabled: () => this.memory,
      memoryLock: this.lock,
      accessNs: 100,
    };
  }

  spawn(bar: number, offset: number, bytes: Uint8Array, write = false): { ret: number | null } {
    const target = this.#target;
    const result: { ret: number | null } = { ret: null };
    this.scheduler.spawn(
      "access",
      (function* (): Process {
        result.ret = yield* barAccess(target, bar, offset, bytes, write);
      })(),
    );
    return result;
  }

  read(offset: number, bytes: Uint8Array | number, bar = 0): number {
    const result = this.spawn(
      bar,
      offset,
      typeof bytes === "number" ? new Uint8Array(bytes) : bytes,
    );
    while (this.scheduler.runNext());
    return result.ret!;
  }

  write(offset: number, bytes: number[], bar = 0): number {
    const result = this.spawn(bar, offset, Uint8Array.from(bytes), true);
    while (this.scheduler.runNext());
    return result.ret!;
  }
}

describe("an access", () => {
  it("is made of aligned pieces of four, two and one bytes", () => {
    const bench = new Bench();
    const bytes = new Uint8Array(11);
    expect(bench.read(0x1, bytes)).toBe(11);
    expect(bench.log).toEqual(["0:1 1", "0:2 2", "0:4 4", "0:8 4"]);
    expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it("has no pieces of eight bytes", () => {
    const bench = new Bench();
    expect(bench.write(0x10, [1, 2, 3, 4, 5, 6, 7, 0x88])).toBe(8);
    expect(bench.log).toEqual(["0:10 4 = 4030201", "0:14 4 = 88070605"]);
  });

  it("of three bytes at an even place is two and one, at an odd one one and two", () => {
    const bench = new Bench();
    bench.write(0x10, [1, 2, 3]);
    bench.write(0x11, [1, 2, 3]);
    expect(bench.log).toEqual(["0:10 2 = 201", "0:12 1 = 3", "0:11 1 = 1", "0:12 2 = 302"]);
  });

  it("is cut at the end of the BAR, and EINVAL from there on", () => {
    const bench = new Bench();
    expect(bench.read(0xfc, 64)).toBe(4);
    expect(bench.read(0xff, 1)).toBe(1);
    expect(bench.read(0x100, 1)).toBe(EINVAL);
    expect(bench.read(0, 4, 1)).toBe(EINVAL);
    expect(bench.log).toEqual(["0:fc 4", "0:ff 1"]);
  });

  it("of no bytes is nothing", () => {
    expect(new Bench().read(0, 0)).toBe(0);
  });
});

describe("the MSI-X table", () => {
  it("reads as ones and takes nothing, and what is around it is accessed", () => {
    const bench = new Bench();
    const bytes = new Uint8Array(0x48);
    expect(bench.read(0x3c, bytes)).toBe(0x48);
    expect(bench.log).toEqual(["0:3c 4", "0:80 4"]);
    expect([...bytes.subarray(0, 5)]).toEqual([0x3c, 0x3d, 0x3e, 0x3f, 0xff]);
    expect([...bytes.subarray(0x43)]).toEqual([0xff, 0x80, 0x81, 0x82, 0x83]);
    bench.log.length = 0;
    expect(bench.write(0x3e, Array(0x44).fill(7))).toBe(0x44);
    expect(bench.log).toEqual(["0:3e 2 = 707", "0:80 2 = 707"]);
  });

  it("cuts an access before it, even in the middle of four bytes", () => {
    const bench = new Bench();
    bench.write(0x3c, [1, 2, 3, 4, 5]);
    bench.write(0x3f, [1, 2]);
    bench.write(0x7f, [1, 2]);
    expect(bench.log).toEqual(["0:3c 4 = 4030201", "0:3f 1 = 1", "0:80 1 = 2"]);
  });

  it("inside reads as ones to the last byte", () => {
    const bench = new Bench();
    const bytes = new Uint8Array(3);
    expect(bench.read(0x7c, bytes)).toBe(3);
    expect([...bytes, bench.log.length]).toEqual([0xff, 0xff, 0xff, 0]);
  });

  it("is in one BAR only", () => {
    const bench = new Bench();
    expect(bench.read(0x1c, 4, 2)).toBe(4);
    expect(bench.log).toEqual(["2:1c 4"]);
  });
});

describe("memory decoding that is off", () => {
  it("is EIO, but for I/O BARs", () => {
    const bench = new Bench();
    bench.memory = false;
    expect([bench.read(0, 4), bench.write(0, [1])]).toEqual([EIO, EIO]);
    expect(bench.read(0, 4, 2)).toBe(4);
    expect(bench.log).toEqual(["2:0 4"]);
  });

  it("does not matter for the MSI-X table, which is never touched", () => {
    const bench = new Bench();
    bench.memory = false;
    expect(bench.read(0x40, 16)).toBe(16);
  });

  it("is asked before each piece", () => {
    const bench = new Bench();
    const result = bench.spawn(0, 0, new Uint8Array(8));
    bench.scheduler.runNext();
    bench.scheduler.runNext();
    bench.memory = false;
    while (bench.scheduler.runNext());
    expect([result.ret, bench.log]).toEqual([EIO, ["0:0 4"]]);
  });
});

it("an access waits as long as somebody holds the memory lock", () => {
  const bench = new Bench();
  let held = true;
  bench.scheduler.spawn(
    "reset",
    withLock(bench.lock, function* (): Process {
      while (held) yield* sleep(10);
    }),
  );
  bench.scheduler.runNext();
  const result = bench.spawn(0, 0, new Uint8Array(4));
  for (let i = 0; i < 20; i++) bench.scheduler.runNext();
  expect([result.ret, bench.log]).toEqual([null, []]);
  held = false;
  while (bench.scheduler.runNext());
  expect([result.ret, bench.log]).toEqual([4, ["0:0 4"]]);
});
