/** The scenario file as a user writes it: every key, its unit as text, its default, its limits. */
import { z } from "zod";
import { UsageError } from "../base/errors.ts";
import { parseDurationNs, parseRatePerSecond } from "../base/units.ts";
import { VCPUS_MAX } from "../shm/virtual-apic.ts";
import { DEFAULT_COSTS } from "../time/costs.ts";
import { parseBreakOn } from "./break-on.ts";
import { retentionSchema } from "./retention.ts";
import { vmmKeys } from "./vmm.ts";

/** 104 days: nanoseconds stay exact in a double. */
const DURATION_NS_MAX = 2 ** 53;

/** Nobody waits longer for a run without having said so. */
export const LIMIT_DEFAULT = "60s";

/** Of one action of a timeline. */
export const TIMES_MAX = 100_000;

/** Runs a parser of src/base/units.ts inside zod, keeping its words. */
function parsed(parse: (text: string) => number) {
  return (text: string, context: z.core.$RefinementCtx<string>): number => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      const params = { hint: error.hint };
      context.addIssue({ code: "custom", message: error.message, params });
      return z.NEVER;
    }
  };
}

/** Says what a bare number lacks. */
function unitMissing(example: (value: number) => string) {
  return ({ input }: { input: unknown }): string | undefined =>
    typeof input === "number" ? `needs a unit: ${example(input)}` : undefined;
}

const duration = z
  .string({ error: unitMissing((value) => `${value}ms or ${value}us`) })
  .transform(parsed(parseDurationNs))
  .refine((ns) => ns <= DURATION_NS_MAX, { message: "longer than 104 days" })
  .meta({ description: "A duration with its unit: 500ns, 20us, 200ms, 2.5s, 1m, 1h." });

const rate = z
  .string({ error: unitMissing((value) => `${value}/s`) })
  .transform(parsed(parseRatePerSecond))
  .meta({ description: "A rate with its unit: 500/s, 20k/s, 1.5M/s." });

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, {
  message: "is not a name: letters, digits, '.', '_' and '-', at most 63, a letter or digit first",
});

const count = z.int().min(1).max(4096).optional().meta({
  description: "Makes this many, named NAME0, NAME1, ...; a guest's devices follow suit.",
});

const retention = retentionSchema(duration);

const hostAction = z.strictObject({
  at: duration,
  do: z.enum(["unbind", "bind"]).meta({
    description: "unbind takes the device from vfio-pci, and so from its VM; bind gives it back.",
  }),
  device: z.string(),
});

const host = z.strictObject({
  kernel: z
    .enum(["linux-6.1", "linux-6.12", "linux-7.2"])
    .default("linux-6.12")
    .meta({ description: "Whose answers vfio-pci gives; 6.12 adds MSI-X vectors one by one." }),
  platform: z
    .enum(["x86-vtd", "x86-amd", "x86-flat", "arm64-its", "arm64-v2m"])
    .default("x86-vtd")
    .meta({
      description:
        "x86 with interrupt remapping by VT-d or AMD-Vi, or without any; arm64 with a GICv3 ITS " +
        "or with a GICv2m frame of 64 SPIs.",
    }),
  cpus: z.int().min(1).max(512).default(4),
  irtes: z
    .int()
    .min(32)
    .max(65_536)
    .optional()
    .meta({
      description:
        "Entries of an interrupt remapping table. VT-d: one for all devices, 65536 by default; " +
        "AMD-Vi: one for each device (or bridge), 512 by default, at most 2048.",
    }),
  lpis: z
    .int()
    .min(32)
    .max(57_344)
    .optional()
    .meta({ description: "LPIs of the ITS, which all devices share; 57344 by default." }),
  vectorsPerCpu: z.int().min(16).max(201).default(201),
  retention: retention.default("cache"),
  nointxmask: z
    .boolean()
    .default(false)
    .meta({ description: "vfio-pci's parameter: treat every device as if it had no DisINTx." }),
  fixed: z
    .array(z.enum(["its-msi-frees-part", "its-prepare-marks-shared"]))
    .optional()
    .meta({ description: "Bugs of the real kernel that this host does not have." }),
  timeline: z.array(hostAction).min(1).optional(),
  bugs: z
    .array(z.enum(["msi-unwind-unsigned", "intx-set-signal"]))
    .optional()
    .meta({
      description: "Bugs of a patch under review, or of older kernels, that this host has.",
    }),
});

const device = z.strictObject({
  name,
  count,
  model: z.enum([
    "nvme",
    "edu",
    "nic",
    "idxd",
    "ice-vf",
    "e1000e",
    "rocker",
    "nec-usb-xhci",
    "virtio-net",
  ]),
  msixVectors: z
    .int()
    .min(0)
    .max(2048)
    .optional()
    .meta({ description: "Size of the MSI-X table, 0 for none; default: the model's own." }),
  msiVectors: z
    .int()
    .min(0)
    .max(32)
    .optional()
    .meta({ description: "MSI vectors the capability offers, 0 for none; default: the model's." }),
  bridge: name.optional().meta({
    description: "The PCIe-to-PCI bridge it is behind; AMD-Vi has one table for all behind one.",
  }),
  moderation: duration.optional().meta({
    description: "Of a nic: interrupts of one vector are at least this far apart (EITR).",
  }),
  bist: z.boolean().optional().meta({
    description: "It has a self test, by which it resets itself behind the host's back.",
  }),
  retention: retention.optional(),
});

const storm = z.strictObject({ every: duration, for: duration, rate });

const workload = z.strictObject({
  arrivals: z
    .enum(["poisson", "fixed", "closed", "none"])
    .optional()
    .meta({
      description:
        "poisson, fixed: the device raises by itself at `rate`; closed: the guest keeps `depth` " +
        "commands under way. Default: poisson with a rate, closed with a depth, else none.",
    }),
  rate: rate.optional(),
  per: z.enum(["queue", "device"]).default("queue"),
  depth: z.int().min(1).max(1024).optional(),
  storm: storm.optional().meta({
    description: "Of open loops: every so often, for a while, the rate is another one.",
  }),
});

const timelineEntry = z.strictObject({
  at: duration,
  do: z.enum([
    "boot",
    "reboot",
    "reset",
    "crash",
    "shutdown",
    "kill",
    "unbind",
    "bind",
    "mode",
    "cpu-offline",
    "cpu-online",
    "io-start",
    "io-stop",
    "link-up",
    "link-down",
    "ethtool-l",
    "self-test",
    "set-affinity",
    "wq-enable",
    "wq-disable",
    "rdma-up",
    "rdma-down",
    "kexec",
    "crash-kexec",
    "suspend",
    "resume",
    "msi-over-msix",
    "bist",
    "intx-swap",
    "migrate",
    "stall",
    "corrupt",
  ]),
  to: z.enum(["intx", "msi", "msix"]).optional().meta({
    description: "Of `mode`: which one; of `crash-kexec`: the crash kernel's, default intx.",
  }),
  cpu: z
    .int()
    .min(0)
    .max(VCPUS_MAX - 1)
    .optional(),
  channels: z
    .int()
    .min(1)
    .max(8)
    .optional()
    .meta({ description: "Of `ethtool-l`: queues of each nic." }),
  vectors: z
    .int()
    .min(2)
    .max(2048)
    .optional()
    .meta({
      description:
        "Of `rdma-up`: MSI-X vectors that RDMA takes, one by one, as far as the table has them; " +
        "default one for each queue, and one for events.",
    }),
  queue: z
    .int()
    .min(0)
    .max(7)
    .optional()
    .meta({ description: "Of `wq-enable` and `wq-disable`: which work queue of each idxd." }),
  vector: z
    .int()
    .min(0)
    .max(2047)
    .optional()
    .meta({ description: "Of `set-affinity`: which vector of each device." }),
  cpus: z
    .array(
      z
        .int()
        .min(0)
        .max(VCPUS_MAX - 1),
    )
    .min(1)
    .optional()
    .meta({ description: "Of `set-affinity`: vCPUs it may go to, from its next interrupt on." }),
  for: duration.optional().meta({ description: "Of `stall`: how long." }),
  slots: z
    .int()
    .min(1)
    .max(100_000)
    .optional()
    .meta({ description: "Of `corrupt`: bad slots in the guest's ring; 64 by default." }),
  every: duration.optional().meta({
    description: "Repeats the action with this distance, until the guest or the run ends.",
  }),
  times: z.int().min(1).max(TIMES_MAX).optional().meta({ description: "How often, with `every`." }),
});

const guest = z.strictObject({
  name,
  count,
  ...vmmKeys,
  vcpus: z.int().min(1).max(VCPUS_MAX).default(1),
  device: z.string().optional(),
  devices: z.array(z.string()).min(1).optional(),
  driver: z.enum(["nvme", "edu", "nic", "idxd", "ice-vf"]).optional(),
  kernel: z
    .enum(["linux-2.6.18", "linux-6.1", "linux-6.12"])
    .optional()
    .meta({ description: "What the guest runs; 2.6.18 masks MSI-X vectors at each interrupt." }),
  firmware: z
    .array(z.enum(["intx", "msi"]))
    .max(4)
    .optional()
    .meta({
      description:
        "Modes in which firmware, then a boot loader, drive the devices before the kernel boots.",
    }),
  workload: workload.optional(),
  timeline: z.array(timelineEntry).min(1).optional(),
  stagger: duration.optional().meta({
    description: "Of a count: each guest's timeline begins so much later than that of the last.",
  }),
});

const run = z.strictObject({
  wait: z.enum(["spin", "park", "adaptive"]).default("adaptive"),
  stages: z.enum(["full", "ends"]).default("full"),
  limit: duration
    .prefault(LIMIT_DEFAULT)
    .meta({ description: "Wall-clock limit: the run ends there with a partial result." }),
  warmup: duration
    .optional()
    .meta({ description: "What is raised before this time is no latency sample." }),
  breakOn: z
    .string()
    .transform(parsed(parseBreakOn))
    .optional()
    .meta({
      description:
        'A limit such as "latency > 500us": the first interrupt beyond it ends the run, and the ' +
        "trace of what came before it is kept.",
    }),
});

const costNames = Object.keys(DEFAULT_COSTS) as (keyof typeof DEFAULT_COSTS)[];
const costs = z.strictObject(
  Object.fromEntries(costNames.map((cost) => [cost, duration.optional()])) as Record<
    keyof typeof DEFAULT_COSTS,
    z.ZodOptional<typeof duration>
  >,
);

export const scenarioSchema = z
  .strictObject({
    name: name.optional().meta({ description: "Default: the file's name." }),
    seed: z.int().min(0).default(1),
    host: host.prefault({}),
    devices: z.array(device).min(1),
    guests: z.array(guest).min(1),
    duration,
    run: run.prefault({}),
    costs: costs.default({}).meta({ description: "Costs of the virtual engine, see costs.ts." }),
    expect: z
      .array(z.string())
      .default([])
      .meta({ description: "Comparisons that decide the exit code: lost == 0." }),
  })
  .meta({ title: "vfio-cosim scenario" });

/** A scenario after defaults and units, before `count` and `every` are spelled out. */
export type ScenarioDocument = z.output<typeof scenarioSchema>;
export type DeviceEntry = ScenarioDocument["devices"][number];
export type GuestEntry = ScenarioDocument["guests"][number];
export type WorkloadEntry = NonNullable<GuestEntry["workload"]>;

/** The JSON Schema of a scenario file, for editors. */
export function scenarioJsonSchema(): object {
  return z.toJSONSchema(scenarioSchema, { io: "input", unrepresentable: "any" });
}
