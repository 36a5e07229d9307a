import { expect, it } from "vitest";
import { VectorMatrix } from "../../../../host/irq/vector-matrix.ts";
import { ENOSPC } from "../../../../src/base/errno.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

function matrix(cpus: number, vectors: number): { m: VectorMatrix; trace: TraceRecorder } {
  const trace = new TraceRecorder(new VirtualClock(), "host");
  return { m: new VectorMatrix(cpus, vectors, trace), trace };
}

it("takes the lowest free vector of the CPU that has most available, the first of equals", () => {
  const { m } = matrix(2, 4);
  expect([1, 2, 3, 4].map(() => m.alloc(false))).toEqual([0, 4, 1, 5]);
  m.free(0);
  expect(m.available(0)).toBe(3);
  expect(m.alloc(false)).toBe(0);
});

it("answers ENOSPC when no online CPU has a vector, and counts the failure", () => {
  const { m } = matrix(1, 2);
  m.alloc(false);
  m.alloc(false);
  expect(m.alloc(false)).toBe(-ENOSPC);
  expect(m.events.allocFail).toBe(1);
  expect(m.globalAvailable).toBe(0);
});

it("never refuses a reservation, and warns once when they pass what is available", () => {
  const { m, trace } = matrix(1, 3);
  for (let i = 0; i < 10; i++) m.reserve();
  const texts = trace.events.filter((e) => e.point === "printk").map((e) => e.args.text);
  expect(texts).toEqual(["Interrupt reservation exceeds available resources"]);
  expect(m.globalReserved).toBe(10);
  expect(m.globalAvailable).toBe(3);
});

it("an allocation out of a reservation uses it up, a removal gives it back", () => {
  const { m } = matrix(1, 3);
  m.reserve();
  m.reserve();
  m.alloc(true);
  expect([m.globalReserved, m.globalAvailable, m.totalAllocated]).toEqual([1, 2, 1]);
  m.unreserve();
  expect(m.globalReserved).toBe(0);
  expect(() => m.unreserve()).toThrow("no vector reservation");
});

it("an offline CPU takes its vectors out of the counts and brings them back", () => {
  const { m } = matrix(2, 4);
  m.alloc(false);
  m.alloc(false);
  m.offline(1);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([3, 1]);
  expect([m.alloc(false), m.alloc(false), m.alloc(false), m.alloc(false)]).toEqual([
    1,
    2,
    3,
    -ENOSPC,
  ]);
  m.free(4);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([0, 4]);
  m.online(1);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([4, 4]);
});

it("a managed irq sets one vector aside on every CPU of its mask, or on none", () => {
  const { m } = matrix(3, 2);
  expect(m.reserveManaged([0, 1])).toBe(0);
  expect([0, 1, 2].map((cpu) => m.available(cpu))).toEqual([1, 1, 2]);
  expect(m.globalAvailable).toBe(4);
  m.reserveManaged([1]);
  expect(m.reserveManaged([0, 1, 2])).toBe(-ENOSPC);
  expect([0, 1, 2].map((cpu) => m.available(cpu))).toEqual([1, 0, 2]);
});

it("a managed vector is taken from what was set aside and changes no availability", () => {
  const { m } = matrix(2, 4);
  m.reserveManaged([0, 1]);
  const first = m.allocManaged([0, 1]);
  const second = m.allocManaged([0, 1]);
  expect(new Set([Math.floor(first / 4), Math.floor(second / 4)])).toEqual(new Set([0, 1]));
  expect(m.allocManaged([0, 1])).toBe(-ENOSPC);
  expect(m.globalAvailable).toBe(6);
  m.free(first, true);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([6, 1]);
  m.removeManaged([Math.floor(first / 4)]);
  expect(m.globalAvailable).toBe(7);
});

it("plain allocations leave managed vectors alone", () => {
  const { m } = matrix(1, 3);
  m.reserveManaged([0]);
  expect([m.alloc(false), m.alloc(false), m.alloc(false)]).toEqual([1, 2, -ENOSPC]);
});

it("freeing a free vector is a broken invariant", () => {
  const { m } = matrix(1, 3);
  expect(() => m.free(1)).toThrow("free already");
});
