/** The posting side of posted-stress.test.ts: runs freely against the test's own thread. */
import { parentPort, workerData } from "node:worker_threads";
import { POSTED_FRESH, POSTED_NOTIFY, PostedWriter } from "../../src/shm/posted-descriptor.ts";
import { FutexWaker } from "../../src/shm/waker.ts";
import { PID_AT, POSTED_VCPUS, type PostedStress } from "./posted-stress-memory.ts";

const { memory, rounds } = workerData as PostedStress;
const writer = new PostedWriter(memory, PID_AT, POSTED_VCPUS);
const control = new Int32Array(memory, 0, 48);
const waker = new FutexWaker({ words: control, index: 0 }, { words: control, index: 16 });
let fresh = 0;
for (let i = 0; i < rounds; i++) {
  // Entries come one after the other, the last of them halfway.
  const entries = Math.min(64, 1 + Math.floor((i * 128) / rounds));
  const entry = (i * 13) % entries;
  const [vcpu, vector] = [entry % POSTED_VCPUS, 32 + entry * 3];
  if (i < rounds / 2 || i % 64 === 0) writer.use(vcpu, vector);
  const found = writer.post(vcpu, vector);
  if ((found & POSTED_NOTIFY) !== 0) waker.wake();
  if ((found & POSTED_FRESH) !== 0) fresh++;
  // Now and then a pause, so that the other side gets to sleep.
  if (i % 512 === 0) Atomics.wait(control, 32, 0, 0.2);
}
parentPort!.postMessage(fresh);
