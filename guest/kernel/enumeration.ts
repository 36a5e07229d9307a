/** How firmware and kernel find a device: BARs, INTx routing (SeaBIOS; drivers/pci/probe.c). */
import type { Process } from "../../src/time/process.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import type { PciDevice } from "./pci-device.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_5,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_MEM_TYPE_MASK,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CLASS_DEVICE,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_COMMAND_SERR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_EXT_TAG,
  PCI_EXP_LNKCTL,
  PCI_INTERRUPT_LINE,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS_MASK,
} from "./pci-regs.ts";

/** SeaBIOS's choice for q35's PIRQs, by the low bits of the pin. */
const FIRMWARE_IRQS = [10, 10, 11, 11] as const;
/** Classes that SeaBIOS boots from: SATA in AHCI mode, nvme, USB. */
const FIRMWARE_DRIVES: readonly number[] = [0x0106, 0x0108, 0x0c03];
/** Where SeaBIOS puts memory BARs below 4 GiB, a MiB a bridge window. */
const MEMORY_WINDOW = 0xfe600000;
const IO_WINDOW = 0xc000;

/** INTx routes as the chipset has them; they outlive a reset of the guest's software. */
export class IntxRouting {
  readonly #vm: VirtualMachine;
  readonly #pins = new Map<VirtualFunction, number>();

  constructor(vm: VirtualMachine) {
    this.#vm = vm;
  }

  *route(fn: VirtualFunction, pin: number): Process {
    if ((this.#pins.get(fn) ?? 0) === pin) return;
    this.#pins.set(fn, pin);
    yield* this.#vm.routeIntx(fn, pin);
  }
}

/** Writes ones and back; the bits that stuck. */
function* sizeBar(dev: PciDevice, offset: number, ones: number): Process<number> {
  const old = yield* dev.read(offset, 4);
  yield* dev.write(offset, 4, ones);
  const size = yield* dev.read(offset, 4);
  yield* dev.write(offset, 4, old);
  return size >>> 0;
}

/** SeaBIOS: sizes and places the BARs, routes INTx, and turns decoding on. */
export function* firmwareSetup(dev: PciDevice, routing: IntxRouting, index: number): Process {
  const sizes: number[] = [];
  for (let bar = PCI_BASE_ADDRESS_0; bar <= PCI_BASE_ADDRESS_5; bar += 4) {
    sizes.push(yield* sizeBar(dev, bar, 0xffffffff));
  }
  yield* sizeBar(dev, PCI_ROM_ADDRESS, PCI_ROM_ADDRESS_MASK);
  yield* placeBars(dev, sizes, index);
  const { fn } = dev;
  yield* routing.route(fn, fn.intxPin);
  const irq = FIRMWARE_IRQS[fn.intxPin & 3]!;
  yield* routing.route(fn, irq);
  yield* dev.write(PCI_INTERRUPT_LINE, 1, irq);
  const command = yield* dev.read(PCI_COMMAND, 2);
  const decode = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_SERR;
  yield* dev.write(PCI_COMMAND, 2, command | decode);
  if (FIRMWARE_DRIVES.includes(yield* dev.read(PCI_CLASS_DEVICE, 2))) yield* firmwareDriver(dev);
}

/** SeaBIOS's drivers poll: they turn memory on again, then bus mastering. */
function* firmwareDriver(dev: PciDevice): Process {
  const command = yield* dev.read(PCI_COMMAND, 2);
  yield* dev.write(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
  yield* dev.write(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

function* placeBars(dev: PciDevice, sizes: readonly number[], index: number): Process {
  let memory = MEMORY_WINDOW + index * 0x100000;
  let io = IO_WINDOW + index * 0x1000;
  for (let bar = 0; bar < sizes.length; bar++) {
    const size = sizes[bar]!;
    if (size === 0) continue;
    const at = PCI_BASE_ADDRESS_0 + 4 * bar;
    if ((size & PCI_BASE_ADDRESS_SPACE_IO) !== 0) {
      yield* dev.write(at, 4, io);
      io += (~(size & ~3) + 1) & 0xffff;
      continue;
    }
    const bytes = (~(size & ~0xf) + 1) >>> 0;
    memory = Math.ceil(memory / bytes) * bytes;
    yield* dev.write(at, 4, memory);
    memory += bytes;
    if ((size & PCI_BASE_ADDRESS_MEM_TYPE_MASK) !== PCI_BASE_ADDRESS_MEM_TYPE_64) continue;
    yield* dev.write(at + 4, 4, 0);
    bar++;
  }
}

/** Where a BAR is and how large, as Linux finds it. */
export interface Resource {
  /** Offset in configuration space. */
  readonly at: number;
  /** Register as firmware left it. */
  readonly value: number;
  readonly bytes: number;
  readonly isWide: boolean;
}

/**
 * pci_setup_device and what follows: probes DisINTx, sizes BARs with decoding off, PCIe, INTx.
 * Returns the BARs there are.
 */
export function* kernelSetup(dev: PciDevice, routing: IntxRouting): Process<Resource[]> {
  const command = yield* dev.read(PCI_COMMAND, 2);
  // pci_intx_mask_broken
  yield* dev.write(PCI_COMMAND, 2, command ^ PCI_COMMAND_INTX_DISABLE);
  yield* dev.write(PCI_COMMAND, 2, command);
  const resources: Resource[] = [];
  for (let bar = PCI_BASE_ADDRESS_0; bar <= PCI_BASE_ADDRESS_5; bar += 4) {
    const found = yield* undecoded(dev, command, () => readBar(dev, bar));
    if (found.bytes > 0) resources.push(found);
    if (found.isWide) bar += 4;
  }
  yield* undecoded(dev, command, () => sizeBar(dev, PCI_ROM_ADDRESS, PCI_ROM_ADDRESS_MASK));
  yield* kernelExpress(dev);
  yield* routing.route(dev.fn, dev.fn.intxPin);
  return resources;
}

/** __pci_read_base: what decodes addresses does not while its BAR is being sized. */
function* undecoded<T>(dev: PciDevice, command: number, body: () => Process<T>): Process<T> {
  const decode = PCI_COMMAND_IO | PCI_COMMAND_MEMORY;
  const isOn = (command & decode) !== 0;
  if (isOn) yield* dev.write(PCI_COMMAND, 2, command & ~decode);
  const result = yield* body();
  if (isOn) yield* dev.write(PCI_COMMAND, 2, command);
  return result;
}

function* readBar(dev: PciDevice, at: number): Process<Resource> {
  const value = yield* dev.read(at, 4);
  const size = yield* sizeBar(dev, at, 0xffffffff);
  const isIo = (size & PCI_BASE_ADDRESS_SPACE_IO) !== 0;
  const kind = size & (PCI_BASE_ADDRESS_MEM_TYPE_MASK | PCI_BASE_ADDRESS_SPACE_IO);
  const isWide = kind === PCI_BASE_ADDRESS_MEM_TYPE_64;
  if (isWide) yield* sizeBar(dev, at + 4, 0xffffffff);
  const mask = size & ~(isIo ? 0x3 : 0xf);
  return { at, value, bytes: mask === 0 ? 0 : (~mask + 1) >>> 0, isWide };
}

/**
 * pci_assign_unassigned_bus_resources of a function that firmware did not see: the largest first.
 * The two halves of an address of 64 bits change with decoding off (pci_std_update_resource).
 */
export function* assignResources(dev: PciDevice, resources: readonly Resource[]): Process {
  let at = MEMORY_WINDOW;
  const largestFirst = [...resources].sort((a, b) => b.bytes - a.bytes);
  for (const resource of largestFirst) {
    const isIo = (resource.value & PCI_BASE_ADDRESS_SPACE_IO) !== 0;
    const flags = resource.value & (isIo ? 0x3 : 0xf);
    const base = isIo ? IO_WINDOW : at;
    if (!isIo) at += resource.bytes;
    const command = yield* dev.read(PCI_COMMAND, 2);
    if (resource.isWide) yield* dev.write(PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
    yield* dev.write(resource.at, 4, base | flags);
    if (!resource.isWide) continue;
    yield* dev.write(resource.at + 4, 4, 0);
    yield* dev.write(PCI_COMMAND, 2, command);
  }
}

/**
 * pci_msi_init and pci_msix_init: message interrupts are off at power-on, but not where a kernel
 * starts after another one has crashed.
 */
export function* quietMessages(dev: PciDevice): Process {
  const off = [
    [PCI_CAP_ID_MSI, PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE],
    [PCI_CAP_ID_MSIX, PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE],
  ] as const;
  for (const [id, at, enable] of off) {
    const cap = yield* dev.findCapability(id);
    if (cap === 0) continue;
    const flags = yield* dev.read(cap + at, 2);
    if ((flags & enable) !== 0) yield* dev.write(cap + at, 2, flags & ~enable);
  }
}

/** Extended tags, and the link control as ASPM set-up rewrites it. */
function* kernelExpress(dev: PciDevice): Process {
  const cap = yield* dev.findCapability(PCI_CAP_ID_EXP);
  if (cap === 0) return;
  const control = yield* dev.read(cap + PCI_EXP_DEVCTL, 2);
  yield* dev.write(cap + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_EXT_TAG);
  const link = yield* dev.read(cap + PCI_EXP_LNKCTL, 2);
  yield* dev.write(cap + PCI_EXP_LNKCTL, 2, link);
  yield* dev.write(cap + PCI_EXP_LNKCTL, 2, link);
}
