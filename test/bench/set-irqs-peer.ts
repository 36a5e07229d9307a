/** The other thread of set-irqs.ts: the host's kernel, or a bare echo of ring slots. */
import { parentPort, workerData } from "node:worker_threads";
import { createHost } from "../../host/host.ts";
import { machineEnv, wallCosts } from "../../src/run/env.ts";
import { borderShape, planGuests } from "../../src/run/plan.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import { type HostPort, hostPort } from "../../src/shm/border.ts";
import { Scheduler } from "../../src/time/scheduler.ts";
import { WallClock } from "../../src/time/wall-clock.ts";

export interface PeerData {
  readonly does: "host" | "echo";
  readonly memory: SharedArrayBuffer;
  /** Word 0 becomes 1 when the peer is to end. */
  readonly stop: SharedArrayBuffer;
}

/** One guest with one device of two vectors; both threads build their ends from it. */
export const SCENARIO = scenarioFromData({
  name: "set-irqs",
  devices: [{ name: "nvme", model: "nvme", msixVectors: 2 }],
  guests: [{ name: "g", device: "nvme" }],
  duration: "1s",
});
export const [PLAN] = planGuests(SCENARIO);
export const SHAPE = borderShape(PLAN!);

const NOBODY = { wake: () => {} };
/** Turns between two looks at the stop word. */
const TURNS = 1024;

/** Takes each slot and gives one back, with nothing in it read or written. */
function echo(port: HostPort): void {
  const { requests, responses } = port;
  const ready = requests.available();
  for (let i = 0; i < ready; i++) {
    requests.pop();
    if (responses.reserve() >= 0) responses.commit();
  }
  if (ready <= 0) return;
  requests.release();
  responses.publish();
}

function serve({ does, memory, stop }: PeerData): void {
  const port = hostPort(memory, SHAPE, () => NOBODY);
  const words = new Int32Array(stop);
  let turn = (): void => echo(port);
  if (does === "host") {
    const clock = new WallClock();
    const scheduler = new Scheduler(clock);
    const env = machineEnv({ ...SCENARIO, costs: wallCosts() }, "host", clock, scheduler);
    const host = createHost(env, SCENARIO.host, SCENARIO.devices);
    host.attach(0, PLAN!, port);
    turn = () => {
      if (host.poll() > 0) scheduler.runDue();
    };
  }
  parentPort!.postMessage("ready");
  while (Atomics.load(words, 0) === 0) for (let i = 0; i < TURNS; i++) turn();
}

const data = workerData as Partial<PeerData> | null;
if (parentPort !== null && data?.does !== undefined) serve(data as PeerData);
