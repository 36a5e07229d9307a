/** The shape of a stored run (src/run/result.ts), as far as reports read it. */
import type { RunResult } from "../run/result.ts";
import type { Shape } from "./shape.ts";

export const RUN_SCHEMA: RunResult["schema"] = "vfio-cosim/run/1";

const COUNTS: Shape = { mapOf: "number" };

export const HISTOGRAM_SHAPE: Shape = {
  keys: {
    digits: "number",
    highest: "number",
    min: "number",
    max: "number",
    clampedLow: "number",
    clampedHigh: "number",
    counts: { listOf: "number" },
  },
};

const STAGE: Shape = {
  keys: {
    stage: "string",
    count: "number",
    min: "number",
    p50: "number",
    p90: "number",
    p99: "number",
    p999: "number",
    max: "number",
  },
};

const STAGES: Shape = { listOf: STAGE };

const FLOOR_FIGURES = {
  spinOneWayNs: { nullOr: "number" },
  parkOneWayNs: { nullOr: "number" },
  clockNs: "number",
} satisfies Record<string, Shape>;

export const FLOOR_SHAPE: Shape = {
  keys: {
    ...FLOOR_FIGURES,
    reference: "string",
    wakeModes: COUNTS,
    "?before": { keys: FLOOR_FIGURES },
    "?after": { keys: FLOOR_FIGURES },
    "?drift": { nullOr: "number" },
  },
};

const SERIES: Shape = { listOf: "number" };

const POOL: Shape = {
  keys: {
    "?entries": "string",
    irqsHeld: "number",
    irqsPeak: "number",
    irtesUsed: "number",
    irtesBoot: "number",
    irtesPeak: "number",
    irtesSize: "number",
    vectorsUsed: "number",
    vectorsBoot: "number",
    vectorsPeak: "number",
    vectorsSize: "number",
    "?occupancy": {
      keys: {
        at: SERIES,
        holders: { listOf: { keys: { name: "string", irqs: SERIES, irtes: SERIES } } },
        "?others": { keys: { count: "number", irqs: SERIES, irtes: SERIES } },
      },
    },
  },
};

const PROVENANCE: Shape = {
  keys: {
    version: "string",
    scenario: "string",
    scenarioHash: "string",
    engine: "string",
    seed: "number",
    kernel: "string",
    options: { mapOf: "scalar" },
    machine: {
      nullOr: {
        keys: { node: "string", arch: "string", os: "string", cpuModel: "string", cpus: "number" },
      },
    },
  },
};

const GUEST: Shape = {
  keys: {
    name: "string",
    "?devices": { listOf: "string" },
    state: "string",
    timeline: { listOf: { keys: { at: "number", event: "string", detail: "string" } } },
    counters: COUNTS,
    interrupts: "number",
  },
};

const HOLDINGS = {
  armedIrqSeconds: "number",
  idleIrqSeconds: "number",
  armedIrteSeconds: "number",
  idleIrteSeconds: "number",
  armedVectorSeconds: "number",
  idleVectorSeconds: "number",
  allocations: "number",
  frees: "number",
  iecFlushes: "number",
  reused: "number",
  reclaimed: "number",
  failures: "number",
  failuresSuffered: "number",
  failuresCaused: "number",
  "?refusedAgain": "number",
} satisfies Record<string, Shape>;

const IDLE: Shape = {
  keys: {
    count: "number",
    stillIdle: "number",
    min: "number",
    p50: "number",
    p90: "number",
    p99: "number",
    p999: "number",
    max: "number",
    meanNs: "number",
    over: { listOf: { keys: { limitNs: "number", count: "number", share: "number" } } },
    histogram: HISTOGRAM_SHAPE,
  },
};

const SHORTAGE: Shape = {
  keys: {
    at: "number",
    device: "string",
    kind: "string",
    asked: "number",
    got: "number",
    table: "string",
    size: "number",
    used: "number",
    most: "string",
    mostEntries: "number",
    mostIdle: "number",
    "?mostOwner": "string",
    "?mostOwnerEntries": "number",
    idle: "number",
    idlest: { nullOr: "string" },
    idlestIdle: "number",
    causedByIdle: "boolean",
  },
};

const RETENTION: Shape = {
  keys: {
    effective: "boolean",
    totals: { keys: HOLDINGS },
    policies: {
      listOf: {
        keys: {
          ...HOLDINGS,
          policy: "string",
          devices: "number",
          idle: IDLE,
          released: COUNTS,
          rearm: STAGE,
          arm: STAGE,
        },
      },
    },
    guests: { listOf: { keys: { ...HOLDINGS, name: "string" } } },
    devices: { listOf: { keys: { ...HOLDINGS, device: "string", policy: "string" } } },
    failures: {
      keys: {
        total: "number",
        causedByIdle: "number",
        holders: COUNTS,
        victims: { mapOf: { keys: { failed: "number", causedByIdle: "number" } } },
      },
    },
    shortages: { listOf: SHORTAGE },
  },
};

export const WARNINGS_SHAPE: Shape = { listOf: { keys: { text: "string", advice: "string" } } };

export const BROKE_SHAPE: Shape = {
  keys: {
    limitNs: "number",
    guest: "string",
    source: "string",
    sequence: "number",
    latencyNs: "number",
    wake: { nullOr: "string" },
    raisedAt: "number",
    stages: { listOf: { keys: { stage: "string", ns: "number" } } },
    trace: {
      listOf: { keys: { at: "number", actor: "string", event: "string", detail: "string" } },
    },
  },
};

export const RUN_SHAPE: Shape = {
  keys: {
    schema: { is: RUN_SCHEMA },
    provenance: PROVENANCE,
    partial: { nullOr: "string" },
    durationNs: "number",
    guests: { listOf: GUEST },
    pool: POOL,
    leaked: { nullOr: { keys: { irqs: "number", irtes: "number", vectors: "number" } } },
    retention: RETENTION,
    ioctls: COUNTS,
    ledger: {
      keys: {
        rows: {
          listOf: {
            keys: { guest: "string", source: "string", raised: "number", fates: COUNTS },
          },
        },
        raised: "number",
        totals: COUNTS,
        violations: { listOf: "string" },
      },
    },
    latency: {
      keys: {
        stages: STAGES,
        guests: { listOf: { keys: { name: "string", stages: STAGES } } },
        "?histograms": { mapOf: HISTOGRAM_SHAPE },
        floor: { nullOr: FLOOR_SHAPE },
        ratio: { nullOr: { keys: { p50: "number", p99: "number" } } },
      },
    },
    checks: { listOf: { keys: { check: "string", ok: "boolean", detail: "string" } } },
    expectations: {
      listOf: {
        keys: {
          text: "string",
          ok: { nullOr: "boolean" },
          left: { nullOr: "number" },
          right: { nullOr: "number" },
        },
      },
    },
    warnings: WARNINGS_SHAPE,
    "?broke": BROKE_SHAPE,
  },
};
