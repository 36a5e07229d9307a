/** The signalling side of shm-stress.test.ts: runs freely against the test's own thread. */
import { parentPort, workerData } from "node:worker_threads";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";
import { FutexWaker } from "../../src/shm/waker.ts";
import { type StressMemory, stressAreas } from "./shm-stress-areas.ts";

const { memory, rounds, slots } = workerData as StressMemory;
const { eventfdsAt, pollAt, apicAt, control } = stressAreas(memory, slots);
const eventfds = new EventfdTable(memory, eventfdsAt, slots);
const poll = new PollSet(memory, pollAt, slots);
const apic = new VirtualApic(memory, apicAt, 4);
const waker = new FutexWaker({ words: control, index: 0 }, { words: control, index: 16 });

let set = 0;
for (let i = 0; i < rounds; i++) {
  const slot = (i * 7) % slots;
  if (eventfds.signal(slot)) poll.mark(slot);
  if (apic.set(i & 3, (i * 13) & 0xff)) set++;
  waker.wake();
  // Now and then a pause, so that the other side gets to sleep.
  if (i % 1024 === 0) Atomics.wait(control, 32, 0, 0.2);
}
parentPort!.postMessage({ set });
