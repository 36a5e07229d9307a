import { expect, it } from "vitest";
import { VectorMatrix } from "../../../../host/irq/vector-matrix.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";
import { TraceRecorder } from "../../../../src/trace/trace.ts";

const EINVAL = 22;
const ENOSPC = 28;

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

it("warns each time reservations pass what is available, not once for all", () => {
  const { m, trace } = matrix(1, 2);
  const warned = () => trace.events.filter((e) => e.point === "printk").length;
  m.reserve();
  m.reserve();
  expect(warned()).toBe(0);
  m.reserve();
  m.unreserve();
  m.reserve();
  expect(warned()).toBe(2);
});

it("an offline CPU gives no vectors, and takes its free ones out of the count and back", () => {
  const { m } = matrix(2, 4);
  expect([m.alloc(false), m.alloc(false)]).toEqual([0, 4]);
  m.offline(1);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([3, 2]);
  expect([1, 2, 3, 4].map(() => m.alloc(false))).toEqual([1, 2, 3, -ENOSPC]);
  m.online(1);
  expect([m.globalAvailable, m.alloc(false)]).toEqual([3, 5]);
});

it("what is freed on an offline CPU is free when it is back, but stays counted as in use", () => {
  const { m } = matrix(2, 4);
  m.alloc(false);
  m.alloc(false);
  m.offline(1);
  m.free(4);
  expect([m.globalAvailable, m.totalAllocated]).toEqual([3, 2]);
  m.online(1);
  expect([m.globalAvailable, m.totalAllocated, m.alloc(false)]).toEqual([7, 2, 4]);
});

it("a CPU is taken offline and online in turn only", () => {
  const { m } = matrix(2, 4);
  expect(() => m.online(1)).toThrow("online already");
  m.offline(1);
  expect(() => m.offline(1)).toThrow("offline already");
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

it("a managed vector is given by the CPU with fewest of them in use, the last of equals", () => {
  const { m } = matrix(3, 4);
  for (let i = 0; i < 2; i++) m.reserveManaged([0, 1, 2]);
  expect([1, 2, 3, 4].map(() => m.allocManaged([0, 1, 2]))).toEqual([8, 4, 0, 9]);
  expect(m.allocManaged([0, 1])).toBe(5);
  expect(m.allocManaged([1, 2])).toBe(-ENOSPC);
});

it("a managed vector needs a CPU in its mask, and one of them online", () => {
  const { m } = matrix(2, 4);
  m.reserveManaged([0, 1]);
  expect(m.allocManaged([])).toBe(-EINVAL);
  m.offline(1);
  expect(m.allocManaged([1])).toBe(-ENOSPC);
  expect(m.allocManaged([0, 1])).toBe(0);
});

it("a managed irq can be set up while a CPU of its mask is offline, and waits for it there", () => {
  const { m } = matrix(2, 2);
  m.offline(1);
  expect(m.reserveManaged([0, 1])).toBe(0);
  expect([m.globalAvailable, m.available(0), m.available(1)]).toEqual([1, 1, 2]);
  m.online(1);
  expect(m.allocManaged([1])).toBe(2);
});

it("a CPU counts too many free vectors after that, and then answers ENOSPC for want of one", () => {
  const { m } = matrix(2, 1);
  m.alloc(false);
  m.offline(1);
  m.reserveManaged([1]);
  m.online(1);
  expect([m.globalAvailable, m.available(1)]).toEqual([1, 1]);
  expect(m.alloc(false)).toBe(-ENOSPC);
  expect(m.events.allocFail).toBe(1);
});

it("the managed vectors removed while a CPU is offline do not count as free there either", () => {
  const { m } = matrix(2, 2);
  m.reserveManaged([0, 1]);
  m.offline(1);
  m.removeManaged([0, 1]);
  expect([m.globalAvailable, m.available(0), m.available(1)]).toEqual([2, 2, 1]);
  m.online(1);
  expect([m.globalAvailable, m.alloc(false), m.alloc(false)]).toEqual([3, 0, 1]);
});

it("only a managed vector that no irq uses can be removed", () => {
  const { m } = matrix(1, 2);
  m.reserveManaged([0]);
  m.allocManaged([0]);
  expect(() => m.removeManaged([0])).toThrow("no unused managed vector");
});

it("trace points of plain allocations are counted, those of managed ones are others", () => {
  const { m } = matrix(1, 4);
  m.reserveManaged([0]);
  m.reserve();
  const vectors = [m.allocManaged([0]), m.alloc(true)];
  m.free(vectors[0]!, true);
  m.free(vectors[1]!);
  expect(m.events).toEqual({ alloc: 1, reserve: 1, unreserve: 0, free: 2, allocFail: 0 });
});

it("freeing a free vector is a broken invariant", () => {
  const { m } = matrix(1, 3);
  expect(() => m.free(1)).toThrow("free already");
});
