/** MSI-X masking and pending bits against a second, simpler model: sets of vector numbers. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { PciFunction } from "../../src/pci/function.ts";
import type { FunctionFate, InterruptSink } from "../../src/pci/types.ts";

const VECTORS = 40;

/** PCI 3.0, 6.8.3.4 in terms of sets. */
class SetModel implements InterruptSink {
  readonly log: string[] = [];
  readonly masked = new Set(Array.from({ length: VECTORS }, (_, vector) => vector));
  readonly pending = new Set<number>();
  enabled = false;
  maskAll = false;
  master = true;

  message(_kind: string, vector: number): void {
    this.log.push(`${vector} sent`);
  }

  wire(): void {}

  ended(_kind: string, vector: number, how: FunctionFate): void {
    this.log.push(`${vector} ${how}`);
  }

  raise(vector: number): void {
    if (this.pending.has(vector)) this.ended("msix", vector, "coalesced-pba");
    this.pending.add(vector);
    this.flush();
  }

  /** Whatever is pending and not held back leaves, lowest vector first. */
  flush(): void {
    if (!this.enabled || this.maskAll) return;
    for (const vector of [...this.pending].sort((a, b) => a - b)) {
      if (this.masked.has(vector)) continue;
      this.pending.delete(vector);
      if (this.master) this.message("msix", vector);
      else this.ended("msix", vector, "dropped-bus-master");
    }
  }

  reset(): void {
    for (const vector of [...this.pending].sort((a, b) => a - b)) {
      this.ended("msix", vector, "dropped-withdrawn");
    }
    this.pending.clear();
    for (let vector = 0; vector < VECTORS; vector++) this.masked.add(vector);
    this.enabled = false;
    this.maskAll = false;
    this.master = false;
  }
}

type Step =
  | { do: "raise"; vector: number }
  | { do: "mask"; vector: number; on: boolean; byTable: boolean }
  | { do: "control"; enable: boolean; maskAll: boolean }
  | { do: "master"; on: boolean }
  | { do: "reset" };

const vector = fc.nat(VECTORS - 1);
const on = fc.boolean();
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("raise" as const), vector }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("mask" as const), vector, on, byTable: on }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("control" as const), enable: on, maskAll: on }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("master" as const), on }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
);

function makeFunction(sink: InterruptSink): PciFunction {
  const fn = new PciFunction({
    name: "f",
    vendorId: 1,
    deviceId: 2,
    classCode: 0,
    interruptPin: 0,
    command: 0x6,
    bars: [],
    capabilities: [
      {
        kind: "msix",
        offset: 0x40,
        vectors: VECTORS,
        table: { bar: 0, offset: 0 },
        pba: { bar: 0, offset: 0x1000 },
      },
    ],
  });
  fn.sink = sink;
  return fn;
}

function applyToModel(model: SetModel, step: Step): void {
  if (step.do === "raise") model.raise(step.vector);
  else if (step.do === "reset") model.reset();
  else {
    if (step.do === "mask") model.masked[step.on ? "add" : "delete"](step.vector);
    else if (step.do === "master") model.master = step.on;
    else {
      model.enabled = step.enable;
      model.maskAll = step.maskAll;
    }
    model.flush();
  }
}

function applyToFunction(fn: PciFunction, step: Step): void {
  if (step.do === "raise") fn.raise("msix", step.vector);
  else if (step.do === "reset") fn.reset();
  else if (step.do === "master") fn.configWrite(0x04, 2, step.on ? 0x6 : 0x2);
  else if (step.do === "control") {
    fn.configWrite(0x42, 2, (step.enable ? 0x8000 : 0) | (step.maskAll ? 0x4000 : 0));
  } else if (step.byTable) fn.tableWrite(16 * step.vector + 12, 4, step.on ? 1 : 0);
  else fn.msix!.setVectorMask(step.vector, step.on);
}

function pendingOf(fn: PciFunction): number[] {
  const vectors: number[] = [];
  for (let i = 0; i < VECTORS; i++) {
    if (((fn.pbaRead((i >>> 5) * 4, 4) >>> (i & 31)) & 1) === 1) vectors.push(i);
  }
  return vectors;
}

test("messages, fates and pending bits are those of the set model, whatever software does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const model = new SetModel();
      const real = new SetModel();
      const fn = makeFunction(real);
      let raised = 0;
      for (const step of steps) {
        applyToModel(model, step);
        applyToFunction(fn, step);
        if (step.do === "raise") raised++;
        expect(real.log).toEqual(model.log);
        expect(pendingOf(fn)).toEqual([...model.pending].sort((a, b) => a - b));
        expect(fn.msix!.anyPending).toBe(model.pending.size > 0);
      }
      // Conservation: every raise was sent, ended inside, or is pending.
      expect(real.log.length + model.pending.size).toBe(raised);
    }),
    { numRuns: 300 },
  );
});
