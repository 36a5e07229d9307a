/** eventfd: a signal and a read of our shared-memory counters against the kernel's write+read. */
import { Arena } from "../../src/shm/arena.ts";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { type Bench, type BenchResult, interleave, timeEach, verify } from "./bench.ts";

/** As many eventfds as a busy guest uses in turn. */
const SLOTS = 64;
/** Our pair is promised to cost at most this part of the kernel's. */
const RATIO_MAX = 1 / 8;

function signalRead(table: EventfdTable, pairs: number): void {
  let sum = 0;
  for (let i = 0; i < pairs; i++) {
    table.signal(i % SLOTS);
    sum += table.read(i % SLOTS);
  }
  verify(sum === pairs, `${sum} of ${pairs} signals read`);
}

export const benches: Bench[] = [
  {
    name: "eventfd",
    async run({ clock, quick, native, ...rest }): Promise<BenchResult[]> {
      const table = new EventfdTable(Arena.create(EventfdTable.bytes(SLOTS)).memory, 0, SLOTS);
      const pairs = quick ? 100_000 : 1_000_000;
      const { value, floor, ratio } = await interleave(
        { clock, quick, native, ...rest },
        () => timeEach(clock, pairs, (times) => signalRead(table, times)),
        () => native?.measure(quick ? 1_000 : 4_000).eventfdPairNs ?? Number.NaN,
      );
      const met = ratio <= RATIO_MAX;
      return [
        {
          name: "eventfd.signal-read",
          value,
          unit: "ns",
          floorName: "kernel eventfd write+read",
          floor: native === null ? null : floor,
          ratio: native === null ? null : ratio,
          better: "lower",
          ...(native === null ? {} : { target: { text: "ratio <= 1/8", met } }),
        },
      ];
    },
  },
];
