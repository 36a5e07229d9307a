/** A host on a virtual clock with any number of guests' borders: what fuzzers drive. */
import { createHost } from "../../host/host.ts";
import { Prng } from "../../src/base/prng.ts";
import { FateCounts } from "../../src/measure/fates.ts";
import { layoutRows, rowCount } from "../../src/measure/rows.ts";
import type { CreateHost, GuestPlan, HostMachine } from "../../src/run/contract.ts";
import type { DeviceSpec, HostSpec } from "../../src/scenario/types.ts";
import {
  type BorderShape,
  createBorder,
  type GuestPort,
  guestPort,
  type HostPort,
  hostPort,
} from "../../src/shm/border.ts";
import { DEFAULT_COSTS } from "../../src/time/costs.ts";
import { Scheduler } from "../../src/time/scheduler.ts";
import { VirtualClock } from "../../src/time/virtual-clock.ts";

const SILENT = { wake: () => {} };
/** Turns of the host's loop that one wake-up may take; each turn drains what there is. */
const POLLS_MAX = 10_000;

/** Replaces parts of the host by doubles with a planted bug: the canaries. */
export interface Plant {
  readonly createHost?: CreateHost;
  port?(port: HostPort, guest: number): HostPort;
}

export interface BedGuest {
  readonly plan: GuestPlan;
  readonly shape: BorderShape;
  readonly memory: SharedArrayBuffer;
  readonly port: GuestPort;
}

/** What a fuzzer found; the message says what is wrong, the harness adds how to replay it. */
export class Finding extends Error {
  override readonly name = "Finding";
}

export function expectThat(condition: boolean, what: () => string): void {
  if (!condition) throw new Finding(what());
}

export class FuzzBed {
  readonly spec: HostSpec;
  readonly clock = new VirtualClock();
  readonly scheduler = new Scheduler(this.clock);
  readonly host: HostMachine;
  readonly guests: BedGuest[] = [];
  readonly #plant: Plant;
  #retry = false;

  constructor(spec: HostSpec, devices: readonly DeviceSpec[], plant: Plant = {}) {
    this.spec = spec;
    this.#plant = plant;
    const env = {
      clock: this.clock,
      scheduler: this.scheduler,
      costs: DEFAULT_COSTS,
      tracer: { emit: () => {} },
      random: (name: string) => Prng.stream(0, name),
    };
    this.host = (plant.createHost ?? createHost)(env, spec, devices);
  }

  /** A process that has `devices`; its number is its place in `guests`. */
  attach(name: string, devices: readonly DeviceSpec[], eventfds = 64, vcpus = 1): BedGuest {
    const plan = planOf(name, devices, vcpus);
    const rows = plan.rows.reduce((sum, device) => sum + rowCount(device), 0);
    const shape = {
      eventfds,
      doorbells: plan.doorbells.reduce((sum, { count }) => sum + count, 0),
      vcpus,
      rows,
      fateDoubles: FateCounts.length(rows),
      ring: { slots: 64, slotBytes: 256 },
    };
    const memory = createBorder(shape);
    const index = this.guests.length;
    const port = hostPort(memory, shape, () => SILENT);
    this.host.attach(index, plan, this.#plant.port?.(port, index) ?? port);
    const guest = { plan, shape, memory, port: guestPort(memory, shape, () => SILENT) };
    this.guests.push(guest);
    return guest;
  }

  /** Somebody woke the host. */
  poll(): void {
    let polls = 0;
    while (this.host.poll() > 0) {
      expectThat(++polls < POLLS_MAX, () => "the host finds work in every turn and never rests");
    }
  }

  /** Runs the next event and what it wakes; false if nothing is due by `until` (ns). */
  step(until = Number.POSITIVE_INFINITY): boolean {
    this.#armRetry();
    const ran = this.scheduler.runNext(until);
    this.poll();
    return ran;
  }

  /** A process that does not read its answers is looked at again without being woken. */
  #armRetry(): void {
    const next = this.host.nextAt();
    if (this.#retry || next === Number.POSITIVE_INFINITY) return;
    this.#retry = true;
    this.scheduler.at(next, () => {
      this.#retry = false;
    });
  }

  /** Virtual time passes. */
  sleep(ns: number): void {
    const until = this.clock.now() + ns;
    let reached = false;
    this.scheduler.at(until, () => {
      reached = true;
    });
    while (!reached) this.step(until);
  }

  /** Runs events until `done`, at most `activations` of them. */
  runUntil(done: () => boolean, activations: number, what: () => string): void {
    this.poll();
    const last = this.scheduler.activations + activations;
    while (!done()) {
      expectThat(this.scheduler.activations < last, () => `${what()}: no end of it`);
      if (!this.step()) expectThat(done(), () => `${what()}: nothing left that could end it`);
    }
  }
}

function planOf(name: string, devices: readonly DeviceSpec[], vcpus: number): GuestPlan {
  let base = 0;
  const doorbells = devices.map(({ model, msixVectors }) => {
    const count = model === "nvme" ? 2 * Math.max(2, msixVectors) : 0;
    base += count;
    return { base: base - count, count };
  });
  return {
    spec: {
      name,
      vmm: "qemu",
      vmmVersion: "10.0",
      vcpus,
      devices: devices.map((device) => device.name),
      driver: "nvme",
      path: "userspace",
      workload: { arrivals: "none", rate: 0, per: "device", depth: 0 },
      timeline: [],
    },
    devices,
    rows: layoutRows(
      devices.map((d) => ({ name: d.name, msi: d.msiVectors, msix: d.msixVectors })),
    ),
    doorbells,
    stages: "full",
  };
}
