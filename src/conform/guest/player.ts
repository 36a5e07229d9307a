/** Lets a guest live through a recording, segment by segment. */
import { Prng } from "../../base/prng.ts";
import type { MachineEnv } from "../../run/contract.ts";
import { DEFAULT_COSTS } from "../../time/costs.ts";
import type { Process } from "../../time/process.ts";
import { Scheduler, type Task } from "../../time/scheduler.ts";
import { VirtualClock } from "../../time/virtual-clock.ts";
import type { ComparingBus } from "./bus.ts";
import { followedCall } from "./follow.ts";
import type { DriverKind } from "./image.ts";
import type { CreateReplayGuest, ReplayedGuest } from "./machine.ts";
import type { GuestAction } from "./notes.ts";
import type { Segment } from "./session.ts";
import type { Tape } from "./tape.ts";

/** A guest that does nothing more within this has come to rest. */
const SEGMENT_NS = 100_000_000_000;

type GuestOptions = Omit<
  Parameters<CreateReplayGuest>[1],
  "probesAtBoot" | "isFollowed" | "leaving"
>;

export interface PlayedDevice {
  readonly name: string;
  readonly driver: DriverKind;
}

/** Names under which drivers load, by what they drive. */
const MODULES: Readonly<Record<string, DriverKind>> = { nvme: "nvme", igb: "nic" };

export class GuestPlayer {
  readonly #scheduler: Scheduler;
  readonly #clock = new VirtualClock();
  readonly #bus: ComparingBus;
  readonly #devices: readonly PlayedDevice[];
  readonly #guest: ReplayedGuest;
  #task: Task | null = null;
  #isOn = false;

  constructor(
    createGuest: CreateReplayGuest,
    options: GuestOptions,
    devices: readonly PlayedDevice[],
    bus: ComparingBus,
  ) {
    this.#scheduler = new Scheduler(this.#clock);
    this.#devices = devices;
    this.#bus = bus;
    const env: MachineEnv = {
      clock: this.#clock,
      scheduler: this.#scheduler,
      costs: DEFAULT_COSTS,
      tracer: { emit: () => {} },
      random: (name) => Prng.stream(0, name),
    };
    const driverOf = new Map(devices.map(({ name, driver }) => [name, driver]));
    this.#guest = createGuest(
      env,
      {
        ...options,
        // What the boot's scripts load is an input: drivers write something when they probe, but
        // for one whose function firmware left as a driver without message interrupts needs it.
        probesAtBoot: (device) =>
          driverOf.get(device) === null || options.lineOnly || this.#hasMore(device),
        isFollowed: (device) => driverOf.get(device) === null,
        leaving: (device) => this.#drain(device),
      },
      bus,
    );
    bus.guest = this.#guest;
  }

  #hasMore(device: string): boolean {
    return (this.#bus.tape(device)?.peek() ?? null) !== null;
  }

  play(segment: Segment): void {
    // A guest that has reset its machine itself goes on; others are reset.
    const goesOn = this.#bus.isAwaited;
    this.#bus.begin(segment);
    if (segment.note === null) {
      if (!goesOn) this.#replace(this.#powerOrReset());
    } else if (segment.note.actions.length > 0) this.#replace(this.#perform(segment.note.actions));
    this.#settle();
    for (const { name } of this.#devices) this.#run(this.#drain(name));
    this.#bus.end();
  }

  #powerOrReset(): Process {
    const isOn = this.#isOn;
    this.#isOn = true;
    return isOn ? this.#guest.reset() : this.#guest.boot();
  }

  /** What was under way is no more. */
  #replace(process: Process): void {
    if (this.#task !== null) this.#scheduler.kill(this.#task);
    this.#task = this.#scheduler.spawn("guest", process);
  }

  #settle(): void {
    const until = this.#clock.now() + SEGMENT_NS;
    while (this.#scheduler.runNext(until)) {}
  }

  #run(process: Process): void {
    const task = this.#scheduler.spawn("guest.irq", process);
    this.#settle();
    if (!task.done) this.#scheduler.kill(task);
  }

  /** Interrupts that came while nothing else happened, and what a driver does that is followed. */
  *#drain(device: string): Process {
    for (;;) {
      const tape = this.#bus.tape(device);
      const left = tape?.left.length ?? 0;
      if (tape === null || left === 0) return;
      yield* this.#step(device, tape);
      if (tape.left.length === left) return;
    }
  }

  *#step(device: string, tape: Tape): Process {
    if (yield* this.#bus.takeInterrupt(device, tape)) return;
    const driver = this.#guest.followed(device);
    if (driver === null) return;
    const call = followedCall(tape, driver);
    if (call === null) {
      this.#bus.lose(device, "a driver that is followed did what its first write does not tell");
      return;
    }
    this.#bus.told(device);
    yield* call;
  }

  *#perform(actions: readonly GuestAction[]): Process {
    for (const action of actions) {
      for (const process of this.#processes(action)) yield* process;
    }
  }

  /** Devices that a driver's name, or a place on the bus, stands for. */
  #driven(driver: string): string[] {
    const kind = MODULES[driver];
    if (kind === undefined || kind === null) return [];
    return this.#devices.filter((device) => device.driver === kind).map(({ name }) => name);
  }

  /** The recorder puts each device behind a port of its own: the bus number counts them. */
  #at(slot: string | null): string[] {
    const bus = Number.parseInt(slot?.split(":").at(-2) ?? "1", 16);
    const device = this.#devices[bus - 1];
    return device === undefined ? [] : [device.name];
  }

  #of(kind: DriverKind): string[] {
    return this.#devices.filter(({ driver }) => driver === kind).map(({ name }) => name);
  }

  /** Devices that the guest wrote to in this segment. */
  #writers(): string[] {
    return this.#devices.map(({ name }) => name).filter((device) => this.#hasMore(device));
  }

  /** Devices by the VMM's name, of which the session may have made a new one. */
  #withId(id: string | null): string[] {
    const found = this.#devices.find(({ name }) => id?.startsWith(name));
    return found === undefined ? this.#writers() : [found.name];
  }

  /** A module's parameters change what its driver does. */
  #load(driver: string, parameters: string): Process[] {
    const devices = this.#driven(driver);
    if (parameters === "") return devices.map((device) => this.#guest.bind(device));
    const why = `a driver with parameters that are not modelled: ${driver} ${parameters}`;
    for (const device of devices) this.#bus.lose(device, why);
    return [];
  }

  #processes(action: GuestAction): Process[] {
    const guest = this.#guest;
    switch (action.do) {
      case "load":
        return this.#load(action.driver, action.parameters);
      case "unload":
        return this.#driven(action.driver).map((device) => guest.unbind(device));
      case "bind":
        return this.#at(action.slot).map((device) => guest.bind(device));
      case "unbind":
        return this.#at(action.slot).map((device) => guest.unbind(device));
      case "link":
        return this.#of("nic").map((device) => guest.link(device, action.isUp));
      case "channels":
        return this.#of("nic").map((device) => guest.setChannels(device, action.combined));
      case "self-test":
        return this.#of("nic").map((device) => guest.selfTest(device));
      case "affinity":
        return action.irq === null ? [] : [guest.setAffinity(action.irq, action.vcpus)];
      case "cpu":
        return [guest.cpuOnline(action.cpu, action.isOn)];
      default:
        return this.#machineProcesses(action);
    }
  }

  #machineProcesses(action: GuestAction): Process[] {
    const guest = this.#guest;
    switch (action.do) {
      case "reset-function":
        return this.#at(action.slot).map((device) => guest.resetFunction(device));
      case "remove":
        return this.#at(action.slot).map((device) => guest.remove(device));
      case "reset-controller":
        return this.#of("nvme")
          .slice(action.index, action.index + 1)
          .map((device) => guest.resetController(device));
      case "rescan":
        return [guest.rescan()];
      case "reboot":
        return [guest.reboot()];
      case "power-off":
        return [guest.powerOff()];
      case "power-button":
        return this.#writers().length > 0 ? [guest.powerOff()] : [];
      case "wake-up":
        return this.#writers().length > 0 ? [guest.resume()] : [];
      case "kexec":
        return [guest.kexec()];
      case "suspend":
        return [guest.suspend()];
      case "suspend-test":
        return [guest.suspend(), guest.resume()];
      case "unplug":
        return this.#withId(action.id).map((device) => guest.unplug(device));
      case "plug":
        return this.#withId(action.id).map((device) => this.#plug(device));
      default:
        return [];
    }
  }

  *#plug(device: string): Process {
    this.#bus.resetFunction(device);
    yield* this.#guest.plug(device);
  }
}
