import { describe, expect, it } from "vitest";
import { FdTable } from "../../../../host/process/fd-table.ts";

const FILE = { kind: "file" } as const;

describe("FdTable", () => {
  it("gives out the lowest free number, from 3", () => {
    const fds = new FdTable(8);
    expect([fds.install(FILE), fds.install(FILE), fds.install(FILE)]).toEqual([3, 4, 5]);
    fds.remove(4);
    fds.remove(3);
    expect([fds.install(FILE), fds.install(FILE), fds.install(FILE)]).toEqual([3, 4, 6]);
  });

  it("answers EMFILE when it is full, and has room again after a close", () => {
    const fds = new FdTable(2);
    fds.install(FILE);
    fds.install(FILE);
    expect(fds.install(FILE)).toBe(-24);
    fds.remove(3);
    expect(fds.install(FILE)).toBe(3);
  });

  it("knows nothing of numbers that are not open, whatever they are", () => {
    const fds = new FdTable(2);
    for (const fd of [-1, 0, 2, 3, 60_000, -(2 ** 31), 2 ** 31 - 1]) {
      expect(fds.get(fd)).toBeNull();
      expect(fds.remove(fd)).toBeNull();
      expect(fds.eventfdGet(fd)).toBe(-9);
    }
  });

  it("tells a closed descriptor from one that is no eventfd", () => {
    const fds = new FdTable(2);
    expect(fds.eventfdGet(fds.install(FILE))).toBe(-22);
  });
});
