import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { PollSet } from "../../src/shm/poll-set.ts";
import { VirtualApic } from "../../src/shm/virtual-apic.ts";
import { Parker } from "../../src/shm/waker.ts";
import { STRESS_BYTES, stressAreas } from "./shm-stress-areas.ts";

it("two free-running threads lose no signal, request or wake-up", async () => {
  const [rounds, slots] = [300_000, 70];
  const memory = new SharedArrayBuffer(STRESS_BYTES);
  const { eventfdsAt, pollAt, apicAt, control } = stressAreas(memory, slots);
  const eventfds = new EventfdTable(memory, eventfdsAt, slots);
  const poll = new PollSet(memory, pollAt, slots);
  const apic = new VirtualApic(memory, apicAt, 4);
  const parker = new Parker({ words: control, index: 16 }, [{ words: control, index: 0 }]);
  const worker = new Worker(new URL("./shm-stress-worker.ts", import.meta.url), {
    workerData: { memory, rounds, slots },
  });
  const done = new Promise<{ set: number }>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await new Promise((resolve) => worker.once("online", resolve));
  const ready = new Int32Array(128);
  const requests = new Int32Array(4 * 256);
  let [signals, taken, sleeps, timeouts] = [0, 0, 0, 0];
  while (signals < rounds) {
    for (let i = poll.drain(ready) - 1; i >= 0; i--) signals += eventfds.read(ready[i]!);
    taken += apic.take(requests);
    const epoch = parker.prepare();
    if (poll.pending() || apic.pending()) {
      parker.retract();
      continue;
    }
    if (signals >= rounds) break;
    sleeps++;
    // A sleep of 100 ms has outlasted its waker's pause by far.
    if (parker.sleep(epoch, 100) === "timed-out") {
      const waiting = poll.pending() || apic.pending();
      expect(waiting, "work that nobody woke us for").toBe(false);
      expect(++timeouts, "signals are missing").toBeLessThan(100);
    }
  }
  const { set } = await done;
  taken += apic.take(requests);
  expect([signals, taken]).toEqual([rounds, set]);
  expect(sleeps).toBeGreaterThan(10);
});
