/** NEC uPD720200 USB 3 controller as QEMU has it: capability layout, and the run/stop registers. */
import type { CapabilitySpec } from "../../src/pci/function.ts";
import type { DeviceSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";

/** Capability registers (xHCI 1.1, 5.3): length and version, ports, slots and interrupters. */
const CAPLENGTH = 0x40;
const HCIVERSION = 0x100;
const HCSPARAMS1 = 0x04;
const PORTS = 8;
const SLOTS = 64;
/** Operational registers (5.4), behind the capability registers. */
export const XHCI_USBCMD = CAPLENGTH;
export const XHCI_USBSTS = CAPLENGTH + 4;
export const XHCI_CMD_RUN = 0x1;
export const XHCI_CMD_RESET = 0x2;
export const XHCI_STS_HALTED = 0x1;

function capabilities(spec: DeviceSpec, extra: DeviceExtra): CapabilitySpec[] {
  const list: CapabilitySpec[] = [];
  if (spec.msixVectors > 0) {
    list.push({
      kind: "msix",
      offset: 0x90,
      vectors: spec.msixVectors,
      table: { bar: 0, offset: 0x3000 },
      pba: { bar: 0, offset: 0x3800 },
    });
  }
  const rootComplexIntegrated = extra.behindRootPort !== true;
  list.push({ kind: "pcie", offset: 0xa0, version: 2, flr: false, rootComplexIntegrated });
  if (spec.msiVectors > 0) {
    const vectors = spec.msiVectors;
    list.push({ kind: "msi", offset: 0x70, vectors, a64: true, perVectorMask: false });
  }
  return list;
}

/** Nothing is plugged in, so that it never has a reason to interrupt. */
export class NecUsbXhci extends Device {
  #command = 0;

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1033,
        deviceId: 0x0194,
        classCode: 0x0c0330,
        revisionId: 3,
        subsystemVendorId: 0x1af4,
        subsystemId: 0x1100,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [{ index: 0, kind: "mem64", size: 0x4000 }],
        capabilities: capabilities(spec, extra),
      },
      extra,
    );
  }

  protected override resetRegisters(): void {
    this.#command = 0;
  }

  protected override readRegister(_bar: number, offset: number, size: number): number {
    const word = this.#readWord(offset & ~3) >>> ((offset & 3) * 8);
    return size === 4 ? word : word & (2 ** (8 * size) - 1);
  }

  #readWord(offset: number): number {
    switch (offset) {
      case 0:
        return CAPLENGTH | (HCIVERSION << 16);
      case HCSPARAMS1:
        return (PORTS << 24) | (Math.max(1, this.spec.msixVectors) << 8) | SLOTS;
      case XHCI_USBCMD:
        return this.#command;
      case XHCI_USBSTS:
        return (this.#command & XHCI_CMD_RUN) === 0 ? XHCI_STS_HALTED : 0;
      default:
        return 0;
    }
  }

  protected override writeRegister(
    _bar: number,
    offset: number,
    size: number,
    value: number,
  ): void {
    if (size !== 4 || offset !== XHCI_USBCMD) return;
    // A host controller reset is over at once: RESET never reads as set.
    this.#command = (value & XHCI_CMD_RESET) !== 0 ? 0 : value;
  }
}
