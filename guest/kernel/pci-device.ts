/** The guest's struct pci_dev: config space, capabilities, command register (drivers/pci/pci.c). */
import type { Process } from "../../src/time/process.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import {
  PCI_CAPABILITY_LIST,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
} from "./pci-regs.ts";

/** Capabilities fit between the header and the end of config space, four bytes apart. */
const CAPABILITIES_MAX = 48;

export class PciDevice {
  readonly vm: VirtualMachine;
  readonly fn: VirtualFunction;

  constructor(vm: VirtualMachine, fn: VirtualFunction) {
    this.vm = vm;
    this.fn = fn;
  }

  get name(): string {
    return this.fn.spec.name;
  }

  *read(offset: number, size: number): Process<number> {
    return yield* this.vm.configRead(this.fn, offset, size);
  }

  *write(offset: number, size: number, value: number): Process {
    yield* this.vm.configWrite(this.fn, offset, size, value);
  }

  /** pci_find_capability: its offset, or 0. */
  *findCapability(id: number): Process<number> {
    let at = (yield* this.read(PCI_CAPABILITY_LIST, 1)) & ~3;
    for (let seen = 0; at >= 0x40 && seen < CAPABILITIES_MAX; seen++) {
      const header = yield* this.read(at, 2);
      if ((header & 0xff) === id) return at;
      at = (header >> 8) & ~3;
    }
    return 0;
  }

  /** Reads the command register and writes it back if the bits are not yet so. */
  *command(set: number, clear: number): Process {
    const old = yield* this.read(PCI_COMMAND, 2);
    const value = (old | set) & ~clear;
    if (value !== old) yield* this.write(PCI_COMMAND, 2, value);
  }

  /** pci_enable_device and pci_set_master. */
  *enable(): Process {
    yield* this.command(PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 0);
    yield* this.command(PCI_COMMAND_MASTER, 0);
  }

  /** pci_disable_device: decoding stays on. */
  *disable(): Process {
    yield* this.command(0, PCI_COMMAND_MASTER);
  }

  /** pci_intx. */
  *intx(on: boolean): Process {
    if (on) yield* this.command(0, PCI_COMMAND_INTX_DISABLE);
    else yield* this.command(PCI_COMMAND_INTX_DISABLE, 0);
  }
}
