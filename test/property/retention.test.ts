import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FATES } from "../../src/measure/fates.ts";
import type { DeviceSpec, RetentionSpec } from "../../src/scenario/types.ts";
import { MSIX, RetentionVm, rocker } from "../unit/host/vfio/retention/rig.ts";

const VECTORS = 16;
/** A descriptor that no process has. */
const CLOSED = 60_000;
const NAMES = ["a", "b", "c"] as const;

/** What one SET_IRQS of a sequence asks for; numbers below 0 mean -1, "closed" a bad descriptor. */
interface Call {
  readonly device: number;
  readonly start: number;
  readonly fds: readonly ("fd" | "none" | "closed")[];
  /** Before it, ms. */
  readonly wait: number;
  /** Interrupts raised before it, by vector. */
  readonly raise: readonly number[];
  /** Does not wait for the answer: the next call is made while this one is under way. */
  readonly async: boolean;
}

const fd = fc.oneof(
  { weight: 8, arbitrary: fc.constant("fd" as const) },
  { weight: 5, arbitrary: fc.constant("none" as const) },
  { weight: 1, arbitrary: fc.constant("closed" as const) },
);

function calls(devices: number): fc.Arbitrary<Call[]> {
  const call = fc.record({
    device: fc.nat(devices - 1),
    start: fc.nat(VECTORS - 1),
    fds: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 6, arbitrary: fc.array(fd, { minLength: 1, maxLength: 4 }) },
      { weight: 1, arbitrary: fc.array(fd, { minLength: 8, maxLength: VECTORS }) },
    ),
    wait: fc.constantFrom(0, 0, 1, 30, 200),
    raise: fc.array(fc.nat(VECTORS - 1), { maxLength: 2 }),
    async: fc.constantFrom(false, false, true),
  });
  return fc.array(call, { maxLength: 25 });
}

/** One of `fds` a vector, cut where the table ends; no fds at all is DATA_NONE from 0. */
function make(vm: PropertyVm, call: Call, wait: boolean): number | null {
  const name = NAMES[call.device]!;
  if (call.fds.length === 0) return vm.set(name, MSIX, 0, 0);
  const choices = call.fds.slice(0, VECTORS - call.start);
  const fds = choices.map((choice) => {
    return choice === "fd" ? vm.shared.fd : choice === "none" ? -1 : CLOSED;
  });
  if (wait) return vm.set(name, MSIX, call.start, fds);
  vm.postSet(name, call.start, fds);
  return null;
}

class PropertyVm extends RetentionVm {
  /** One eventfd for all vectors: what it is does not matter here. */
  readonly shared = this.eventfd();
}

/**
 * A second model of what a device holds, written from the policies' rules alone: sets, no time, no
 * table, one call after the other.
 */
class HeldModel {
  readonly held = new Set<number>();
  readonly armed = new Set<number>();
  readonly dynamic = new Set<number>();
  on = false;
  readonly #policy: RetentionSpec;

  constructor(policy: RetentionSpec) {
    this.#policy = policy;
  }

  call({ start, fds }: Call): void {
    if (fds.length === 0) {
      this.#off();
      return;
    }
    const block = fds.slice(0, VECTORS - start);
    const enables = !this.on;
    if (enables) for (let v = 0; v < start + block.length; v++) this.held.add(v);
    this.on = true;
    for (const [i, choice] of block.entries()) {
      if (this.#one(start + i, choice)) continue;
      for (let v = start; v <= start + i; v++) if (this.armed.delete(v)) this.#gone(v, "unwind");
      if (enables) this.#off();
      return;
    }
  }

  #one(vector: number, choice: Call["fds"][number]): boolean {
    if (this.armed.delete(vector)) this.#gone(vector, choice === "none" ? "unset" : "swap");
    if (choice === "none") return true;
    const taken = !this.held.has(vector);
    if (taken) {
      this.held.add(vector);
      this.dynamic.add(vector);
    }
    if (choice === "fd") this.armed.add(vector);
    else if (taken) this.#gone(vector, "failed");
    return choice === "fd";
  }

  #gone(vector: number, why: "swap" | "unset" | "unwind" | "failed"): void {
    const frees =
      this.#policy === "free-on-teardown" ||
      (why === "unset" && this.#policy === "free-on-unset") ||
      (why === "unset" && this.#policy === "free-dynamic" && this.dynamic.has(vector));
    if (!frees) return;
    this.held.delete(vector);
    this.dynamic.delete(vector);
  }

  #off(): void {
    this.on = false;
    for (const set of [this.held, this.armed, this.dynamic]) set.clear();
  }
}

const sorted = (set: ReadonlySet<number>): number[] => [...set].sort((x, y) => x - y);

describe("after each call the device holds what the policy's rule says", () => {
  for (const policy of ["cache", "free-on-teardown", "free-on-unset", "free-dynamic"] as const) {
    it(`under ${policy}`, () => {
      const property = fc.property(calls(1), (sequence) => {
        const vm = new PropertyVm({ retention: policy }, { devices: [rocker("a")] });
        const model = new HeldModel(policy);
        for (const call of sequence) {
          const ret = make(vm, call, true);
          // Turning off what is not on is refused, and changes nothing.
          if (call.fds.length > 0 || ret === 0) model.call(call);
          expect(vm.held("a")).toEqual(sorted(model.held));
          expect(vm.armed("a")).toEqual(sorted(model.armed));
        }
      });
      fc.assert(property, { numRuns: 150 });
    });
  }
});

const bounded: fc.Arbitrary<RetentionSpec> = fc.record(
  {
    policy: fc.constant("bounded" as const),
    reclaim: fc.constant(true),
    cap: fc.nat(4),
    idleTimeoutNs: fc.constantFrom(1e6, 50e6),
    watermark: fc.constantFrom(0.2, 0.5),
  },
  { requiredKeys: ["policy", "reclaim"] },
);
const anyPolicy: fc.Arbitrary<RetentionSpec> = fc.oneof(
  bounded,
  bounded,
  fc.constantFrom(
    "cache" as const,
    "free-on-teardown" as const,
    "free-on-unset" as const,
    "free-dynamic" as const,
  ),
);

/** Three devices on a table that is too small for them, each with a policy of its own. */
const machine = fc.tuple(
  fc.array(anyPolicy, { minLength: 3, maxLength: 3 }),
  fc.constantFrom(8, 20, 100),
);

function devicesOf(policies: readonly RetentionSpec[]): DeviceSpec[] {
  return NAMES.map((name, i) => rocker(name, policies[i]));
}

/** What is used of the pool is what the devices hold; nothing that is armed is not held. */
function expectConserved(vm: PropertyVm): void {
  const { pool } = vm.host.report();
  const held = NAMES.map((name) => vm.held(name));
  const sum = held.reduce((total, indexes) => total + indexes.length, 0);
  expect(pool.irqsHeld).toBe(sum);
  expect(pool.irtesUsed - pool.irtesBoot).toBe(sum);
  for (const [i, name] of NAMES.entries()) {
    expect(vm.armed(name).every((vector) => held[i]!.includes(vector))).toBe(true);
  }
}

/** Every interrupt that was raised has a fate, is in the eventfd, or waits in the function. */
function expectCounted(vm: PropertyVm): void {
  vm.host.settle();
  const [guest] = vm.host.report().guests;
  const { raised, fates } = guest!;
  const perRow = FATES.length;
  let all = 0;
  let ended = 0;
  for (const [row, count] of raised.entries()) {
    all += count;
    for (const n of fates.slice(row * perRow, (row + 1) * perRow)) ended += n;
  }
  expect(ended + Number(vm.readEventfd(vm.shared.slot))).toBe(all);
}

it("whatever the policies, the pool is conserved, armed irqs stay and no interrupt is lost", () => {
  const property = fc.property(machine, calls(3), ([policies, free], sequence) => {
    const vm = new PropertyVm({}, { free, devices: devicesOf(policies) });
    const boot = vm.host.inspectPool();
    for (const call of sequence) {
      for (const vector of call.raise) vm.raise(vector, NAMES[call.device]);
      if (call.wait > 0) vm.sleep(call.wait * 1e6);
      const armed = NAMES.map((name) => vm.armed(name));
      make(vm, call, !call.async);
      expectConserved(vm);
      // Only a device's own call takes its triggers away.
      for (const [i, name] of NAMES.entries()) {
        if (call.async || sequence.some((other) => other.async && other.device === i)) continue;
        if (i !== call.device) expect(vm.armed(name)).toEqual(armed[i]);
      }
    }
    vm.sleep(5e6);
    for (const [i, name] of NAMES.entries()) {
      const spec = policies[i]!;
      if (typeof spec === "string" || spec.policy !== "bounded" || spec.cap === undefined) continue;
      expect(vm.held(name).length - vm.armed(name).length).toBeLessThanOrEqual(spec.cap);
    }
    expectConserved(vm);
    expectCounted(vm);
    for (const name of NAMES) vm.close(vm.fd(name));
    const { matrix, irqs, tables } = vm.host.inspectPool();
    expect([irqs, tables]).toEqual([boot.irqs, boot.tables]);
    expect(matrix!.globalReserved).toBe(boot.matrix!.globalReserved);
  });
  fc.assert(property, { numRuns: 200 });
});

it("an irq that bounded keeps for longer than its timeout is in use", () => {
  const property = fc.property(calls(1), (sequence) => {
    const spec = { policy: "bounded", reclaim: false, idleTimeoutNs: 40e6 } as const;
    const vm = new PropertyVm({ retention: spec }, { devices: [rocker("a")] });
    for (const call of sequence) {
      make(vm, call, true);
      if (call.wait <= 40) continue;
      vm.sleep(call.wait * 1e6);
      expect(vm.held("a")).toEqual(vm.armed("a"));
    }
  });
  fc.assert(property, { numRuns: 60 });
});
