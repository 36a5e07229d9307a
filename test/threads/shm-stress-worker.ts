/** The signalling side of shm-stress.test.ts: runs freely against the test's own thread. */
import { parentPort, workerData } from "node:worker_threads";
import { requestInterrupt } from "../../src/shm/border.ts";
import { FutexWaker } from "../../src/shm/waker.ts";
import { type StressDone, type StressMemory, stressAreas, VCPUS } from "./shm-stress-areas.ts";

const { memory, rounds, slots } = workerData as StressMemory;
const areas = stressAreas(memory, slots);
const { eventfds, poll, apic, levelTokens, control } = areas;
const interrupts = areas.queueWriter();
const log = areas.logWriter();
const waker = new FutexWaker({ words: control, index: 0 }, { words: control, index: 16 });

const LEVEL_VECTOR = 0xfe;
let [requested, overflowed, levels] = [0, 0, 0];
for (let i = 0; i < rounds; i++) {
  const slot = (i * 7) % slots;
  if (eventfds.signal(slot)) poll.mark(slot);
  if (i % 16 === 0) {
    levelTokens.add(0);
    levels++;
    requestInterrupt({ interrupts, apic }, 0, LEVEL_VECTOR);
  } else {
    const [vcpu, vector] = [i % VCPUS, (i * 13) % LEVEL_VECTOR];
    if (interrupts.post((vcpu << 8) | vector)) requested++;
    else {
      overflowed++;
      if (apic.set(vcpu, vector)) requested++;
    }
  }
  log.append(i, i, i, i, i);
  waker.wake();
  // Now and then a pause, so that the other side gets to sleep.
  if (i % 1024 === 0) Atomics.wait(control, 32, 0, 0.2);
}
const done: StressDone = { requested, overflowed, levels, lostSamples: log.lost };
parentPort!.postMessage(done);
