/** Virtual APIC: setting a request bit and taking it. */
import { Arena } from "../../src/shm/arena.ts";
import { atomicPairs, createFloorMemory } from "../../src/shm/floor.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";
import { type Bench, interleave, timeEach, verify } from "./bench.ts";

const VCPUS = 4;
/** The first vector that is not an exception. */
const VECTOR_FIRST = 32;

function setTake(apic: VirtualApic, out: Int32Array, times: number): void {
  let taken = 0;
  for (let i = 0; i < times; i++) {
    apic.set(i % VCPUS, VECTOR_FIRST + (i % 200));
    taken += apic.take(out);
  }
  verify(taken === times, `${taken} of ${times} vectors taken`);
}

export const benches: Bench[] = [
  {
    name: "virtual-apic.set-take",
    async run(context) {
      const apic = new VirtualApic(Arena.create(VirtualApic.bytes(VCPUS)).memory, 0, VCPUS);
      const out = new Int32Array(VCPUS * 256);
      const memory = createFloorMemory();
      const pairs = context.quick ? 100_000 : 1_000_000;
      const { clock } = context;
      const measured = await interleave(
        context,
        () => timeEach(clock, pairs, (times) => setTake(apic, out, times)),
        () => timeEach(clock, pairs, (times) => void atomicPairs(memory, times)),
      );
      const floorName = "atomic or + exchange";
      const name = "virtual-apic.set-take";
      return [{ name, unit: "ns", floorName, better: "lower", ...measured }];
    },
  },
];
