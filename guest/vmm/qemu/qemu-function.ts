/** An assigned device's place in a q35: which of the plan's it is, and the line of its INTx. */
import type { DeviceRows } from "../../../src/measure/rows.ts";
import type { GuestPlan } from "../../../src/run/contract.ts";
import type { DeviceSpec } from "../../../src/scenario/types.ts";
import type { VirtualFunction } from "../types.ts";

/** GSIs 16 to 23 are the PCI lines of a q35; a device behind its first root port is on 21. */
const PCI_PINS = 8;
const FIRST_PCI_PIN = 16;
const FIRST_DEVICE_LINE = 5;

export class QemuFunction implements VirtualFunction {
  readonly index: number;
  readonly spec: DeviceSpec;
  readonly rows: DeviceRows;
  readonly doorbellBase: number;
  readonly intxPin: number;

  constructor(plan: GuestPlan, index: number) {
    this.index = index;
    this.spec = plan.devices[index]!;
    this.rows = plan.rows[index]!;
    this.doorbellBase = plan.doorbells[index]!.base;
    this.intxPin = FIRST_PCI_PIN + ((index + FIRST_DEVICE_LINE) % PCI_PINS);
  }
}
