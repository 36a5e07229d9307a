/** The host worker: builds the host machine on the wall clock and runs its loop. */
import { assert } from "../../base/assert.ts";
import {
  CONTROL_GUEST_EPOCH,
  CONTROL_GUEST_PARKED,
  CONTROL_HOST_PARKED,
  controlWord,
  type HostPort,
  hostPort,
} from "../../shm/border.ts";
import { Attention, FutexWaker, Parker } from "../../shm/waker.ts";
import { Scheduler } from "../../time/scheduler.ts";
import { WallClock } from "../../time/wall-clock.ts";
import type { CreateHost, HostMachine } from "../contract.ts";
import { machineEnv, wallCosts } from "../env.ts";
import { loadOwnPolicies } from "../own-policies.ts";
import type { HostSetUp, HostWorkerApi } from "./api.ts";
import { type LoopBody, WorkerLoop } from "./loop.ts";
import { clockCost, probe } from "./probe.ts";
import { waitStrategy } from "./strategy.ts";
import { threadId } from "./thread-id.ts";
import { WakeNotes } from "./wake-notes.ts";

/** A timer due within this time is work under way: a command in service, a call that steps. */
const SOON_NS = 1_000_000;

/** The loop's view of the host: what of all guests needs a poll. */
class HostBody implements LoopBody {
  readonly #machine: HostMachine;
  readonly #ports: readonly HostPort[];

  constructor(machine: HostMachine, ports: readonly HostPort[]) {
    this.#machine = machine;
    this.#ports = ports;
  }

  poll(): number {
    return this.#machine.poll();
  }

  /** Nothing of the host's is done without a turn. */
  catchWork(): boolean {
    return false;
  }

  hasWork(): boolean {
    for (let i = 0; i < this.#ports.length; i++) {
      const port = this.#ports[i]!;
      if (port.requests.pending() || port.hostPoll.pending()) return true;
    }
    return false;
  }

  glance(): boolean {
    for (let i = 0; i < this.#ports.length; i++) {
      const port = this.#ports[i]!;
      if (port.requests.glance() || port.hostPoll.glance()) return true;
    }
    return false;
  }

  nextAt(): number {
    return this.#machine.nextAt();
  }

  alive(): boolean {
    return true;
  }
}

/** Everything main can ask of the host worker. */
export function hostWorkerApi(createHost: CreateHost): HostWorkerApi {
  const clock = new WallClock();
  const scheduler = new Scheduler(clock);
  let parts: { machine: HostMachine; body: HostBody; loop: WorkerLoop } | null = null;
  const built = (): NonNullable<typeof parts> => {
    assert(parts !== null, "host worker: set up first");
    return parts;
  };
  return {
    async threadId() {
      return threadId();
    },
    async setUp(setUp) {
      const env = machineEnv({ ...setUp.scenario, costs: wallCosts() }, "host", clock, scheduler);
      const { host, devices } = setUp.scenario;
      const own = await loadOwnPolicies(setUp.scenario);
      const machine = createHost(env, host, devices, own);
      const ports = openPorts(setUp);
      for (const [guest, port] of ports.entries()) machine.attach(guest, setUp.plans[guest]!, port);
      const flags = ports.map((port) => controlWord(port, CONTROL_HOST_PARKED));
      const epoch = { words: new Int32Array(setUp.host.epoch), index: 0 };
      const body = new HostBody(machine, ports);
      const loop = new WorkerLoop(
        body,
        scheduler,
        waitStrategy(setUp.scenario.run.wait, ports.length + 1, clock),
        new Parker(epoch, flags),
        new Attention({ words: new Int32Array(setUp.host.attention), index: 0 }),
        new WakeNotes(setUp.scenario.run.breakOnNs !== undefined),
      );
      parts = { machine, body, loop };
    },
    async probe(request) {
      return probe(request, clock);
    },
    async clockCost() {
      return clockCost(clock);
    },
    async run() {
      built().machine.start();
      await built().loop.run();
    },
    async quiesce() {
      built().machine.quiesce();
    },
    async busy() {
      const { machine, body } = built();
      return machine.busy() || body.hasWork() || scheduler.nextAt() < clock.now() + SOON_NS;
    },
    async stop() {
      built().loop.stop();
    },
    async exit(guest, reason) {
      built().machine.exit(guest, reason);
    },
    async settle() {
      built().machine.settle();
    },
    async collect() {
      return { report: built().machine.report(), loop: built().loop.report() };
    },
  };
}

function openPorts(setUp: HostSetUp): HostPort[] {
  return setUp.borders.map(({ memory, shape }) =>
    hostPort(
      memory,
      shape,
      (port) =>
        new FutexWaker(
          controlWord(port, CONTROL_GUEST_PARKED),
          controlWord(port, CONTROL_GUEST_EPOCH),
        ),
    ),
  );
}
