/** A guest worker: one VM process on the wall clock, in its own loop. */
import { assert } from "../../base/assert.ts";
import {
  CONTROL_GUEST_EPOCH,
  CONTROL_GUEST_PARKED,
  CONTROL_HOST_PARKED,
  CONTROL_STOP,
  controlWord,
  type GuestPort,
  guestPort,
  publishBreak,
} from "../../shm/border.ts";
import { Attention, FutexWaker, Parker } from "../../shm/waker.ts";
import { Scheduler } from "../../time/scheduler.ts";
import { WallClock } from "../../time/wall-clock.ts";
import type { CreateGuest, GuestMachine } from "../contract.ts";
import { machineEnv, wallCosts } from "../env.ts";
import type { GuestWorkerApi } from "./api.ts";
import { type LoopBody, WorkerLoop } from "./loop.ts";
import { clockCost, probe } from "./probe.ts";
import { waitStrategy } from "./strategy.ts";
import { threadId } from "./thread-id.ts";
import { WakeNotes } from "./wake-notes.ts";

class GuestBody implements LoopBody {
  readonly #machine: GuestMachine;
  readonly #port: GuestPort;

  constructor(machine: GuestMachine, port: GuestPort) {
    this.#machine = machine;
    this.#port = port;
  }

  poll(): number {
    return this.#machine.poll();
  }

  catchWork(): boolean {
    return this.#machine.catchInterrupt();
  }

  hasWork(): boolean {
    const port = this.#port;
    return (
      port.posted.pending() ||
      port.interrupts.pending() ||
      port.guestPoll.pending() ||
      port.responses.pending() ||
      port.apic.pending()
    );
  }

  glance(): boolean {
    const port = this.#port;
    return (
      port.posted.glance() ||
      port.interrupts.glance() ||
      port.guestPoll.glance() ||
      port.responses.glance() ||
      port.apic.glance()
    );
  }

  nextAt(): number {
    return Number.POSITIVE_INFINITY;
  }

  alive(): boolean {
    return this.#machine.alive();
  }
}

/** Notifications of posted interrupts are only for the sleeper: awake, it looks by itself. */
class VcpuParker extends Parker {
  readonly #port: GuestPort;

  constructor(port: GuestPort) {
    super(controlWord(port, CONTROL_GUEST_EPOCH), [controlWord(port, CONTROL_GUEST_PARKED)]);
    this.#port = port;
    port.posted.poll();
  }

  override prepare(): number {
    const epoch = super.prepare();
    this.#port.posted.await();
    return epoch;
  }

  override retract(): void {
    super.retract();
    this.#port.posted.poll();
  }
}

/** Everything main can ask of a guest worker. */
export function guestWorkerApi(createGuest: CreateGuest): GuestWorkerApi {
  const clock = new WallClock();
  let machine: GuestMachine | null = null;
  let loop: WorkerLoop | null = null;
  const built = (): { machine: GuestMachine; loop: WorkerLoop } => {
    assert(machine !== null && loop !== null, "guest worker: set up first");
    return { machine, loop };
  };
  return {
    async threadId() {
      return threadId();
    },
    async setUp(setUp) {
      const scheduler = new Scheduler(clock);
      const { scenario, plan, border } = setUp;
      const env = machineEnv({ ...scenario, costs: wallCosts() }, plan.spec.name, clock, scheduler);
      const epoch = { words: new Int32Array(setUp.hostEpoch), index: 0 };
      const port = guestPort(
        border.memory,
        border.shape,
        (areas) => new FutexWaker(controlWord(areas, CONTROL_HOST_PARKED), epoch),
      );
      const notes = new WakeNotes(plan.breakOnNs !== undefined);
      const wired = { ...env, sleptUntil: notes.sleptUntil, onBreak: () => publishBreak(port) };
      machine = createGuest(wired, plan, port);
      loop = new WorkerLoop(
        new GuestBody(machine, port),
        scheduler,
        waitStrategy(scenario.run.wait, setUp.threads, clock),
        new VcpuParker(port),
        new Attention(controlWord(port, CONTROL_STOP)),
        notes,
      );
    },
    async probe(request) {
      return probe(request, clock);
    },
    async setClockBack(ns) {
      clock.setBack(ns);
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
      return built().machine.busy();
    },
    async stop() {
      built().loop.stop();
    },
    async inject(action) {
      built().machine.inject(action);
    },
    async alive() {
      return built().machine.alive();
    },
    async settle() {
      built().machine.settle();
    },
    async collect() {
      return { report: built().machine.report(), loop: built().loop.report() };
    },
  };
}
