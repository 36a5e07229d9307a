/** Sequences of system calls as plain data: what fast-check generates, shrinks and prints. */
import fc from "fast-check";
import type { HostSpec, KernelBug } from "../../src/scenario/types.ts";

/** Numbers that select are taken modulo what there is to select from when the step comes. */
interface OfGuest {
  readonly guest: number;
  /** Does not wait for the answer: the next steps happen while the call is under way. */
  readonly async: boolean;
}
interface OfDevice extends OfGuest {
  readonly device: number;
}

/** An eventfd: one that is open, -1, or a descriptor that is none. */
export type FdChoice = number | "none" | "closed" | "file";

export interface SetStep extends OfDevice {
  readonly do: "set";
  readonly index: number;
  readonly data: "none" | "bool" | "eventfd";
  readonly action: "mask" | "unmask" | "trigger" | "nothing";
  readonly start: number;
  readonly fds: readonly FdChoice[];
  /** Entries asked for, less or more than there are fds for. */
  readonly extra: number;
}

export type Step =
  | (OfDevice & { readonly do: "open" | "reset" })
  | (OfGuest & { readonly do: "close"; readonly file: number })
  | (OfGuest & { readonly do: "eventfd"; readonly initval: number })
  | (OfGuest & { readonly do: "kvm" })
  | SetStep
  | (OfDevice & { readonly do: "info"; readonly index: number })
  | (OfDevice & {
      readonly do: "config";
      readonly at: number;
      readonly size: 1 | 2 | 4;
      /** Null reads. */
      readonly value: number | null;
    })
  | (OfDevice & { readonly do: "poke"; readonly register: number; readonly value: number | null })
  | (OfGuest & {
      readonly do: "irqfd";
      readonly fd: FdChoice;
      readonly gsi: number;
      readonly flags: number;
      readonly resample: FdChoice;
    })
  | (OfGuest & { readonly do: "route"; readonly targets: readonly number[] })
  | (OfGuest & { readonly do: "vmexit"; readonly pin: number; readonly low: number | "eoi" })
  | (OfGuest & { readonly do: "signal" | "read"; readonly eventfd: number; readonly count: number })
  | (OfDevice & { readonly do: "unbind" | "bind" })
  | (OfGuest & { readonly do: "kill" })
  | (OfGuest & { readonly do: "wait"; readonly ns: number });

const guest = fc.nat(1);
const async = fc.boolean();
const device = fc.nat(3);

const fdChoice: fc.Arbitrary<FdChoice> = fc.oneof(
  { weight: 24, arbitrary: fc.nat(7) },
  { weight: 6, arbitrary: fc.constant("none" as const) },
  { weight: 1, arbitrary: fc.constantFrom("closed" as const, "file" as const) },
);

/** SET_IRQS of one index as a program would make it, but for the values. */
function set(
  index: fc.Arbitrary<number>,
  actions: readonly SetStep["action"][],
  start: fc.Arbitrary<number>,
  most: number,
  data: readonly SetStep["data"][] = ["eventfd", "eventfd", "eventfd", "none", "bool"],
): fc.Arbitrary<Step> {
  return fc.record({
    do: fc.constant("set" as const),
    guest,
    async,
    device,
    index,
    data: fc.constantFrom(...data),
    action: fc.constantFrom(...actions),
    start,
    fds: fc.array(fdChoice, { maxLength: most, size: "max" }),
    extra: fc.oneof({ weight: 15, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 3)),
  });
}

const zero = fc.constant(0);
const anyAction = ["trigger", "mask", "unmask", "nothing"] as const;
const sets: readonly { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 6, arbitrary: set(zero, ["trigger", "trigger", "unmask", "mask"], zero, 1) },
  { weight: 4, arbitrary: set(fc.constant(1), ["trigger"], fc.constantFrom(0, 0, 0, 1, 2), 4) },
  { weight: 5, arbitrary: set(fc.constant(2), ["trigger"], fc.nat(7), 2) },
  { weight: 4, arbitrary: set(fc.constant(2), ["trigger"], fc.constantFrom(0, 0, 1), 17) },
  { weight: 2, arbitrary: set(fc.constantFrom(3, 4), ["trigger"], zero, 1) },
  { weight: 1, arbitrary: set(fc.nat(5), anyAction, fc.nat(17), 17) },
  // What disables a mode.
  { weight: 4, arbitrary: set(fc.constantFrom(0, 1, 2), ["trigger"], zero, 0, ["none"]) },
];

/** Command, status, BARs, capabilities of all models and their neighbourhood. */
const configAt = fc.oneof(
  fc.constantFrom(4, 4, 5, 6, 0x10, 0x3c, 0x34),
  fc.integer({ min: 0x40, max: 0xff }),
  fc.constantFrom(0, 0xfc, 0x100, 0xffc, 0x1000),
);
const word: fc.Arbitrary<number> = fc.oneof(
  fc.constantFrom(0, 1, 3, 4, 6, 0x406, 0x400, 0x8000, 0xffff, 0xffffffff),
  fc.nat(0xffff),
);

const written: fc.Arbitrary<number | null> = fc.option(word, { freq: 4 });
const poked: fc.Arbitrary<number | null> = fc.option(fc.oneof(fc.nat(8), word), { freq: 8 });

const others: readonly { weight: number; arbitrary: fc.Arbitrary<Step> }[] = [
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const), guest, async, device }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reset" as const), guest, async, device }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("close" as const), guest, async, file: fc.nat(20) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("eventfd" as const),
      guest,
      async,
      initval: fc.constantFrom(0, 0, 0, 1, 5),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kvm" as const), guest, async }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("info" as const),
      guest,
      async,
      device,
      index: fc.nat(6),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("config" as const),
      guest,
      async,
      device,
      at: configAt,
      size: fc.constantFrom(1 as const, 2 as const, 4 as const),
      value: written,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("poke" as const),
      guest,
      async,
      device,
      register: fc.nat(7),
      value: poked,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("irqfd" as const),
      guest,
      async,
      fd: fdChoice,
      gsi: fc.oneof(fc.nat(25), fc.constantFrom(4095, 4096)),
      flags: fc.constantFrom(0, 0, 0, 1, 2, 2, 3, 4),
      resample: fdChoice,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("route" as const),
      guest,
      async,
      targets: fc.array(fc.nat(0x1ff), { maxLength: 8 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("vmexit" as const),
      guest,
      async,
      pin: fc.nat(24),
      low: fc.oneof(fc.constant("eoi" as const), fc.nat(0x1ffff)),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("signal" as const, "read" as const),
      guest,
      async,
      eventfd: fc.nat(7),
      count: fc.nat(3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom("unbind" as const, "bind" as const),
      guest,
      async,
      device,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kill" as const), guest, async }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      guest,
      async,
      ns: fc.constantFrom(0, 1000, 1e6, 2e8),
    }),
  },
];

/** A machine's life: what it is, whether its guests start set up, and what happens then. */
export interface Life {
  readonly host: HostSpec;
  readonly prepared: boolean;
  readonly steps: readonly Step[];
}

const PLATFORMS = ["x86-vtd", "x86-amd", "x86-flat", "arm64-its", "arm64-v2m"] as const;

const RETENTIONS: readonly HostSpec["retention"][] = [
  "free-on-teardown",
  "free-on-unset",
  "free-dynamic",
  { policy: "bounded", reclaim: true },
  { policy: "bounded", reclaim: true, cap: 2, idleTimeoutNs: 1e6, watermark: 0.2 },
];

const host: fc.Arbitrary<HostSpec> = fc.record({
  kernel: fc.constantFrom<HostSpec["kernel"][]>("linux-6.12", "linux-6.1", "linux-7.2"),
  platform: fc.constantFrom<HostSpec["platform"][]>(...PLATFORMS),
  fixed: fc.constantFrom<KernelBug[][]>([], ["its-msi-frees-part", "its-prepare-marks-shared"]),
  cpus: fc.constantFrom(1, 2),
  // 21 remapping entries and 10 vectors are the machine's own: what is left is soon used up.
  irtes: fc.constantFrom(64, 32, 1024),
  // Three LPIs are the machine's own.
  lpis: fc.constantFrom(57_344, 24, 40),
  vectorsPerCpu: fc.constantFrom(201, 12, 24),
  retention: fc.oneof(
    { weight: 3, arbitrary: fc.constant("cache" as const) },
    fc.constantFrom(...RETENTIONS),
  ),
  nointxmask: fc.boolean(),
});

/** At most `length` steps. */
export function lives(length: number): fc.Arbitrary<Life> {
  const step = fc.oneof(...sets, ...others);
  return fc.record({
    host,
    prepared: fc.constantFrom(true, true, true, false),
    steps: fc.array(step, { maxLength: length, size: "max" }),
  });
}
