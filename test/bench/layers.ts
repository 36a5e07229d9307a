/** What each layer of an interrupt's way costs, on the three paths, in one thread. */
import { median } from "../../src/measure/statistics.ts";
import { Delivery, type Layer, type Path } from "../support/delivery.ts";
import type { Bench, BenchContext, BenchResult } from "./bench.ts";

const PATHS: readonly Path[] = ["posted", "irqfd", "userspace"];
const ROUNDS = 7;

/** Nanoseconds of each layer without those beneath it, and of all. */
interface PathCost {
  readonly path: Path;
  readonly layers: readonly { readonly name: string; readonly ns: number }[];
  readonly total: number;
}

/** CPU time, so that other programs on this core do not count. */
function cpuNsEach(times: number, layer: Layer): number {
  const start = process.cpuUsage();
  layer.run(times);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1e3) / times;
}

/** Both threads' work in one: no cache line moves, so that what is left is instructions. */
function costOf(path: Path, { quick }: BenchContext): PathCost {
  const layers = new Delivery(path, "ends").layers();
  const times = quick ? 50_000 : 500_000;
  const samples: number[][] = layers.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, layer] of layers.entries()) {
      const ns = cpuNsEach(times, layer);
      if (round >= 0) samples[i]!.push(ns);
    }
  }
  // The least is the one that nobody interrupted.
  const upTo = samples.map((ns) => Math.min(...ns));
  const own = layers.map(({ name }, i) => ({ name, ns: upTo[i]! - (upTo[i + 1] ?? 0) }));
  return { path, layers: own, total: upTo[0]! };
}

function table(costs: readonly PathCost[]): string {
  const lines: string[] = [];
  for (const { path, layers, total } of costs) {
    lines.push(`${path}: ${total.toFixed(0)} ns an interrupt`);
    for (const { name, ns } of layers) {
      const share = `${((100 * ns) / total).toFixed(0)} %`;
      lines.push(`  ${name.padEnd(44)}${ns.toFixed(1).padStart(8)} ns${share.padStart(7)}`);
    }
  }
  return lines.join("\n");
}

async function run(context: BenchContext): Promise<BenchResult[]> {
  const costs = PATHS.map((path) => costOf(path, context));
  context.note(table(costs));
  const floor = median(costs.map(({ layers }) => layers.at(-1)!.ns));
  return costs.flatMap(({ path, layers, total }) => [
    {
      name: `layers.${path}`,
      value: total,
      unit: "ns",
      floorName: "publish and take",
      floor,
      ratio: total / layers.at(-1)!.ns,
      better: "lower" as const,
      parts: layers,
    },
  ]);
}

export const benches: Bench[] = [{ name: "layers", run }];
