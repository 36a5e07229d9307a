/** A process with an edu, whose INTx the tests drive. */
import { expect } from "vitest";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import { encodeIrqSet } from "../../../../src/uapi/vfio.ts";
import { EDU, EDU_ACK, EDU_RAISE, NVME, TestVm } from "./machine.ts";

/** Retyped from include/uapi/linux/vfio.h. */
export const INTX = 0;
export const [NONE, BOOL, EVENTFD] = [1, 2, 4];
export const [MASK, UNMASK, TRIGGER] = [8, 16, 32];
const SET_IRQS = 0x3b6e;
/** DisINTx, in the second byte of the command register. */
const DISABLE = 0x4;

/** With what a device's INTx is masked, and nointxmask. */
export const MASKING = [
  ["with DisINTx", false],
  ["without", true],
] as const;

export interface Eventfd {
  readonly fd: number;
  readonly slot: number;
}

export class IntxVm extends TestVm {
  constructor(host: Partial<HostSpec> = {}, devices: readonly DeviceSpec[] = [EDU, NVME]) {
    super(devices, host);
    for (const { name } of devices) this.open(name);
  }

  /** INTx on, with an eventfd. */
  enable(name = "edu"): Eventfd {
    const eventfd = this.eventfd();
    expect(this.set(name, INTX, 0, [eventfd.fd])).toBe(0);
    return eventfd;
  }

  count({ slot }: Eventfd): number {
    return Number(this.readEventfd(slot));
  }

  raise(): void {
    expect(this.barWrite("edu", 0, EDU_RAISE, 1)).toBe(4);
  }

  ack(): void {
    expect(this.barWrite("edu", 0, EDU_ACK, 1)).toBe(4);
  }

  action(flags: number, fds: number[] = []): number {
    return this.setRaw("edu", INTX, 0, 1, flags, fds);
  }

  /** DATA_BOOL of one entry. */
  bool(action: number, value: number): number {
    const header = { argsz: 21, flags: BOOL | action, index: INTX, start: 0, count: 1 };
    const arg = encodeIrqSet(header, Uint8Array.of(value));
    return this.call({ op: "ioctl", fd: this.fd("edu"), cmd: SET_IRQS, arg }).ret;
  }

  /** DisINTx of the hardware. */
  get disabled(): boolean {
    return (this.host.inspect("edu").config[5]! & DISABLE) !== 0;
  }
}
