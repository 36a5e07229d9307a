/** Poll set: marking one of many sources and draining it. */
import { Arena } from "../../src/shm/arena.ts";
import { atomicPairs, createFloorMemory } from "../../src/shm/floor.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { type Bench, interleave, timeEach, verify } from "./bench.ts";

/** Two eventfds for each of 512 vectors: what one summary word covers. */
const SOURCES = 1024;

/** Marks `burst` sources far apart, then drains; `marks` in all. */
function markDrain(set: PollSet, out: Int32Array, marks: number, burst: number): void {
  let taken = 0;
  let source = 0;
  for (let i = 0; i < marks; i += burst) {
    for (let n = 0; n < burst; n++) {
      source = (source + 1_031) % SOURCES;
      set.mark(source);
    }
    taken += set.drain(out);
  }
  verify(taken === marks, `${taken} of ${marks} marks drained`);
}

export const benches: Bench[] = [1, 16].map((burst) => ({
  name: `poll-set.mark-drain.${burst}`,
  async run(context) {
    const set = new PollSet(Arena.create(PollSet.bytes(SOURCES)).memory, 0, SOURCES);
    const out = new Int32Array(SOURCES);
    const memory = createFloorMemory();
    const marks = context.quick ? 96_000 : 960_000;
    const { clock } = context;
    const measured = await interleave(
      context,
      () => timeEach(clock, marks, (times) => markDrain(set, out, times, burst)),
      () => timeEach(clock, marks, (times) => void atomicPairs(memory, times)),
    );
    const floorName = "atomic or + exchange";
    const name = `poll-set.mark-drain.${burst}`;
    return [{ name, unit: "ns", floorName, better: "lower", ...measured }];
  },
}));
