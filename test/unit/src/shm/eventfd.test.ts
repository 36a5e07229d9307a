import { describe, expect, it } from "vitest";
import { EAGAIN, EINVAL } from "../../../../src/base/errno.ts";
import { EventfdTable } from "../../../../src/shm/eventfd.ts";

const U64_MAX = 2n ** 64n - 1n;

/** A table of three counters of which the middle one is used, at `count`. */
function counter(count = 0n, semaphore = false) {
  const memory = new SharedArrayBuffer(EventfdTable.bytes(3));
  const table = new EventfdTable(memory, 0, 3);
  table.init(1, 0, semaphore);
  const wide = new BigUint64Array(memory);
  wide[8] = count;
  return {
    table,
    count: () => table.count(1),
    others: () => [table.count(0), table.count(2)],
  };
}

describe("eventfd(2)", () => {
  it("starts at initval, an unsigned 32-bit number", () => {
    const { table, count } = counter();
    table.init(1, 0xffff_ffff, false);
    expect(count()).toBe(0xffff_ffffn);
    table.init(1, 0, false);
    expect(table.read(1)).toBe(0);
  });

  it("read returns the sum and clears it; empty is 0, for EAGAIN", () => {
    const { table } = counter();
    for (const n of [1, 2, 40n]) expect(table.write(1, n)).toBe(0);
    table.signal(1);
    expect([table.read(1), table.read(1), table.readBig(1)]).toEqual([44, 0, 0n]);
  });

  it("a semaphore's read returns one and counts down", () => {
    for (const start of [3n, 2n ** 31n, 2n ** 32n, U64_MAX]) {
      const { table, count } = counter(start, true);
      expect([table.read(1), count()]).toEqual([1, start - 1n]);
      expect([table.readBig(1), count()]).toEqual([1n, start - 2n]);
    }
    expect(counter(0n, true).table.read(1)).toBe(0);
    expect(counter(0n, true).table.readBig(1)).toBe(0n);
  });

  it("a write of 2^64-1 is EINVAL and changes nothing", () => {
    const { table, count } = counter(5n);
    for (const n of [U64_MAX, 2n ** 70n, -1n, -1]) expect(table.write(1, n)).toBe(-EINVAL);
    expect(count()).toBe(5n);
  });

  it("a write that would pass 2^64-2 is EAGAIN and changes nothing", () => {
    const { table, count } = counter(U64_MAX - 3n);
    expect(table.write(1, 3)).toBe(-EAGAIN);
    expect(table.write(1, 2)).toBe(0);
    expect(count()).toBe(U64_MAX - 1n);
    expect(table.write(1, 1)).toBe(-EAGAIN);
    expect(table.write(1, 0)).toBe(0);
    expect(counter().table.write(1, U64_MAX - 1n)).toBe(0);
  });

  it("a signal saturates at 2^64-1, after which even a write of 0 is EAGAIN", () => {
    const { table, count } = counter(U64_MAX - 1n);
    table.signal(1);
    expect(count()).toBe(U64_MAX);
    table.signal(1);
    expect(count()).toBe(U64_MAX);
    expect(table.write(1, 0)).toBe(-EAGAIN);
    expect(table.readBig(1)).toBe(U64_MAX);
    expect(count()).toBe(0n);
  });

  it("is exact around every border of its representation", () => {
    for (const border of [2n ** 31n, 2n ** 32n, 2n ** 32n + 2n ** 31n, 2n ** 33n, 2n ** 63n]) {
      for (let offset = -2n; offset <= 2n; offset++) {
        const { table, count, others } = counter(border + offset);
        table.signal(1);
        expect(count()).toBe(border + offset + 1n);
        expect(table.write(1, 3)).toBe(0);
        expect(count()).toBe(border + offset + 4n);
        expect(table.write(1, 2n ** 31n)).toBe(0);
        const total = border + offset + 4n + 2n ** 31n;
        expect(table.readBig(1)).toBe(total);
        expect([count(), ...others()]).toEqual([0n, 0n, 0n]);
        if (total < 2n ** 53n) {
          expect(table.write(1, total)).toBe(0);
          expect(table.read(1)).toBe(Number(total));
        }
      }
    }
  });

  it("tells a signaller that it may have made the eventfd readable", () => {
    const { table } = counter();
    expect([table.signal(1), table.signal(1)]).toEqual([true, false]);
    table.read(1);
    expect(table.signal(1)).toBe(true);
    expect(counter(2n ** 33n + 1n).table.signal(1)).toBe(false);
  });

  it("a zero low word above a high one is not empty", () => {
    const { table } = counter(2n ** 32n);
    expect(table.read(1)).toBe(2 ** 32);
  });
});
