import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { assert, unreachable } from "../../../../src/base/assert.ts";
import * as errno from "../../../../src/base/errno.ts";
import { InvariantError, UsageError } from "../../../../src/base/errors.ts";
import { formatRanges } from "../../../../src/base/ranges.ts";

describe("a usage error", () => {
  it("prints place, message and hint as compilers do", () => {
    const place = { file: "a.yaml", line: 3, column: 7 };
    const error = new UsageError("no such device", { place, hint: "devices: nvme0" });
    expect(error.format()).toBe("a.yaml:3:7: no such device\n  hint: devices: nvme0");
  });

  it("leaves out what it does not know", () => {
    expect(new UsageError("bad flag").format()).toBe("bad flag");
    expect(new UsageError("bad", { place: { file: "a.yaml" } }).format()).toBe("a.yaml: bad");
  });

  it("is told from an invariant error by its class and name", () => {
    expect(new UsageError("x")).not.toBeInstanceOf(InvariantError);
    expect([new UsageError("x").name, new InvariantError("x").name]).toEqual([
      "UsageError",
      "InvariantError",
    ]);
  });
});

describe("assert", () => {
  it("throws an invariant error if the condition fails, and builds its message only then", () => {
    assert(true, () => expect.unreachable());
    expect(() => assert(false, () => "counts differ")).toThrow(new InvariantError("counts differ"));
    expect(() => unreachable("x" as never)).toThrow(/unreachable: x/);
  });
});

describe("errno", () => {
  it("has Linux's numbers and names", () => {
    const names = Object.entries(errno).filter(([name]) => name.startsWith("E"));
    expect(names.length).toBeGreaterThan(15);
    for (const [name, number] of names) {
      expect([name, number]).toEqual([name, constants.errno[name as "EINVAL"]]);
      expect(errno.errnoName(-(number as number))).toBe(name);
    }
    expect(errno.errnoName(-4095)).toBe("errno 4095");
  });
});

describe("formatRanges", () => {
  it("joins neighbours and keeps the rest apart", () => {
    expect(formatRanges([])).toBe("");
    expect(formatRanges([0])).toBe("0");
    expect(formatRanges([0, 1, 2, 7, 9, 10])).toBe("0-2,7,9-10");
    expect(formatRanges(new Set([5, 6]))).toBe("5-6");
  });
});
