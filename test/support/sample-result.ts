/** A fixed result with something in every part of it, for reports and expectations. */
import { LatencyHistogram } from "../../src/measure/histogram.ts";
import { IDLE_LIMITS_NS } from "../../src/measure/idle-spans.ts";
import {
  type DeviceHoldings,
  type RetentionResult,
  RUN_SCHEMA,
  type RunResult,
} from "../../src/run/result.ts";

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

const HELD: DeviceHoldings = {
  device: "nvme0",
  policy: "cache",
  armedIrqSeconds: 143.2,
  idleIrqSeconds: 12.5,
  armedIrteSeconds: 143.2,
  idleIrteSeconds: 12.5,
  armedVectorSeconds: 143.2,
  idleVectorSeconds: 0,
  allocations: 133,
  frees: 67,
  iecFlushes: 402,
  reused: 4,
  reclaimed: 0,
  failures: 1,
  failuresSuffered: 1,
  refusedAgain: 0,
  failuresCaused: 1,
};

const SPENT = { count: 65, min: 9_000, p50: 9_300, p90: 9_300, p99: 11_200, p999: 11_200 };

export const SAMPLE_RETENTION: RetentionResult = {
  effective: true,
  totals: HELD,
  policies: [
    {
      ...HELD,
      policy: "cache",
      devices: 1,
      idle: {
        count: 8,
        stillIdle: 2,
        min: 1_000_000,
        p50: 700_000_000,
        p90: 1_800_000_000,
        p99: 2_100_000_000,
        p999: 2_100_000_000,
        max: 2_100_000_000,
        meanNs: 900_000_000,
        over: IDLE_LIMITS_NS.map((limitNs) => {
          const count = limitNs < 1e9 ? 8 : limitNs === 1e9 ? 2 : 0;
          return { limitNs, count, share: count / 8 };
        }),
        histogram: new LatencyHistogram().toJSON(),
      },
      released: { teardown: 0, cap: 0, timeout: 0, pressure: 0, disable: 2 },
      arm: { stage: "arm", ...SPENT, max: 11_200 },
      rearm: { stage: "rearm", ...SPENT, max: 11_200 },
    },
  ],
  guests: [{ name: "g1", ...HELD }],
  devices: [HELD],
  failures: {
    total: 1,
    causedByIdle: 1,
    holders: { nvme0: 1 },
    victims: { nvme1: { failed: 1, causedByIdle: 1 } },
  },
  shortages: [
    {
      at: 1_201_000_000,
      device: "nvme1",
      kind: "msix",
      asked: 9,
      got: 4,
      table: "IR0",
      size: 128,
      used: 128,
      most: "nvme0 0000:00:01.0",
      mostEntries: 65,
      mostIdle: 12,
      idle: 12,
      idlest: "nvme0",
      idlestIdle: 12,
      causedByIdle: true,
    },
  ],
};

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
  retention: SAMPLE_RETENTION,
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
