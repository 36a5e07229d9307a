/**
 * A legacy virtio network card as QEMU has it on a conventional bus (VIRTIO 1.2, 4.1.4.10): the
 * common registers in I/O space, many MSI-X vectors, no MSI, no reset method. Nothing is received,
 * so that it never has a reason to interrupt; notifications are accepted and forgotten.
 */
import type { DeviceSpec } from "../../src/scenario/types.ts";
import { Device, type DeviceExtra, FIRMWARE_COMMAND, FIRMWARE_INTERRUPT_LINE } from "./device.ts";

/** Registers in BAR 0, with MSI-X on. */
export const VIRTIO_PCI_QUEUE_SEL = 14;
export const VIRTIO_PCI_STATUS = 18;
export const VIRTIO_MSI_CONFIG_VECTOR = 20;
export const VIRTIO_MSI_QUEUE_VECTOR = 22;
/** Written to a vector register for none, and read back where a vector does not exist. */
export const VIRTIO_MSI_NO_VECTOR = 0xffff;

/** Receive, transmit and control queue. */
const QUEUES = 3;

export class VirtioNet extends Device {
  #status = 0;
  #queue = 0;
  #configVector = VIRTIO_MSI_NO_VECTOR;
  readonly #queueVectors = new Uint16Array(QUEUES).fill(VIRTIO_MSI_NO_VECTOR);

  constructor(spec: DeviceSpec, extra: DeviceExtra = {}) {
    const vectors = spec.msixVectors;
    const pba = Math.max(0x800, vectors * 16);
    super(
      spec,
      {
        name: spec.name,
        vendorId: 0x1af4,
        deviceId: 0x1000,
        classCode: 0x020000,
        subsystemVendorId: 0x1af4,
        subsystemId: 1,
        interruptPin: 1,
        interruptLine: FIRMWARE_INTERRUPT_LINE,
        command: FIRMWARE_COMMAND,
        bars: [
          { index: 0, kind: "io", size: 0x40 },
          { index: 1, kind: "mem32", size: msixBarSize(pba, vectors) },
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
                  pba: { bar: 1, offset: pba },
                },
              ],
      },
      extra,
    );
  }

  protected override resetRegisters(): void {
    this.#status = 0;
    this.#queue = 0;
    this.#configVector = VIRTIO_MSI_NO_VECTOR;
    this.#queueVectors.fill(VIRTIO_MSI_NO_VECTOR);
  }

  protected override readRegister(bar: number, offset: number, _size: number): number {
    if (bar !== 0) return 0;
    switch (offset) {
      case VIRTIO_PCI_QUEUE_SEL:
        return this.#queue;
      case VIRTIO_PCI_STATUS:
        return this.#status;
      case VIRTIO_MSI_CONFIG_VECTOR:
        return this.#configVector;
      case VIRTIO_MSI_QUEUE_VECTOR:
        return this.#queueVectors[this.#queue] ?? VIRTIO_MSI_NO_VECTOR;
      default:
        return 0;
    }
  }

  protected override writeRegister(
    bar: number,
    offset: number,
    _size: number,
    value: number,
  ): void {
    if (bar !== 0) return;
    const vector = value < (this.fn.msix?.vectors ?? 0) ? value : VIRTIO_MSI_NO_VECTOR;
    switch (offset) {
      case VIRTIO_PCI_QUEUE_SEL:
        this.#queue = value;
        break;
      case VIRTIO_PCI_STATUS:
        // Writing 0 resets the device.
        if (value === 0) this.resetRegisters();
        this.#status = value & 0xff;
        break;
      case VIRTIO_MSI_CONFIG_VECTOR:
        this.#configVector = vector;
        break;
      case VIRTIO_MSI_QUEUE_VECTOR:
        if (this.#queue < QUEUES) this.#queueVectors[this.#queue] = vector;
    }
  }
}

/** Table, then PBA: a page at least, and a power of two. */
function msixBarSize(pba: number, vectors: number): number {
  const end = pba + Math.ceil(vectors / 64) * 8;
  return 2 ** Math.ceil(Math.log2(Math.max(0x1000, end)));
}
