/**
 * One vector of an nvme with everything its interrupts pass, of both sides and in one thread: what
 * the cost of each layer, and what all of them allocate, is measured on.
 */

import { GuestInterrupts } from "../../guest/kernel/interrupts.ts";
import { IrqTable } from "../../guest/kernel/irq-table.ts";
import { LocalApics } from "../../guest/local-apic.ts";
import type { Syscalls } from "../../guest/syscalls.ts";
import { TokenSequence } from "../../guest/token-sequence.ts";
import { HANDLER_VECTOR, MainLoop, type MainLoopSink } from "../../guest/vmm/common/main-loop.ts";
import { Tokens } from "../../guest/vmm/tokens.ts";
import type { VirtualMachine } from "../../guest/vmm/types.ts";
import { BusSlot } from "../../host/bus-slot.ts";
import { DeviceMeter, MeterStorage } from "../../host/device/meter.ts";
import { Nvme } from "../../host/device/nvme.ts";
import { createIrqPool } from "../../host/irq/platform.ts";
import { PostedIrte } from "../../host/irq/posted-irte.ts";
import { IrqBypass } from "../../host/kvm/bypass.ts";
import { KvmVm } from "../../host/kvm/vm.ts";
import { EventfdCtx } from "../../host/process/eventfd-ctx.ts";
import { MsiTrigger } from "../../host/vfio/msi-trigger.ts";
import { EINVAL } from "../../src/base/errno.ts";
import { FateCounts } from "../../src/measure/fates.ts";
import { rowOf } from "../../src/measure/rows.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import { machineEnv, wallCosts } from "../../src/run/env.ts";
import { borderShape, planGuests } from "../../src/run/plan.ts";
import { scenarioFromData } from "../../src/scenario/loader.ts";
import type { GuestSpec } from "../../src/scenario/types.ts";
import {
  createBorder,
  type GuestPort,
  guestPort,
  type HostPort,
  hostPort,
} from "../../src/shm/border.ts";
import type { Clock } from "../../src/time/clock.ts";
import { type Process, step } from "../../src/time/process.ts";
import { Scheduler } from "../../src/time/scheduler.ts";
import { WallClock } from "../../src/time/wall-clock.ts";
import { encodeIrqfd, encodeRouting, KVM_IRQFD, KVM_SET_GSI_ROUTING } from "../../src/uapi/kvm.ts";

const GSI = 30;
const VECTOR = 0x41;
/** The nvme's I/O queue 1, which has MSI-X entry 1. */
const ENTRY = 1;
const PCI_COMMAND = 4;
const MEMORY_AND_MASTER = 0x6;
const CAP_MSIX = 0x40;
const MSIX_ENABLE = 0x8000;
/** MSI-X table of the nvme's BAR 0. */
const TABLE = 0x2000;
const NOBODY = { wake: () => {} };

export type Path = GuestSpec["path"];

/** A layer, as something that is done `times` times; each includes those after it. */
export interface Layer {
  readonly name: string;
  run(times: number): void;
}

function planOf(
  path: Path,
  stages: "full" | "ends",
  clock: Clock,
): { plan: GuestPlan; env: MachineEnv } {
  const scenario = scenarioFromData({
    name: "delivery",
    devices: [{ name: "nvme", model: "nvme", msixVectors: 2 }],
    guests: [{ name: "g", device: "nvme", path, vcpus: 1 }],
    run: { stages },
    duration: "1s",
  });
  const costs = wallCosts();
  const env = machineEnv({ ...scenario, costs }, "g", clock, new Scheduler(clock));
  return { plan: planGuests(scenario)[0]!, env };
}

export class Delivery {
  readonly path: Path;
  readonly memory: SharedArrayBuffer;
  readonly env: MachineEnv;
  readonly host: HostPort;
  readonly guest: GuestPort;
  readonly device: Nvme;
  readonly slot: BusSlot;
  readonly trigger: MsiTrigger;
  readonly ctx: EventfdCtx;
  readonly interrupts: GuestInterrupts;
  readonly lapics: LocalApics;
  readonly row: number;
  /** What the driver's handler does. */
  onIsr: () => void = () => {};
  readonly #meter: DeviceMeter;
  readonly #loop: MainLoop;
  readonly #sink: MainLoopSink;
  readonly #ready = new Int32Array(64);

  /** `memory` is the border of one that another thread has; each then uses its own half of it. */
  constructor(
    path: Path,
    stages: "full" | "ends" = "full",
    clock: Clock = new WallClock(),
    memory: SharedArrayBuffer | null = null,
  ) {
    this.path = path;
    const { plan, env } = planOf(path, stages, clock);
    this.env = env;
    const shape = borderShape(plan);
    this.memory = memory ?? createBorder(shape);
    this.host = hostPort(this.memory, shape, () => NOBODY);
    this.guest = guestPort(this.memory, shape, () => NOBODY);
    const fates = new FateCounts(shape.rows);
    const storage = new MeterStorage(shape.rows, fates, env.clock, this.host, stages === "full");
    this.#meter = new DeviceMeter(plan.rows[0]!, storage);
    this.row = rowOf(plan.rows[0]!, "msix", ENTRY);
    const pool = createIrqPool(HOST, env);
    this.device = new Nvme(plan.devices[0]!, { env });
    this.slot = new BusSlot(this.device, 0, pool);
    this.device.meter = this.#meter;
    this.ctx = new EventfdCtx(0, this.host, () => {});
    const irq = { pool, client: this.slot, vector: ENTRY };
    this.trigger = new MsiTrigger(this.ctx, this.#meter, this.row, env, irq);
    this.#await(pool.pciAllocIrqVectors(this.slot, 1, ENTRY + 1, "msix"));
    this.#await(pool.requestIrq(this.slot, ENTRY, this.trigger));
    this.#unmask();
    if (path !== "userspace") this.#assign(path);
    // The guest's side.
    this.lapics = new LocalApics(this.guest);
    if (path === "posted") this.guest.posted.poll();
    const sequence = new TokenSequence(shape.rows);
    const tokens = new Tokens(env, this.guest, plan, { lapics: this.lapics, sequence });
    this.#loop = new MainLoop(env, this.guest, EVENTFD_0 as unknown as Syscalls, tokens);
    const ignore = (): void => {};
    this.#sink = {
      vectorFired: () => tokens.inject(this.row, 0, VECTOR),
      intxFired: ignore,
      errFired: ignore,
      reqFired: ignore,
    };
    const table = new IrqTable(1);
    table.assign(VECTOR, this.row, false);
    const handleIrq = (): boolean => {
      this.onIsr();
      return true;
    };
    table.setHandler(VECTOR, { handleIrq, ownsEoi: false });
    const vm = { vcpus: 1, lapics: this.lapics, sequence, eoi: ignore };
    this.interrupts = new GuestInterrupts(
      env,
      this.guest,
      vm as unknown as VirtualMachine,
      table,
      plan,
    );
    this.interrupts.enable();
    this.#listen();
  }

  /** What a turn of the VM process's loop does with what has come. */
  serve(): void {
    if (this.path === "userspace") this.#loop.run(this.#sink);
    this.interrupts.poll();
  }

  /** From the device's cause to the driver's handler. Hot path. */
  deliver(): void {
    this.device.serviceEnded(1);
    this.serve();
    // Where the guest idles it looks at the samples.
    this.interrupts.poll();
  }

  /** Without the guest's software: what came is thrown away. */
  readonly #discard = (): void => {
    if (this.path === "posted") this.guest.posted.takeSingle();
    else if (this.path === "irqfd") this.guest.interrupts.takeSingle();
    else {
      this.guest.guestPoll.drain(this.#ready);
      this.guest.eventfds.read(0);
    }
  };

  /** Layers from the outermost: each cost is what it has more than the next. */
  layers(): Layer[] {
    const { device, slot, trigger, ctx, row, host } = this;
    const meter = this.#meter;
    const fn = slot.fn;
    const discard = this.#discard;
    const irte = this.path === "posted" ? this.#irte() : null;
    const layer = (name: string, once: () => void): Layer => ({
      name,
      run: (times) => {
        for (let i = 0; i < times; i++) {
          once();
          discard();
        }
      },
    });
    const list = [
      {
        name: "guest, idle again: look, sample",
        run: (times: number) => {
          for (let i = 0; i < times; i++) this.deliver();
        },
      },
      {
        name: "guest: interrupt, clock, handler, ledger",
        run: (times: number) => {
          for (let i = 0; i < times; i++) {
            device.serviceEnded(1);
            this.serve();
          }
        },
      },
      layer("device: cause, clock, token", () => device.serviceEnded(1)),
      layer("PCI function: enable, mask, PBA", () => fn.raise("msix", ENTRY)),
      layer("remapping entry, irq descriptor", () => slot.message("msix", ENTRY)),
    ];
    if (irte !== null) list.push(layer("posting: token, sample", () => irte.post()));
    else {
      list.push(layer("vfio handler", () => void trigger.handleIrq()));
      list.push(layer("eventfd, irqfd, token, sample", () => ctx.signal(row, meter)));
    }
    list.push(
      layer("shared memory: publish and take", () => {
        if (this.path === "posted") host.posted.post(0, VECTOR);
        else if (this.path === "irqfd") host.interrupts.post(VECTOR);
        else if (host.eventfds.signal(0)) host.guestPoll.mark(0);
      }),
    );
    return list;
  }

  #irte(): PostedIrte {
    const info = { descriptors: this.host.posted, vcpu: 0, vector: VECTOR, notify: NOBODY };
    return new PostedIrte(info, this.#meter, this.row, this.env);
  }

  #unmask(): void {
    const { fn } = this.slot;
    fn.configWrite(PCI_COMMAND, 2, MEMORY_AND_MASTER);
    fn.configWrite(CAP_MSIX + 2, 2, MSIX_ENABLE);
    this.device.barWrite(0, TABLE + ENTRY * 16 + 12, 4, 0n);
  }

  #assign(path: "irqfd" | "posted"): void {
    const bypass = new IrqBypass();
    const kvm = new KvmVm(this.env, this.host, path === "posted" ? bypass : null);
    const fds = { eventfdGet: () => this.ctx.get(), vfioFile: () => -EINVAL };
    const msi = { addressLo: 0xfee00000, addressHi: 0, data: VECTOR };
    const routes = encodeRouting([{ gsi: GSI, type: "msi", ...msi }]);
    this.#await(kvm.ioctl(KVM_SET_GSI_ROUTING, routes, fds));
    const irqfd = encodeIrqfd({ fd: 3, gsi: GSI, flags: 0, resamplefd: -1 });
    this.#await(kvm.ioctl(KVM_IRQFD, irqfd, fds));
    bypass.registerProducer(this.trigger);
  }

  /** Has the main loop read eventfd 0. */
  #listen(): void {
    if (this.path !== "userspace") return;
    const notifier = this.#await(this.#loop.newNotifier(this.row));
    this.#loop.setHandler(notifier!, HANDLER_VECTOR, 0, ENTRY);
  }

  /** Runs a process of the host whose waits do not matter. */
  #await<T>(process: Process<T>): T {
    for (;;) {
      const step = process.next();
      if (step.done === true) return step.value;
    }
  }
}

const HOST = {
  kernel: "linux-6.12",
  platform: "x86-vtd",
  cpus: 1,
  irtes: 65_536,
  vectorsPerCpu: 201,
  retention: "cache",
  nointxmask: false,
} as const;

/** The process's only eventfd. */
const EVENTFD_0 = {
  *eventfd(): Process<{ fd: number; slot: number }> {
    yield* step();
    return { fd: 3, slot: 0 };
  },
};
