/** A small policy matrix with something in every part of it. */
import {
  MATRIX_SCHEMA,
  type MatrixCell,
  type PolicyMatrix,
} from "../../src/report/policy-matrix.ts";

const POLICIES = ["cache", "free-on-unset", "bounded cap 8"];
const VMMS = ["qemu", "cloud-hypervisor", "minimal"];
const TOPOLOGIES = ["VT-d", "GICv3 ITS"];

function cells(): MatrixCell[] {
  return POLICIES.flatMap((policy, p) =>
    VMMS.flatMap((vmm, v) =>
      TOPOLOGIES.map((topology, t): MatrixCell => {
        const failures = 10 ** p * v;
        const rearm = 11_300 * (1 + p);
        return {
          policy,
          vmm,
          topology,
          figures: {
            failures: { mean: failures, low: 0.9 * failures, high: 1.1 * failures },
            idle: t === 1 ? null : { mean: 12.5 / (1 + p) },
            rearm: { mean: rearm, low: rearm - 100, high: rearm + 120 },
          },
          ...(vmm === "qemu" ? { note: "never sets -1" } : {}),
        };
      }),
    ),
  );
}

export const MATRIX: PolicyMatrix = {
  schema: MATRIX_SCHEMA,
  scenario: "irte-pressure",
  policies: POLICIES,
  vmms: VMMS,
  topologies: TOPOLOGIES,
  seeds: [1, 2, 3],
  metrics: [
    { key: "failures", title: "failures caused", unit: "count", better: "less" },
    { key: "idle", title: "held idle", unit: "irte-seconds", better: "less" },
    { key: "rearm", title: "re-arm latency p99", unit: "ns", better: "less" },
  ],
  cells: cells(),
  short: ["Only minimal is harmed by cache."],
  verdict: ["Under qemu the policies do not differ.", "Only minimal makes them differ."],
  limits: ["Costs are a model's."],
  sensitivity: [
    { cost: "irqAlloc", change: "halved", flips: false, verdict: "the same" },
    { cost: "iecFlush", change: "doubled", flips: true, verdict: "cache is cheaper for minimal" },
  ],
  warnings: [{ text: "few seeds", advice: "give more: --seeds 20" }],
  provenance: { version: "0.1.0", kernel: "linux-6.12", engine: "virtual" },
};
