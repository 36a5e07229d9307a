/** A function that a recording shows from outside: capabilities and INTx, no other registers. */
import type { CapabilitySpec } from "../../src/pci/function.ts";
import type { DeviceSpec, RecordedFunction } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";

function capabilities(shown: RecordedFunction): CapabilitySpec[] {
  const { msi, msix, express, pm } = shown;
  const list: CapabilitySpec[] = [];
  if (pm !== null) list.push({ kind: "pm", offset: pm, noSoftReset: false, pme: false });
  if (msi !== null) list.push({ kind: "msi", ...msi });
  if (msix !== null) list.push({ kind: "msix", ...msix });
  if (express !== null) {
    list.push({ kind: "pcie", version: 1, rootComplexIntegrated: false, ...express });
  }
  return list;
}

export class Recorded extends Device {
  readonly #shown: RecordedFunction;

  constructor(spec: DeviceSpec, shown: RecordedFunction, extra: DeviceExtra = {}) {
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1b36,
        deviceId: 0x0010,
        classCode: 0xff0000,
        interruptPin: shown.interruptPin,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: shown.bars.map((bar) => ({ ...bar, kind: "mem32" as const })),
        capabilities: capabilities(shown),
        busReset: shown.busReset,
      },
      extra,
    );
    this.#shown = shown;
  }

  protected override resetRegisters(): void {}

  protected override readRegister(): number {
    return 0;
  }

  protected override writeRegister(
    bar: number,
    offset: number,
    _size: number,
    value: number,
  ): void {
    const { intxRegister } = this.#shown;
    if (bar !== intxRegister.bar || offset !== intxRegister.offset) return;
    if (value === 0) this.fn.deassertIntx();
    else if (!this.fn.intxAsserted) this.raise("intx", 0, this.now());
  }
}
