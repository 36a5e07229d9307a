/** Histogram: recording one latency, against a bare counter and against hdr-histogram-js. */
import { build } from "hdr-histogram-js";
import { Prng } from "../../src/base/prng.ts";
import { LatencyHistogram } from "../../src/measure/histogram.ts";
import { type Bench, interleave, timeEach, verify } from "./bench.ts";

const SAMPLES = 4096;

/** Latencies with a body and a tail. */
function samples(): Float64Array {
  const random = Prng.stream(1, "histogram bench");
  return Float64Array.from({ length: SAMPLES }, () => Math.floor(random.nextExponential(5_000)));
}

export const benches: Bench[] = [
  {
    name: "histogram.record",
    async run(context) {
      const { clock, quick } = context;
      const values = samples();
      const times = SAMPLES * (quick ? 25 : 250);
      const histogram = new LatencyHistogram();
      const counters = new Float64Array(32 * 1024);
      const peer = build({ bitBucketSize: 64, highestTrackableValue: 2 ** 40 });
      const ours = (): number =>
        timeEach(clock, times, (n) => {
          const before = histogram.count;
          for (let i = 0; i < n; i++) histogram.record(values[i % SAMPLES]!);
          verify(histogram.count === before + n, "values counted");
        });
      const bare = (): number =>
        timeEach(clock, times, (n) => {
          for (let i = 0; i < n; i++) counters[values[i % SAMPLES]! & 0x7fff]!++;
        });
      const theirs = (): number =>
        timeEach(clock, times, (n) => {
          for (let i = 0; i < n; i++) peer.recordValue(values[i % SAMPLES]!);
        });
      const better = "lower" as const;
      const name = "histogram.record";
      const floored = await interleave(context, ours, bare);
      const compared = await interleave(context, ours, theirs);
      return [
        { name, unit: "ns", floorName: "typed array increment", better, ...floored },
        { name: `${name}.hdr`, unit: "ns", floorName: "hdr-histogram-js", better, ...compared },
      ];
    },
  },
];
