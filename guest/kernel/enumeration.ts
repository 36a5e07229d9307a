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
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS_MASK,
} from "./pci-regs.ts";

/** SeaBIOS's choice for q35's PIRQs, by the low bits of the pin. */
const FIRMWARE_IRQS = [10, 10, 11, 11] as const;
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
  if (fn.spec.model === "nvme") yield* firmwareNvme(dev);
}

/** SeaBIOS boots from nvme, by polling: it turns memory on again, then bus mastering. */
function* firmwareNvme(dev: PciDevice): Process {
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

/** pci_setup_device and what follows: probes DisINTx, sizes BARs with decoding off, PCIe, INTx. */
export function* kernelSetup(dev: PciDevice, routing: IntxRouting): Process {
  const command = yield* dev.read(PCI_COMMAND, 2);
  // pci_intx_mask_broken
  yield* dev.write(PCI_COMMAND, 2, command ^ PCI_COMMAND_INTX_DISABLE);
  yield* dev.write(PCI_COMMAND, 2, command);
  const off = command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
  for (let bar = PCI_BASE_ADDRESS_0; bar <= PCI_BASE_ADDRESS_5; bar += 4) {
    yield* dev.write(PCI_COMMAND, 2, off);
    const size = yield* sizeBar(dev, bar, 0xffffffff);
    if ((size & (PCI_BASE_ADDRESS_MEM_TYPE_MASK | 1)) === PCI_BASE_ADDRESS_MEM_TYPE_64) {
      bar += 4;
      yield* sizeBar(dev, bar, 0xffffffff);
    }
    yield* dev.write(PCI_COMMAND, 2, command);
  }
  yield* dev.write(PCI_COMMAND, 2, off);
  yield* sizeBar(dev, PCI_ROM_ADDRESS, PCI_ROM_ADDRESS_MASK);
  yield* dev.write(PCI_COMMAND, 2, command);
  yield* kernelExpress(dev);
  yield* routing.route(dev.fn, dev.fn.intxPin);
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
