/** Raw floors: one-way hand-overs of a word between two threads, and the clock, beside C's. */
import { median } from "../../src/measure/statistics.ts";
import {
  createFloorMemory,
  type FloorMode,
  measureClockCost,
  pingSide,
} from "../../src/shm/floor.ts";
import { type Bench, type BenchContext, type BenchResult, interleave, verify } from "./bench.ts";
import { PEER_LIMIT_NS, startPeer } from "./peer.ts";

/** Median one-way time, ns. */
async function oneWay({ clock }: BenchContext, mode: FloorMode, rounds: number): Promise<number> {
  const memory = createFloorMemory();
  const peer = startPeer({ do: "pong", memory, rounds, mode });
  await peer.ready;
  const out = new Float64Array(rounds);
  const timed = pingSide(memory, rounds, mode, out, clock, clock.now() + PEER_LIMIT_NS);
  verify((await peer.result) === 1 && timed === rounds, `${timed} of ${rounds} rounds`);
  return median(out) / 2;
}

function floorBench(mode: FloorMode, floorName: string): Bench {
  const name = `floor.${mode}.oneway`;
  return {
    name,
    async run(context): Promise<BenchResult[]> {
      const { native, quick } = context;
      const rounds = quick ? 2_000 : 10_000;
      const measured = await interleave(
        context,
        () => oneWay(context, mode, rounds),
        () => {
          const figures = native?.measure(rounds / 2);
          const ns = mode === "spin" ? figures?.spinOneWayNs : figures?.futexOneWayNs;
          return ns ?? Number.NaN;
        },
      );
      const { value } = measured;
      const floored = native === null ? { floor: null, ratio: null } : measured;
      return [{ name, unit: "ns", floorName, better: "lower", ...floored, value }];
    },
  };
}

export const benches: Bench[] = [
  floorBench("spin", "C, spinning flag"),
  floorBench("park", "C, futex"),
  {
    name: "floor.clock",
    async run({ clock }): Promise<BenchResult[]> {
      const value = median(measureClockCost(clock, 32, 10_000));
      const none = { floorName: "", floor: null, ratio: null } as const;
      return [{ name: "floor.clock", value, unit: "ns", better: "lower", ...none }];
    },
  },
];
