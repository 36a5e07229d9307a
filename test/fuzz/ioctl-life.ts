/** Plays a sequence of system calls on a machine with two guests, and checks it after each step. */
import type { DeviceSpec } from "../../src/scenario/types.ts";
import { expectThat, FuzzBed, type Plant } from "./bed.ts";
import { callOf } from "./ioctl-calls.ts";
import { IoctlGuest } from "./ioctl-guest.ts";
import { checkAlways, checkFates, checkIdle, type DeviceState } from "./ioctl-invariants.ts";
import type { Life, Step } from "./ioctl-steps.ts";
import { checkAsAtBoot, poolState } from "./pool-invariants.ts";

const EVENTFDS = 12;
const REST_NS = 60e9;
const UNBIND_NS = 1e6;
const device = (
  name: string,
  model: DeviceSpec["model"],
  msixVectors: number,
  msiVectors: number,
): DeviceSpec => ({ name, model, msixVectors, msiVectors });

/** Root slots 1 to 8: pins of slots four apart share a line, also between the guests. */
const DEVICES: readonly (readonly DeviceSpec[])[] = [
  [
    device("a-nvme", "nvme", 8, 0),
    device("a-xhci", "nec-usb-xhci", 16, 16),
    device("a-edu", "edu", 0, 4),
    device("a-rocker", "rocker", 16, 0),
  ],
  [
    device("b-e1000e", "e1000e", 5, 1),
    device("b-nvme", "nvme", 8, 0),
    device("b-edu", "edu", 0, 1),
    device("b-rocker", "rocker", 16, 0),
  ],
];

class Stage {
  readonly #life: Life;
  readonly #bed: FuzzBed;
  readonly #guests: IoctlGuest[];
  readonly #boot: string;

  constructor(life: Life, plant: Plant) {
    this.#life = life;
    this.#bed = new FuzzBed(life.host, DEVICES.flat(), plant);
    this.#boot = poolState(this.#bed.host, life.host);
    this.#guests = DEVICES.map((devices, i) => {
      return new IoctlGuest(this.#bed, this.#bed.attach(`guest ${i}`, devices, EVENTFDS, 2));
    });
    if (life.prepared) this.#prepare();
  }

  play(): void {
    for (const step of this.#life.steps) {
      this.#do(step);
      this.#check();
    }
    this.#settle();
    this.#end();
  }

  /** Every guest has everything open that it is going to use. */
  #prepare(): void {
    for (const guest of this.#guests) {
      const base = { guest: guest.index, async: false };
      for (let i = 0; i < 4; i++) this.#do({ do: "open", device: i, ...base });
      this.#do({ do: "kvm", ...base });
      for (let i = 0; i < 8; i++) this.#do({ do: "eventfd", initval: 0, ...base });
      for (let i = 0; i < 4; i++) {
        this.#do({ do: "config", device: i, at: 4, size: 2, value: 6, ...base });
      }
    }
    this.#check();
  }

  #do(step: Step): void {
    const guest = this.#guests[step.guest]!;
    if (!guest.alive && step.do !== "bind" && step.do !== "unbind" && step.do !== "wait") return;
    const spec = "device" in step ? DEVICES[step.guest]![step.device]! : DEVICES[0]![0]!;
    if (step.do === "wait") this.#wait(step.ns);
    else if (step.do === "kill") guest.kill();
    else if (step.do === "bind") this.#bed.host.bind(spec.name);
    else if (step.do === "unbind") this.#bed.host.unbind(spec.name);
    else if (step.do === "signal" || step.do === "read") touchEventfd(guest, step);
    else {
      const call = callOf(guest, step, spec);
      if (call !== null) guest.post(call);
      if (!step.async) guest.wait();
    }
    this.#bed.poll();
    for (const each of this.#guests) each.hear();
  }

  #wait(ns: number): void {
    for (const guest of this.#guests) guest.wait();
    this.#bed.sleep(ns);
  }

  #devices(): DeviceState[] {
    return DEVICES.flatMap((devices, i) =>
      devices.map((spec) => ({
        spec,
        open: this.#guests[i]!.files.some(({ name }) => name === spec.name),
      })),
    );
  }

  #check(): void {
    const { host } = this.#bed;
    const devices = this.#devices();
    const report = host.report();
    checkAlways(host, this.#life.host, devices, report);
    checkFates(report);
    const idle = !host.busy() && this.#guests.every(({ underWay }) => underWay === 0);
    if (idle) checkIdle(host, this.#life.host, devices);
  }

  /** All calls return; those alive close all they have, and then have all their eventfds again. */
  #settle(): void {
    this.#wait(0);
    this.#check();
    for (const guest of this.#guests) {
      if (!guest.alive) continue;
      const base = { guest: guest.index, async: false };
      while (guest.files.length > 0) this.#do({ do: "close", file: 0, ...base });
      this.#check();
      for (let i = 0; i < EVENTFDS + 1; i++) this.#do({ do: "eventfd", initval: 0, ...base });
      const { length } = guest.files;
      expectThat(length === EVENTFDS, () => `${length} eventfds are left of ${EVENTFDS}`);
    }
  }

  #end(): void {
    const { host } = this.#bed;
    for (const guest of this.#guests) if (guest.alive) guest.kill();
    const until = this.#bed.clock.now() + REST_NS;
    while (host.busy() && this.#bed.step(until)) {}
    expectThat(!host.busy(), () => "a process that exits never ends");
    this.#check();
    // Some kernels keep a block of LPIs for a device until its driver goes.
    for (const { name } of DEVICES.flat()) host.unbind(name);
    this.#bed.sleep(UNBIND_NS);
    checkAsAtBoot(host, this.#life.host, DEVICES.flat(), this.#boot);
  }
}

function touchEventfd(guest: IoctlGuest, step: Step & { do: "signal" | "read" }): void {
  const eventfds = guest.of("eventfd");
  const file = eventfds[step.eventfd % Math.max(1, eventfds.length)];
  if (file === undefined) return;
  const { port } = guest.guest;
  if (step.do === "read") {
    port.eventfds.read(file.slot);
    return;
  }
  port.eventfds.write(file.slot, step.count);
  port.hostPoll.mark(file.slot);
}

/** Throws a Finding, or what the host threw, if the machine does not survive this life. */
export function playLife(life: Life, plant: Plant = {}): void {
  new Stage(life, plant).play();
}
