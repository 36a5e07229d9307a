/** QEMU's rocker switch (docs/specs/rocker.rst): test registers, one of which sends MSI-X. */
import type { DeviceSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND } from "./device.ts";

/** Reads back twice what was written. */
export const ROCKER_TEST_REG = 0x10;
/** Writing N sends MSI-X vector N. */
export const ROCKER_TEST_IRQ = 0x20;

export class Rocker extends Device {
  #test = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    const vectors = spec.msixVectors;
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1b36,
        deviceId: 0x0006,
        classCode: 0x028000,
        revisionId: 1,
        subsystemVendorId: 0x1af4,
        subsystemId: 0x1100,
        interruptPin: 0,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "mem32", size: 0x2000 },
          { index: 1, kind: "mem32", size: rockerMsixBarSize(vectors) },
        ],
        capabilities:
          vectors === 0
            ? []
            : [
                {
                  kind: "msix",
                  offset: 0x40,
                  vectors,
                  table: { bar: 1, offset: 0 },
                  pba: { bar: 1, offset: rockerMsixBarSize(vectors) / 2 },
                },
              ],
      },
      extra,
    );
  }

  protected override resetRegisters(): void {
    this.#test = 0;
  }

  protected override readRegister(bar: number, offset: number, size: number): number {
    return bar === 0 && offset === ROCKER_TEST_REG && size === 4 ? this.#test * 2 : 0;
  }

  protected override writeRegister(bar: number, offset: number, size: number, value: number): void {
    if (bar !== 0 || size !== 4) return;
    if (offset === ROCKER_TEST_REG) this.#test = value;
    if (offset !== ROCKER_TEST_IRQ) return;
    // Sent whether MSI-X is on or not: a message that cannot leave stays pending (h17).
    const msix = this.fn.msix;
    if (msix !== null && value < msix.vectors) this.raise("msix", value, this.now());
  }
}

/** Table in the lower half, PBA in the upper; 16 vectors need no more than a page each. */
function rockerMsixBarSize(vectors: number): number {
  return Math.max(0x2000, 2 ** Math.ceil(Math.log2(vectors * 16 + 1)) * 2);
}
