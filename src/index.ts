/** The library's public API: load a scenario, run it, read the result. */

export { InvariantError, UsageError } from "./base/errors.ts";
export { formatCount, formatNs, formatRate } from "./base/units.ts";
export { VERSION } from "./base/version.ts";
export { renderMeasurement } from "./latency/formats.ts";
export { measurementOf } from "./latency/measure.ts";
export {
  LATENCY_SCHEMA,
  type LatencyMeasurement,
  type LatencySettings,
} from "./latency/measurement.ts";
export { FATES, type Fate } from "./measure/fates.ts";
export { comparisonText } from "./report/compare-text.ts";
export {
  type ComparedFigure,
  type Comparison,
  compareRuns,
} from "./report/comparison.ts";
export { csvReport } from "./report/csv.ts";
export { FORMATS, type Format, renderMatrix, renderResult } from "./report/formats.ts";
export { hgrmReport } from "./report/hgrm.ts";
export { htmlComparison, htmlPolicyReport, htmlReport } from "./report/html-report.ts";
export { canonicalJson } from "./report/json.ts";
export { markdownReport } from "./report/markdown.ts";
export type {
  MatrixCell,
  MatrixFigure,
  MatrixMetric,
  PolicyMatrix,
} from "./report/policy-matrix.ts";
export { MATRIX_SCHEMA } from "./report/policy-matrix.ts";
export { readRun, readRuns, readStored } from "./report/stored.ts";
export { textReport } from "./report/text.ts";
export type {
  AllocationFailure,
  FailureCounts,
  PoolOccupancy,
  PoolReport,
  PoolSample,
} from "./run/contract.ts";
export type { GivenPolicies } from "./run/own-policies.ts";
export type {
  BreakResult,
  CheckResult,
  DeviceHoldings,
  Engine,
  ExpectationResult,
  FateTotals,
  FloorResult,
  GuestResult,
  Holdings,
  IdleFigures,
  LatencyResult,
  LatencyRow,
  LeakResult,
  LedgerResult,
  LedgerRow,
  MachineInfo,
  PolicyHoldings,
  Progress,
  Provenance,
  RetentionResult,
  RunResult,
  TimelineItem,
  Warning,
} from "./run/result.ts";
export { RUN_SCHEMA } from "./run/result.ts";
export type {
  IdleIrq,
  OwnPolicy,
  RetentionPolicy,
  TeardownReason,
} from "./run/retention-policy.ts";
export { type RunOptions, runScenario } from "./run/run.ts";
export { expectationNames } from "./scenario/expect-names.ts";
export { scenarioHash } from "./scenario/hash.ts";
export { type LibraryEntry, listLibrary } from "./scenario/library.ts";
export {
  type LoadOptions,
  loadScenario,
  loadScenarioText,
  ScenarioError,
  scenarioFromData,
} from "./scenario/loader.ts";
export { scenarioJsonSchema } from "./scenario/schema.ts";
export { scenarioYaml } from "./scenario/to-yaml.ts";
export type {
  DeviceSpec,
  GuestSpec,
  HostSpec,
  RetentionSpec,
  RunSpec,
  Scenario,
  TimelineAction,
  TimelineEntry,
  WorkloadSpec,
} from "./scenario/types.ts";
export {
  type ComparisonOptions,
  comparePolicies,
  type PolicyComparison,
} from "./sweep/compare-policies.ts";
export { loadGridBase } from "./sweep/grid.ts";
export { type RunFigures, type RunJob, runJob } from "./sweep/job.ts";
export {
  type JobOptions,
  type JobOutcome,
  type JobQueue,
  SerialQueue,
} from "./sweep/job-queue.ts";
export { type Param, parseParam } from "./sweep/params.ts";
export { parsePolicies } from "./sweep/policies.ts";
export { runSweep, type Sweep, type SweepOptions, type SweepResult } from "./sweep/sweep.ts";
export { comparisonPage } from "./sweep/text.ts";
export { ThreadQueue } from "./sweep/thread-queue.ts";
export { parseTopologies } from "./sweep/topologies.ts";
export { parseVmms } from "./sweep/vmms.ts";
