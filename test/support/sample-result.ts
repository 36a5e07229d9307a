/** A fixed result with something in every part of it, for reports and expectations. */
import { RUN_SCHEMA, type RunResult } from "../../src/run/result.ts";

const STAGES = [
  {
    stage: "raised->handler",
    count: 24_000,
    min: 180,
    p50: 240,
    p90: 410,
    p99: 2_900,
    p999: 41_000,
    max: 310_000,
  },
  {
    stage: "signalled->woken",
    count: 24_000,
    min: 310,
    p50: 820,
    p90: 1_900,
    p99: 9_400,
    p999: 88_000,
    max: 1_250_000,
  },
  {
    stage: "total",
    count: 24_000,
    min: 640,
    p50: 1_510,
    p90: 3_050,
    p99: 14_200,
    p999: 131_000,
    max: 1_400_000,
  },
];

export const SAMPLE: RunResult = {
  schema: RUN_SCHEMA,
  provenance: {
    version: "0.1.0",
    scenario: "nvme-reboot",
    scenarioHash: "0123456789abcdef",
    engine: "threads",
    seed: 42,
    kernel: "linux-6.12",
    options: { platform: "x86-vtd", retention: "cache", stages: "full", wait: "adaptive" },
    machine: { node: "v20.20.0", arch: "x64", os: "linux", cpuModel: "Some CPU @ 2 GHz", cpus: 4 },
  },
  partial: null,
  durationNs: 2_500_000_000,
  guests: [
    {
      name: "g1",
      state: "running",
      timeline: [
        { at: 0, event: "guest_power_on", detail: "" },
        { at: 12_300_000, event: "guest_kernel_boot", detail: "boot 1" },
        { at: 190_000_000, event: "guest_mode", detail: "device nvme0, mode msix" },
        { at: 700_400_000, event: "guest_mode", detail: "device nvme0, mode intx" },
        { at: 1_500_100_000, event: "guest_reboot", detail: "" },
        { at: 1_740_000_000, event: "guest_mode", detail: "device nvme0, mode msix" },
      ],
      counters: { ioctls: 412 },
      interrupts: 20_100,
    },
    {
      name: "g2",
      state: "crashed",
      timeline: [
        { at: 0, event: "guest_power_on", detail: "" },
        { at: 150_000_000, event: "guest_mode", detail: "device nvme1, mode msix" },
        { at: 2_000_000_000, event: "guest_crash", detail: "" },
      ],
      counters: { ioctls: 88 },
      interrupts: 3_900,
    },
  ],
  pool: {
    irqsHeld: 74,
    irqsPeak: 76,
    irtesUsed: 95,
    irtesBoot: 21,
    irtesPeak: 97,
    irtesSize: 65_536,
    vectorsUsed: 84,
    vectorsBoot: 10,
    vectorsPeak: 86,
    vectorsSize: 804,
    samples: [{ at: 190_000_000, irqs: 65, irtes: 86, vectors: 75 }],
  },
  leaked: { irqs: 0, irtes: 0, vectors: 0 },
  ioctls: { VFIO_DEVICE_SET_IRQS: 300, KVM_IRQFD: 146 },
  ledger: {
    rows: [
      {
        guest: "g1",
        source: "nvme0 msix[1]",
        raised: 20_400,
        fates: { delivered: 20_100, "coalesced-irr": 300 },
      },
      {
        guest: "g2",
        source: "nvme1 msix[1]",
        raised: 4_000,
        fates: { delivered: 3_900, "dropped-guest-reset": 97, "dropped-disabled": 3 },
      },
    ],
    raised: 24_400,
    totals: {
      delivered: 24_000,
      "coalesced-irr": 300,
      "dropped-guest-reset": 97,
      "dropped-disabled": 3,
    },
    violations: [],
  },
  latency: {
    stages: STAGES,
    guests: [
      { name: "g1", stages: STAGES },
      { name: "g2", stages: [] },
    ],
    floor: {
      spinOneWayNs: 140,
      parkOneWayNs: 6_100,
      clockNs: 38,
      reference: "spin",
      wakeModes: { spin: 21_000, park: 3_000 },
    },
    ratio: { p50: 10.8, p99: 101.4 },
  },
  checks: [
    { check: "conservation", ok: true, detail: "24,400 raised, all accounted for" },
    { check: "leaks", ok: true, detail: "" },
  ],
  expectations: [
    { text: "lost == 0", ok: false, left: 3, right: 0 },
    { text: "latency.p99 < 20ms", ok: true, left: 14_200, right: 20_000_000 },
    { text: "ratio.p50 < 100", ok: true, left: 10.8, right: 100 },
  ],
  warnings: [
    {
      text: "3 workers share 2 CPUs: the figures contain the scheduler of the operating system.",
      advice: "use --wait park, fewer guests, or --engine virtual",
    },
  ],
};
