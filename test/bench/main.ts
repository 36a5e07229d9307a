/** `npm run bench`: every benchmark beside its floor, as a table and, if asked, as JSON. */
import { writeFileSync } from "node:fs";
import { cpus, platform, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { WallClock } from "../../src/time/wall-clock.ts";
import type { Bench, BenchContext, BenchResult } from "./bench.ts";
import { benches as eventfd } from "./eventfd.ts";
import { benches as floors } from "./floors.ts";
import { benches as heap } from "./heap.ts";
import { benches as histogram } from "./histogram.ts";
import { benches as layers } from "./layers.ts";
import { compileNativeFloor } from "./native-floor.ts";
import { benches as pollSet } from "./poll-set.ts";
import { benches as ring } from "./ring.ts";
import { benches as scaling } from "./scaling.ts";
import { benches as setIrqs } from "./set-irqs.ts";
import { benches as threads } from "./threads.ts";
import { benches as virtualApic } from "./virtual-apic.ts";
import { benches as waiting } from "./waiting.ts";

/** All bench files; a new one adds its line. */
const REGISTRY: readonly Bench[] = [
  ...floors,
  ...eventfd,
  ...ring,
  ...setIrqs,
  ...pollSet,
  ...virtualApic,
  ...histogram,
  ...layers,
  ...heap,
  ...threads,
  ...scaling,
  ...waiting,
];

const SCHEMA = "vfio-cosim/bench/1";

function figure(n: number | null): string {
  if (n === null) return "-";
  return n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(3);
}

function cells(result: BenchResult): string[] {
  const { name, value, unit, floor, floorName, ratio, target } = result;
  const verdict = target === undefined ? "" : `${target.text} ${target.met ? "ok" : "MISSED"}`;
  return [name, figure(value), unit, figure(floor), floorName, figure(ratio), verdict];
}

const RIGHT_ALIGNED = [1, 3, 5];

/** Columns as wide as their widest cell, numbers to the right. */
function table(results: readonly BenchResult[]): string {
  const head = ["benchmark", "value", "unit", "floor", "of", "ratio", "target"];
  const rows = [head, ...results.map(cells)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: string[]): string =>
    row
      .map((cell, i) =>
        RIGHT_ALIGNED.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!),
      )
      .join("  ")
      .trimEnd();
  return rows.map(line).join("\n");
}

function machine(): object {
  const list = cpus();
  return {
    cpus: list.length,
    model: list[0]?.model ?? "unknown",
    node: process.version,
    platform: platform(),
    memory: totalmem(),
  };
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const named = [...(values.only?.split(",") ?? []), ...positionals];
  const only = named.length > 0 ? named : [""];
  const chosen = REGISTRY.filter(({ name }) => only.some((prefix) => name.startsWith(prefix)));
  if (chosen.length === 0) {
    const names = REGISTRY.map(({ name }) => name).join(", ");
    process.stderr.write(`no benchmark is called ${only.join(" or ")}\n  hint: ${names}\n`);
    return 2;
  }
  const native = compileNativeFloor();
  const notes: string[] = [];
  const context: BenchContext = {
    clock: new WallClock(),
    quick: values.quick,
    native,
    note: (text) => void notes.push(text),
  };
  const results: BenchResult[] = [];
  const broken: { name: string; error: string }[] = [];
  try {
    for (const bench of chosen) {
      if (process.stderr.isTTY) process.stderr.write(`${bench.name} ...\n`);
      try {
        results.push(...(await bench.run(context)));
      } catch (error) {
        // The others' figures are as good as ever.
        broken.push({ name: bench.name, error: (error as Error).message });
        process.stderr.write(`${bench.name}: ${(error as Error).message}\n`);
      }
    }
  } finally {
    native?.close();
  }
  process.stdout.write(`${[...notes, table(results)].join("\n\n")}\n`);
  if (values.json !== undefined) {
    const report = { schema: SCHEMA, machine: machine(), results, broken };
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return broken.length === 0 ? 0 : 1;
}

process.exitCode = await main();
