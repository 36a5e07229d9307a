/** The shape of a stored policy matrix (policy-matrix.ts). */
import { MATRIX_SCHEMA } from "./policy-matrix.ts";
import type { Shape } from "./shape.ts";

const NAMES: Shape = { listOf: "string" };

export const MATRIX_SHAPE: Shape = {
  keys: {
    schema: { is: MATRIX_SCHEMA },
    scenario: "string",
    policies: NAMES,
    vmms: NAMES,
    topologies: NAMES,
    "?about": { mapOf: "string" },
    seeds: { listOf: "number" },
    metrics: {
      listOf: { keys: { key: "string", title: "string", unit: "string", better: "string" } },
    },
    cells: {
      listOf: {
        keys: {
          policy: "string",
          vmm: "string",
          topology: "string",
          figures: {
            mapOf: { nullOr: { keys: { mean: "number", "?low": "number", "?high": "number" } } },
          },
          "?note": "string",
        },
      },
    },
    "?short": NAMES,
    verdict: NAMES,
    limits: NAMES,
    "?sensitivity": {
      listOf: { keys: { cost: "string", change: "string", flips: "boolean", verdict: "string" } },
    },
    "?warnings": { listOf: { keys: { text: "string", advice: "string" } } },
    provenance: { mapOf: "scalar" },
  },
};
