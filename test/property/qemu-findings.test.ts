/** Any guest on any QEMU: the calls that the recordings' findings predict. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Findings, type FindingsOptions } from "../support/qemu-findings.ts";
import { createRig, Hands, only, type Rig } from "../unit/guest/vmm/rig.ts";

const VECTORS = 6;
const MSIX_CAP = 0x70;
const MSI_CAP = 0x50;
const ENABLE = 0x8000;
const FUNCTION_MASK = 0x4000;

type Step =
  | { readonly do: "mask"; readonly v: number; readonly masked: boolean }
  | { readonly do: "message"; readonly v: number }
  | { readonly do: "msix"; readonly on: boolean; readonly functionMask: boolean }
  | { readonly do: "msi"; readonly on: boolean; readonly log2: number }
  | { readonly do: "reset" | "reroute" };

const vector = fc.integer({ min: 0, max: VECTORS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("mask"), v: vector, masked: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("message"), v: vector }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("msix"),
      on: fc.boolean(),
      functionMask: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("msi"),
      on: fc.boolean(),
      log2: fc.integer({ min: 0, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("reset", "reroute") }) },
) as fc.Arbitrary<Step>;

const options: fc.Arbitrary<FindingsOptions> = fc.record({
  version: fc.constantFrom("7.2", "10.0", "11.1"),
  noresize: fc.boolean(),
  kvm: fc.boolean(),
  vectors: fc.constant(VECTORS),
});

/** Eventfds renamed by their first use. */
function renamed(calls: readonly string[]): string[] {
  const names = new Map<string, string>();
  return calls.map((call) =>
    call.replace(/\b[ef]\d+\b/g, (fd) => {
      if (!names.has(fd)) names.set(fd, `#${names.size}`);
      return names.get(fd)!;
    }),
  );
}

class Guest {
  readonly findings: Findings;
  readonly rig: Rig;
  readonly #hands: Hands;
  #msixOn = false;
  #msiOn = false;
  #pin = 100;

  constructor(given: FindingsOptions) {
    const { version, noresize, kvm } = given;
    this.rig = createRig({
      version,
      noresize,
      path: kvm ? "irqfd" : "userspace",
      msixVectors: VECTORS,
      msiVectors: 8,
      msixCap: MSIX_CAP,
      msiCap: MSI_CAP,
    });
    this.rig.powerOn();
    // From the INTx that the power-on reset leaves on.
    this.rig.run(this.rig.vm.systemReset());
    const log = this.#calls();
    const last = log.lastIndexOf("reset");
    this.findings = new Findings(given);
    this.first = log.slice(last + 1);
    this.#hands = new Hands(this.rig, 0x2000, MSIX_CAP);
  }

  readonly first: string[];

  #calls(): string[] {
    return only(this.rig.host.take(), "INTX", "MSIX", "MSI ", "reset", "REQ", "ERR");
  }

  take(): string[] {
    return [...this.first.splice(0), ...this.#calls()];
  }

  step(now: Step): void {
    const { rig, findings } = this;
    const { vm, fn } = rig;
    switch (now.do) {
      case "mask":
        if (now.masked) this.#hands.mask(now.v);
        else this.#hands.unmask(now.v);
        findings.mask(now.v, now.masked);
        return;
      case "message":
        this.#hands.message(now.v, now.v & 1, 0x40 + now.v);
        return;
      case "msix":
        this.#msix(now);
        return;
      case "msi":
        this.#msi(now);
        return;
      case "reset":
        rig.run(vm.systemReset());
        findings.reset();
        this.#msixOn = false;
        this.#msiOn = false;
        return;
      case "reroute":
        rig.run(vm.routeIntx(fn, ++this.#pin));
        if (findings.mode === "intx") findings.reroute();
    }
  }

  #msix({ on, functionMask }: { readonly on: boolean; readonly functionMask: boolean }): void {
    const { findings } = this;
    if (this.#msiOn) return;
    this.#hands.control((on ? ENABLE : 0) | (functionMask ? FUNCTION_MASK : 0));
    if (on && this.#msixOn) findings.functionMask(functionMask);
    else if (on) findings.msixOn(functionMask);
    else if (this.#msixOn) findings.msixOff();
    this.#msixOn = on;
  }

  /** Not while MSI-X is on: that aborts. */
  #msi({ on, log2 }: { readonly on: boolean; readonly log2: number }): void {
    const { rig, findings } = this;
    if (this.#msixOn || on === this.#msiOn) return;
    rig.run(rig.vm.configWrite(rig.fn, MSI_CAP + 2, 2, (log2 << 4) | (on ? 1 : 0)));
    if (on) findings.msiOn(log2);
    else findings.msiOff();
    this.#msiOn = on;
  }
}

describe("QEMU", () => {
  it("makes the calls that the findings predict, whatever a guest writes in whatever order", () => {
    fc.assert(
      fc.property(options, fc.array(step, { maxLength: 40 }), fc.boolean(), (given, steps, end) => {
        const guest = new Guest(given);
        for (const now of steps) guest.step(now);
        if (end) {
          guest.rig.run(guest.rig.vm.eject(guest.rig.fn));
          guest.findings.unplug();
        }
        expect(renamed(guest.take())).toEqual(renamed(guest.findings.calls));
      }),
      { numRuns: 300 },
    );
  });
});
