/** QEMU's educational device (docs/specs/edu.rst): factorials, and interrupts raised by hand. */
import type { DeviceSpec, WorkloadSpec } from "../../src/scenario/types.ts";
import type { TimedEvent } from "../../src/time/event-heap.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";
import { type LoadTarget, OpenLoopLoad } from "./load.ts";
import type { DeviceEnv } from "./types.ts";

export const EDU_REG_ID = 0x00;
export const EDU_REG_LIVENESS = 0x04;
export const EDU_REG_FACTORIAL = 0x08;
export const EDU_REG_STATUS = 0x20;
export const EDU_REG_IRQ_STATUS = 0x24;
export const EDU_REG_IRQ_RAISE = 0x60;
export const EDU_REG_IRQ_ACK = 0x64;

export const EDU_ID = 0x010000ed;
/** A factorial is being computed. */
export const EDU_STATUS_COMPUTING = 0x01;
/** Interrupt when it is done; it also lets the device's open-loop load interrupt. */
export const EDU_STATUS_IRQFACT = 0x80;
/** What a finished factorial, and the load, set in the interrupt status. */
export const EDU_FACT_IRQ = 0x1;

const COMPUTE_NS = 1_000;

export class Edu extends Device implements LoadTarget {
  readonly #load = new OpenLoopLoad();
  readonly #finish = (): void => this.#finishFactorial();
  #computing: TimedEvent | null = null;
  #liveness = 0;
  #factorial = 0;
  #status = 0;
  #irqStatus = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    const vectors = spec.msiVectors;
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1234,
        deviceId: 0x11e8,
        classCode: 0x00ff00,
        revisionId: 0x10,
        subsystemVendorId: 0x1af4,
        subsystemId: 0x1100,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [{ index: 0, kind: "mem32", size: 0x100000 }],
        capabilities:
          vectors === 0
            ? []
            : [{ kind: "msi", offset: 0x40, vectors, a64: true, perVectorMask: false }],
      },
      extra,
    );
  }

  override startLoad(load: WorkloadSpec, env: DeviceEnv): void {
    super.startLoad(load, env);
    this.#load.start(load, env, this.spec.name);
  }

  override stopLoad(): void {
    this.#load.stop();
  }

  override runLoad(now: number): number {
    return this.#load.run(now, this);
  }

  loadInterrupt(_queue: number, atNs: number): void {
    this.#raiseIrq(EDU_FACT_IRQ, atNs);
  }

  /** Every write to the raise register interrupts, also for causes that are set already. */
  #raiseIrq(causes: number, atNs: number): void {
    this.#irqStatus = (this.#irqStatus | causes) >>> 0;
    if (this.#irqStatus === 0) return;
    this.raise(this.fn.msi?.enabled === true ? "msi" : "intx", 0, atNs);
  }

  /** With MSI on the wire is left alone, even where it is high from before. */
  #acknowledge(causes: number): void {
    this.#irqStatus = (this.#irqStatus & ~causes) >>> 0;
    if (this.#irqStatus === 0 && this.fn.msi?.enabled !== true) this.fn.deassertIntx();
  }

  #beginFactorial(of: number): void {
    if (this.#computing !== null) return;
    this.#factorial = of;
    this.#status |= EDU_STATUS_COMPUTING;
    if (this.env === null) {
      this.#finishFactorial();
      return;
    }
    const { clock, scheduler } = this.env;
    this.#computing = scheduler.at(clock.now() + COMPUTE_NS, this.#finish);
  }

  #finishFactorial(): void {
    this.#computing = null;
    this.#status &= ~EDU_STATUS_COMPUTING;
    this.#factorial = factorial(this.#factorial);
    if ((this.#status & EDU_STATUS_IRQFACT) !== 0) this.#raiseIrq(EDU_FACT_IRQ, this.now());
  }

  protected override resetRegisters(): void {
    if (this.#computing !== null) this.#computing.cancelled = true;
    this.#computing = null;
    this.#liveness = 0;
    this.#factorial = 0;
    this.#status = 0;
    this.#irqStatus = 0;
    this.#load.setQueues(0);
  }

  /** Registers are 32 bits wide; anything else reads as all ones. */
  protected override readRegister(_bar: number, offset: number, size: number): number {
    if (size !== 4) return 0xffffffff >>> (32 - 8 * size);
    switch (offset) {
      case EDU_REG_ID:
        return EDU_ID;
      case EDU_REG_LIVENESS:
        return this.#liveness;
      case EDU_REG_FACTORIAL:
        return this.#factorial;
      case EDU_REG_STATUS:
        return this.#status;
      case EDU_REG_IRQ_STATUS:
        return this.#irqStatus;
      default:
        return 0xffffffff;
    }
  }

  protected override writeRegister(
    _bar: number,
    offset: number,
    size: number,
    value: number,
  ): void {
    if (size !== 4) return;
    switch (offset) {
      case EDU_REG_LIVENESS:
        this.#liveness = ~value >>> 0;
        break;
      case EDU_REG_FACTORIAL:
        this.#beginFactorial(value);
        break;
      case EDU_REG_STATUS:
        this.#status = (this.#status & ~EDU_STATUS_IRQFACT) | (value & EDU_STATUS_IRQFACT);
        this.#load.setQueues((this.#status & EDU_STATUS_IRQFACT) === 0 ? 0 : 1);
        break;
      case EDU_REG_IRQ_RAISE:
        this.#raiseIrq(value, this.now());
        break;
      case EDU_REG_IRQ_ACK:
        this.#acknowledge(value);
        break;
    }
  }
}

/** n! modulo 2^32; from 34 on it is 0, so that a hostile n costs nothing. */
function factorial(n: number): number {
  if (n >= 34) return 0;
  let product = 1;
  for (let i = 2; i <= n; i++) product = Math.imul(product, i) >>> 0;
  return product;
}
