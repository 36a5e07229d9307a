/** Who may import whom, and what only some places may use: the layering of the tree, as tables. */

/** The shared core that models stand on. */
const CORE = ["base", "uapi", "pci", "shm", "wire", "time", "trace", "measure"] as const;

/** Layers that a layer may import, beside itself. Exceptions for types alone are below. */
export const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  uapi: ["base"],
  pci: ["base", "uapi"],
  shm: ["base"],
  wire: ["base", "uapi", "shm"],
  time: ["base"],
  trace: ["base", "time"],
  measure: ["base", "time"],
  // VCPUS_MAX and the names of fates and costs are limits and words of scenarios too.
  scenario: ["base", "shm", "time", "measure"],
  check: ["base", "time", "trace", "measure"],
  run: [...CORE, "scenario", "check"],
  // A recording is played to a host machine, through run/entries.ts and the contract.
  conform: [...CORE, "scenario", "run"],
  report: ["base", "measure", "scenario"],
  // A measurement is made of runs, and shown by what shows runs.
  latency: ["base", "measure", "scenario", "report"],
  explore: [...CORE, "scenario", "run", "check"],
  // A comparison of policies is handed to reports as their PolicyMatrix, and has a page of its own.
  sweep: [...CORE, "scenario", "run", "check", "report"],
  cli: [
    ...["base", "time", "measure", "scenario", "run", "report", "latency"],
    ...["conform", "explore", "sweep"],
  ],
  index: ["base", "measure", "scenario", "run", "report", "latency", "sweep"],
  host: [...CORE],
  guest: [...CORE],
  // host/worker.ts and guest/worker.ts: shells that put a side on a thread.
  worker: [...CORE, "run", "host", "guest"],
};

/** What is also allowed where only types cross: `import type`. */
export const TYPE_LAYERS: Readonly<Record<string, readonly string[]>> = {
  scenario: ["run"],
  check: ["run"],
  report: ["run"],
  latency: ["run"],
  wire: ["run", "scenario", "measure"],
  host: ["run", "scenario"],
  guest: ["run", "scenario"],
};

/** npm packages and the layers that may import them. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  comlink: ["wire", "run"],
  msgpackr: ["wire"],
  yaml: ["scenario"],
  zod: ["scenario"],
  commander: ["cli"],
  "@observablehq/plot": ["report"],
  linkedom: ["report"],
  piscina: ["sweep", "conform"],
};

/** Node's modules and the places (path prefixes) that may import them. */
export const NODE_MODULES: Readonly<Record<string, readonly string[]>> = {
  // A thread's own number is a link in /proc.
  "node:fs": [
    "src/scenario/library.ts",
    "src/report/",
    "src/cli/",
    "src/conform/",
    "src/run/threads/thread-id.ts",
  ],
  // Node has no sched_setaffinity(2): taskset(1) does it.
  "node:child_process": ["src/run/threads/pin.ts"],
  "node:fs/promises": ["src/cli/", "src/conform/"],
  "node:path": ["src/scenario/", "src/report/", "src/cli/", "src/conform/"],
  // A scenario names its own policy's file by path, an import by URL.
  "node:url": [
    "src/scenario/library.ts",
    "src/scenario/retention.ts",
    "src/cli/",
    "src/run/",
    "src/conform/",
  ],
  "node:os": ["src/run/", "src/cli/", "src/sweep/"],
  "node:crypto": ["src/scenario/hash.ts"],
  "node:perf_hooks": ["src/time/"],
  "node:worker_threads": ["src/run/", "src/wire/", "host/worker.ts", "guest/worker.ts"],
  "node:events": ["src/run/", "src/wire/"],
  "node:module": ["src/base/version.ts"],
  "node:zlib": ["src/measure/hdr-format.ts"],
  "node:timers/promises": ["src/run/", "src/cli/"],
};

export interface WordRule {
  readonly name: string;
  /** Matched against code without comments and strings. */
  readonly pattern: RegExp;
  /** Path prefixes where it is allowed. */
  readonly allowed: readonly string[];
  readonly advice: string;
}

/** Words that belong to one place. They hold for src, host and guest. */
export const WORDS: readonly WordRule[] = [
  {
    name: "clock",
    pattern: /\bDate\s*\.\s*now\b|\bnew\s+Date\b|\bperformance\s*\.|\bhrtime\b/,
    allowed: ["src/time/"],
    advice: "take a Clock of src/time",
  },
  {
    name: "randomness",
    pattern: /\bMath\s*\.\s*random\b|\brandomBytes\b|\brandomUUID\b|\bgetRandomValues\b/,
    allowed: ["src/base/prng.ts"],
    advice: "take a Prng stream of the run's seed",
  },
  {
    name: "timer",
    pattern: /\bset(?:Timeout|Interval|Immediate)\s*\(/,
    allowed: ["src/run/", "src/cli/", "src/sweep/"],
    advice: "models wait by yielding sleep() to the scheduler",
  },
  {
    name: "shared memory",
    pattern: /\bAtomics\s*\.|\bnew\s+SharedArrayBuffer\b|\binstanceof\s+SharedArrayBuffer\b/,
    allowed: ["src/shm/"],
    advice: "put the operation into src/shm, types may be used anywhere",
  },
  {
    name: "console",
    pattern: /\bconsole\s*\./,
    allowed: [],
    advice: "stdout carries results only: use the tracer, a warning of the result, or Io",
  },
];

/** Everything the top level may hold; the rest is generated or ignored by git. */
export const TOP_LEVEL: readonly string[] = [
  ".ci",
  ".biome.json",
  ".gitattributes",
  ".gitignore",
  "LICENSE",
  "README.md",
  "guest",
  "host",
  "package-lock.json",
  "package.json",
  "src",
  "test",
  "tsconfig.json",
];

export const TOP_LEVEL_IGNORED: readonly string[] = [
  ".git",
  "build",
  "coverage",
  "dist",
  "node_modules",
  "out",
];
