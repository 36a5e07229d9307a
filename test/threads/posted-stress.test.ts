import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { PostedReader } from "../../src/shm/posted-descriptor.ts";
import { Parker } from "../../src/shm/waker.ts";
import { PID_AT, POSTED_STRESS_BYTES, POSTED_VCPUS } from "./posted-stress-memory.ts";

it("two free-running threads lose no posted interrupt and no notification", async () => {
  const rounds = 200_000;
  const memory = new SharedArrayBuffer(POSTED_STRESS_BYTES);
  const control = new Int32Array(memory, 0, 48);
  const parker = new Parker({ words: control, index: 16 }, [{ words: control, index: 0 }]);
  const reader = new PostedReader(memory, PID_AT, POSTED_VCPUS);
  const worker = new Worker(new URL("./posted-stress-worker.ts", import.meta.url), {
    workerData: { memory, rounds },
  });
  let fresh = -1;
  const done = new Promise<void>((resolve, reject) => {
    worker.once("message", (message: number) => {
      fresh = message;
      resolve();
    });
    worker.once("error", reject);
  });
  await new Promise((resolve) => worker.once("online", resolve));
  const out = new Int32Array(POSTED_VCPUS * 256);
  let [taken, sleeps, idle] = [0, 0, 0];
  reader.poll();
  while (fresh < 0) {
    const single = reader.takeSingle();
    taken += single >= 0 ? 1 : reader.take(out);
    const epoch = parker.prepare();
    reader.await();
    if (reader.pending()) parker.retract();
    else {
      sleeps++;
      // A sleep of 100 ms has outlasted the worker's pause by far.
      if (parker.sleep(epoch, 100) === "timed-out") {
        expect(reader.pending(), "an interrupt that nobody woke us for").toBe(false);
        idle++;
        // The worker is done, or starved: only then can its message come.
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    reader.poll();
  }
  await done;
  taken += reader.take(out);
  expect(taken).toBe(fresh);
  expect([fresh > 1000, sleeps > 10, idle < 100]).toEqual([true, true, true]);
});
