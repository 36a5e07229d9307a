/**
 * What a comparison of retention policies hands to reports: policies x VMMs x topologies, with any
 * number of figures a cell. It says nothing of how the figures were made.
 */

export const MATRIX_SCHEMA = "vfio-cosim/policy-matrix/1";

/** What a figure counts, and so how it is written. */
export type MatrixUnit = "count" | "ns" | "seconds" | "irte-seconds" | "share" | "ratio";

/** One column of figures; the first is the one a heat map shows large. */
export interface MatrixMetric {
  readonly key: string;
  /** For people: `allocation failures caused`. */
  readonly title: string;
  readonly unit: MatrixUnit;
  /** Which way is good; `neither`: it is merely different. */
  readonly better: "less" | "more" | "neither";
}

/** A figure over the seeds; `low` and `high` bound its confidence interval, if it has one. */
export interface MatrixFigure {
  readonly mean: number;
  readonly low?: number;
  readonly high?: number;
}

/** One policy under one VMM on one topology. */
export interface MatrixCell {
  readonly policy: string;
  readonly vmm: string;
  readonly topology: string;
  /** By key of a metric; null or left out: not to be had. */
  readonly figures: Readonly<Record<string, MatrixFigure | null>>;
  /** What to know about it, such as `no dynamic MSI-X: grows by disable and enable`. */
  readonly note?: string;
}

/** How a verdict stands when one cost is halved or doubled. */
export interface MatrixSensitivity {
  readonly cost: string;
  /** `halved`, `doubled`. */
  readonly change: string;
  readonly flips: boolean;
  /** The verdict then, in words. */
  readonly verdict: string;
}

export interface PolicyMatrix {
  readonly schema: typeof MATRIX_SCHEMA;
  readonly scenario: string;
  /** In the order of the tables, the one that others are compared with first. */
  readonly policies: readonly string[];
  readonly vmms: readonly string[];
  readonly topologies: readonly string[];
  /** What each topology is, by name. */
  readonly about?: Readonly<Record<string, string>>;
  readonly seeds: readonly number[];
  readonly metrics: readonly MatrixMetric[];
  readonly cells: readonly MatrixCell[];
  /** The answer, in a few sentences. */
  readonly short?: readonly string[];
  /** What it rests on: sentences, the most important first. */
  readonly verdict: readonly string[];
  /** What the verdict does not say. */
  readonly limits: readonly string[];
  readonly sensitivity?: readonly MatrixSensitivity[];
  readonly warnings?: readonly { readonly text: string; readonly advice: string }[];
  /** Version, kernel, options, hashes: as a run's provenance, any keys. */
  readonly provenance: Readonly<Record<string, string | number | boolean>>;
}
