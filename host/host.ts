/** The host kernel and its hardware, built from a scenario; see src/run/contract.ts. */
import { UsageError } from "../src/base/errors.ts";
import { FateCounts } from "../src/measure/fates.ts";
import { rowCount } from "../src/measure/rows.ts";
import type {
  CreateHost,
  DeviceInspection,
  GuestPlan,
  HostGuestReport,
  HostMachine,
  HostReport,
  MachineEnv,
  PoolInspection,
  RetentionReport,
} from "../src/run/contract.ts";
import type { OwnPolicies } from "../src/run/retention-policy.ts";
import type { DeviceSpec, HostSpec } from "../src/scenario/types.ts";
import { type HostPort, quietDoorbell } from "../src/shm/border.ts";
import { DueTimes } from "../src/time/due-times.ts";
import { TraceRecorder } from "../src/trace/trace.ts";
import { BusSlot } from "./bus-slot.ts";
import { DeviceMeter, MeterStorage } from "./device/meter.ts";
import { createDevice } from "./device/registry.ts";
import { createIrqPool, unmappedRead } from "./irq/platform.ts";
import type { IrqPool } from "./irq/types.ts";
import { kernelProfile } from "./kernel-profile.ts";
import { IrqBypass } from "./kvm/bypass.ts";
import { type RingDoorbell, VmProcess } from "./process/vm-process.ts";
import { VfioPciDevice } from "./vfio/pci-device.ts";
import { retentionPolicy } from "./vfio/retention/registry.ts";
import { Retention } from "./vfio/retention/retention.ts";

/** One device of the machine. */
interface HostDevice {
  readonly slot: BusSlot;
  readonly vfio: VfioPciDevice;
}

/** One VM process and what its devices counted. */
interface HostGuest {
  readonly plan: GuestPlan;
  readonly process: VmProcess;
  readonly devices: readonly HostDevice[];
  readonly raised: Float64Array;
  readonly injected: Float64Array;
  readonly fates: Float64Array;
}

class Host implements HostMachine {
  readonly #env: MachineEnv;
  readonly #pool: IrqPool;
  readonly #retention: Retention;
  #atEnd: RetentionReport | null = null;
  readonly #timeline: NonNullable<HostSpec["timeline"]>;
  readonly #bypass = new IrqBypass();
  readonly #devices = new Map<string, HostDevice>();
  readonly #guests = new Map<number, HostGuest>();
  /** Devices with traffic of their own, and when it is due: by the same numbers. */
  readonly #loaded: HostDevice[] = [];
  readonly #loadDue = new DueTimes();
  /** Guests whose process is `stuck`. */
  readonly #stuck = new Set<number>();
  readonly #ioctls: Record<string, number> = {};
  #oopses = 0;
  #nextLoad = Number.POSITIVE_INFINITY;
  /** On a virtual clock nobody polls on and on: a timer raises what is due. */
  readonly #timed: boolean;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(
    env: MachineEnv,
    spec: HostSpec,
    devices: readonly DeviceSpec[],
    own: OwnPolicies = new Map(),
  ) {
    this.#env = env;
    this.#timed = env.clock.kind === "virtual";
    this.#timeline = spec.timeline ?? [];
    const pool = createIrqPool(spec, env);
    this.#pool = pool;
    const retention = new Retention(env, pool);
    this.#retention = retention;
    const vfioHost = {
      env,
      pool,
      profile: kernelProfile(spec.kernel),
      retention,
      bugs: spec.bugs ?? [],
      oops: (where: string) => this.#oops(where),
      bypass: this.#bypass,
      nointxmask: spec.nointxmask,
    };
    for (const [index, device] of devices.entries()) {
      const physical = createDevice(device, { env, unmappedRead: unmappedRead(spec.platform) });
      const kept = device.retention ?? spec.retention;
      retention.add(device.name, retentionPolicy(kept, device.name, own), JSON.stringify(kept));
      const slot = new BusSlot(physical, index, pool);
      const vfio = new VfioPciDevice(vfioHost, physical, slot);
      this.#devices.set(device.name, { slot, vfio });
    }
  }

  attach(guest: number, plan: GuestPlan, port: HostPort): void {
    const rows = plan.rows.reduce((sum, device) => sum + rowCount(device), 0);
    const fates = new Float64Array(FateCounts.length(rows));
    const storage = new MeterStorage(
      rows,
      new FateCounts(rows, fates),
      this.#env.clock,
      port,
      plan.stages === "full",
    );
    const { raised, injected } = storage;
    const devices = plan.devices.map(({ name }) => this.#device(name));
    for (const [i, { slot }] of devices.entries()) {
      slot.owner = plan.spec.name;
      slot.physical.meter = new DeviceMeter(plan.rows[i]!, storage);
      const { base, count } = plan.doorbells[i]!;
      // Software may reach a register whose doorbell the process was not given.
      slot.physical.quietDoorbell = (index, quiet) => {
        if (index < count) quietDoorbell(port, base + index, quiet);
      };
    }
    const world = {
      env: this.#env,
      port,
      bypass: plan.spec.path === "posted" && this.#pool.canPost ? this.#bypass : null,
      deviceOf: (name: string) => {
        const device = devices.find(({ vfio }) => vfio.name === name);
        return device?.vfio.bound === true ? device.vfio : null;
      },
      countIoctl: (name: string) => {
        this.#ioctls[name] = (this.#ioctls[name] ?? 0) + 1;
      },
      callEnded: () => {
        if (process.stuck) this.#stuck.add(guest);
        this.#runLoad();
      },
    };
    const process = new VmProcess(plan.spec.name, world, doorbells(plan, devices));
    this.#guests.set(guest, { plan, process, devices, raised, injected, fates });
    this.#startLoad(plan, devices);
    this.#env.tracer.emit("process_attach", { process: plan.spec.name });
  }

  start(): void {
    const { scheduler, clock } = this.#env;
    const now = clock.now();
    for (const { at, do: action, device } of this.#timeline) {
      scheduler.at(now + at, () => this[action](device));
    }
  }

  exit(guest: number, reason: string): void {
    const found = this.#guests.get(guest);
    if (found === undefined || !found.process.alive) return;
    for (const device of found.devices) this.#stopLoad(device);
    this.#env.tracer.emit("process_exit", { process: found.plan.spec.name, reason });
    found.process.exit(() => {});
  }

  /** What ran is killed; the machine goes on, as it does without panic_on_oops. */
  #oops(where: string): void {
    this.#oopses++;
    const text = `BUG: kernel NULL pointer dereference, RIP: ${where}`;
    this.#env.tracer.emit("printk", { text });
  }

  poll(woken?: readonly number[]): number {
    let did = 0;
    const all = woken === undefined || this.#stuck.size > 0;
    for (const guest of all ? this.#guests.keys() : woken) did += this.#pollProcess(guest);
    return did + this.#runLoad();
  }

  #pollProcess(guest: number): number {
    const { process } = this.#guests.get(guest)!;
    const did = process.poll();
    if (process.stuck) this.#stuck.add(guest);
    else if (this.#stuck.size > 0) this.#stuck.delete(guest);
    return did;
  }

  nextAt(): number {
    let next = this.#timed ? Number.POSITIVE_INFINITY : this.#nextLoad;
    for (const guest of this.#stuck)
      next = Math.min(next, this.#guests.get(guest)!.process.nextAt());
    return next;
  }

  unbind(device: string): void {
    const { vfio } = this.#device(device);
    this.#env.scheduler.spawn(`${device}.unbind`, vfio.unbind());
  }

  bind(device: string): void {
    this.#device(device).vfio.bind();
  }

  inspect(device: string): DeviceInspection {
    const { slot, vfio } = this.#device(device);
    const { kind, indexes } = this.#pool.held(slot);
    return {
      held: indexes,
      kind,
      armed: vfio.opened?.msi.armed() ?? [],
      intx: vfio.opened?.intx.enabled ?? false,
      // Four kilobytes that few look at.
      get config() {
        return slot.fn.config.bytes.slice();
      },
      irqFile: this.#pool.irqFile(slot),
    };
  }

  inspectPool(): PoolInspection {
    return this.#pool.inspect();
  }

  quiesce(): void {
    // The run is over: what is held from now on, while all comes to rest, is no part of it.
    this.#atEnd ??= this.#retention.report();
    for (const device of this.#loaded) this.#stopLoad(device);
  }

  busy(): boolean {
    for (const { process } of this.#guests.values()) if (process.busy) return true;
    return false;
  }

  settle(): void {
    for (const { process, devices } of this.#guests.values()) {
      // What a dead process had in flight is found by the ledger.
      if (!process.alive) continue;
      process.settle();
      for (const { slot } of devices) slot.settle();
    }
  }

  report(): HostReport {
    const { tracer } = this.#env;
    return {
      guests: [...this.#guests.values()].map(guestReport),
      pool: this.#pool.report(),
      retention: this.#atEnd ?? this.#retention.report(),
      ioctls: { ...this.#ioctls },
      oopses: this.#oopses,
      trace: tracer instanceof TraceRecorder ? tracer.all() : [],
    };
  }

  #device(name: string): HostDevice {
    const device = this.#devices.get(name);
    if (device !== undefined) return device;
    const known = [...this.#devices.keys()].join(", ");
    throw new UsageError(`the host has no device ${name}`, { hint: `it has ${known}` });
  }

  #startLoad(plan: GuestPlan, devices: readonly HostDevice[]): void {
    const { arrivals } = plan.spec.workload;
    if (arrivals !== "poisson" && arrivals !== "fixed") return;
    for (const device of devices) {
      const number = this.#loadDue.add();
      this.#loaded.push(device);
      const { clock, scheduler, random } = this.#env;
      const loadPlanned = (at: number): void => this.#loadDue.set(number, at);
      const env = { clock, scheduler, random, loadPlanned };
      device.slot.physical.startLoad(plan.spec.workload, env);
    }
    this.#runLoad();
  }

  #stopLoad(device: HostDevice): void {
    device.slot.physical.stopLoad();
    if (this.#loadDue.earliest === Number.POSITIVE_INFINITY) {
      this.#nextLoad = Number.POSITIVE_INFINITY;
    }
  }

  /** Raises what is due. Hot path: every turn of the host's loop. */
  #runLoad(): number {
    if (this.#loaded.length === 0) return 0;
    const now = this.#env.clock.now();
    const did = this.#nextLoad <= now ? 1 : 0;
    const due = this.#loadDue;
    for (let i = due.nextDue(0, now); i >= 0; i = due.nextDue(i + 1, now)) {
      due.set(i, this.#loaded[i]!.slot.physical.runLoad(now));
    }
    this.#nextLoad = due.earliest;
    if (this.#timed) this.#armTimer();
    return did;
  }

  #armTimer(): void {
    const at = Math.max(this.#nextLoad, this.#env.clock.now());
    if (at >= this.#timerAt) return;
    this.#timerAt = at;
    this.#env.scheduler.at(at, () => {
      // An earlier timer that was armed later has done this one's work.
      if (this.#timerAt !== at) return;
      this.#timerAt = Number.POSITIVE_INFINITY;
      this.#runLoad();
    });
  }
}

/** Doorbell words of the border, by device. */
function doorbells(plan: GuestPlan, devices: readonly HostDevice[]): RingDoorbell {
  return (index, value) => {
    for (const [i, { base, count }] of plan.doorbells.entries()) {
      if (index < base || index >= base + count) continue;
      devices[i]!.slot.physical.doorbell(index - base, value);
      return;
    }
  };
}

function guestReport(guest: HostGuest): HostGuestReport {
  return {
    name: guest.plan.spec.name,
    raised: Array.from(guest.raised),
    fates: Array.from(guest.fates),
    injected: Array.from(guest.injected),
    hostile: { ...guest.process.hostile },
    alive: guest.process.alive,
    callsCutShort: guest.process.callsCutShort,
  };
}

export const createHost: CreateHost = (env, host, devices, own) => {
  return new Host(env, host, devices, own);
};
