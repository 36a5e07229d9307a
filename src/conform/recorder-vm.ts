/** The recorder's process: system calls through the same border and messages as any guest's. */
import { assert } from "../base/assert.ts";
import { Prng } from "../base/prng.ts";
import { layoutRows, rowCount } from "../measure/rows.ts";
import type { CreateHost, GuestPlan, HostMachine, MachineEnv } from "../run/contract.ts";
import type { DeviceSpec, GuestSpec, HostSpec } from "../scenario/types.ts";
import {
  type BorderShape,
  createBorder,
  type GuestPort,
  guestPort,
  hostPort,
  writeEventfd,
} from "../shm/border.ts";
import type { Waker } from "../shm/waker.ts";
import { DEFAULT_COSTS } from "../time/costs.ts";
import { Scheduler } from "../time/scheduler.ts";
import { VirtualClock } from "../time/virtual-clock.ts";
import type { Tracer } from "../trace/trace.ts";
import { MessageReceiver, MessageSender } from "../wire/channel.ts";
import type { Request, Response } from "../wire/messages.ts";
import { parseResponse } from "../wire/validate.ts";

/** A call that has no answer after this much virtual time never will. */
const CALL_LIMIT_NS = 600_000_000_000;
const RING = { slots: 64, slotBytes: 1024 };

/** What the process's VM is, and what hears that its vCPUs are to be woken. */
export interface RecorderGuest {
  readonly path: GuestSpec["path"];
  readonly vcpus: number;
  readonly waker: Waker;
}

/** A recorder has no vCPUs; nobody wakes it. */
const RECORDER: RecorderGuest = { path: "userspace", vcpus: 1, waker: { wake: () => {} } };

type RequestBody = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

/** One process's end of the border. */
class RecorderProcess {
  readonly port: GuestPort;
  readonly sender: MessageSender;
  readonly receiver: MessageReceiver;
  readonly responses = new Map<number, Response>();
  nextId = 1;

  constructor(port: GuestPort) {
    this.port = port;
    this.sender = new MessageSender(port.requests);
    this.receiver = new MessageReceiver(port.responses, (reason) =>
      assert(false, `the host sent ${reason}`),
    );
  }
}

/** A host on a virtual clock of its own, and a process on it that has all devices. */
export class RecorderVm {
  readonly host: HostMachine;
  readonly #clock = new VirtualClock();
  readonly #scheduler = new Scheduler(this.#clock);
  readonly #eventfds: number;
  readonly #guest: RecorderGuest;
  #process: RecorderProcess;
  #processes = 0;

  constructor(
    createHost: CreateHost,
    spec: HostSpec,
    devices: readonly DeviceSpec[],
    eventfds: number,
    tracer: Tracer = { emit: () => {} },
    guest = RECORDER,
  ) {
    const env: MachineEnv = {
      clock: this.#clock,
      scheduler: this.#scheduler,
      costs: DEFAULT_COSTS,
      tracer,
      random: (name) => Prng.stream(0, name),
    };
    this.host = createHost(env, spec, devices);
    this.#eventfds = eventfds;
    this.#guest = guest;
    this.#process = this.#attach(devices);
  }

  get port(): GuestPort {
    return this.#process.port;
  }

  /** Calls are another process's from now on, with `devices`; the one so far holds what it has. */
  newProcess(devices: readonly DeviceSpec[]): void {
    this.#process = this.#attach(devices);
  }

  #attach(devices: readonly DeviceSpec[]): RecorderProcess {
    const { path, vcpus, waker } = this.#guest;
    const plan = recorderPlan(devices, path);
    const rows = plan.rows.reduce((sum, device) => sum + rowCount(device), 0);
    const shape: BorderShape = {
      eventfds: this.#eventfds,
      doorbells: 0,
      vcpus,
      rows,
      fateDoubles: 0,
      ring: RING,
    };
    const memory = createBorder(shape);
    this.host.attach(
      this.#processes++,
      plan,
      hostPort(memory, shape, () => waker),
    );
    return new RecorderProcess(guestPort(memory, shape, () => RECORDER.waker));
  }

  /** Starts a system call and does not wait; its answer is thrown away. */
  post(body: RequestBody): number {
    const id = this.#process.nextId++;
    this.#process.sender.send({ ...body, id });
    return id;
  }

  /** One system call; virtual time passes until it returns. */
  call(body: RequestBody): Response {
    const id = this.post(body);
    const limit = this.#clock.now() + CALL_LIMIT_NS;
    for (;;) {
      this.#poll();
      const response = this.#process.responses.get(id);
      if (response !== undefined) {
        this.#process.responses.delete(id);
        return response;
      }
      assert(this.#scheduler.runNext(limit), `no answer to ${body.op}`);
    }
  }

  /** Virtual time passes. */
  sleep(ns: number): void {
    const until = this.#clock.now() + ns;
    let reached = false;
    this.#scheduler.at(until, () => {
      reached = true;
    });
    while (!reached) {
      this.#poll();
      this.#scheduler.runNext(until);
    }
    this.#poll();
  }

  /** write(2) to an eventfd: 8, or a negative errno. */
  writeEventfd(slot: number, count: bigint): number {
    const result = writeEventfd(this.port, slot, count);
    this.#poll();
    return result === 0 ? 8 : result;
  }

  /** read(2) of a nonblocking eventfd: 0 where it would block. */
  readEventfd(slot: number): bigint {
    return this.port.eventfds.readBig(slot);
  }

  /** The same for counts below 2^53, which costs less: a script has thousands of eventfds. */
  takeCount(slot: number): number {
    return this.port.eventfds.read(slot);
  }

  #poll(): void {
    while (this.host.poll() > 0) {}
    this.#process.receiver.receive((message) => {
      const response = parseResponse(message);
      assert(!("bad" in response), "the host's response makes no sense");
      this.#process.responses.set(response.id, response);
    });
    if (this.#process.sender.backlog > 0 && this.#process.sender.pump()) this.#poll();
  }
}

function recorderPlan(devices: readonly DeviceSpec[], path: GuestSpec["path"]): GuestPlan {
  const rows = layoutRows(
    devices.map(({ name, msiVectors, msixVectors }) => ({
      name,
      msi: msiVectors,
      msix: msixVectors,
    })),
  );
  return {
    spec: {
      name: "recorder",
      vmm: "qemu",
      vmmVersion: "10.0",
      vcpus: 1,
      devices: devices.map(({ name }) => name),
      driver: "nvme",
      path,
      workload: { arrivals: "none", rate: 0, per: "device", depth: 0 },
      timeline: [],
    },
    devices,
    rows,
    doorbells: devices.map(() => ({ base: 0, count: 0 })),
    stages: "ends",
  };
}
