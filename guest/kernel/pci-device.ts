/** The guest's struct pci_dev: config space, capabilities, command register (drivers/pci/pci.c). */
import { type Process, sleep } from "../../src/time/process.ts";
import type { VirtualFunction, VirtualMachine } from "../vmm/types.ts";
import {
  PCI_CAP_ID_EXP,
  PCI_CAPABILITY_LIST,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
} from "./pci-regs.ts";

/** Capabilities fit between the header and the end of config space, four bytes apart. */
const CAPABILITIES_MAX = 48;
/** pcie_flr waits as long as a function may take (PCIe 4.0, 6.6.2). */
const FLR_NS = 100_000_000;

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

  /** pci_enable_device, or pci_enable_device_mem with memory alone; and pci_set_master. */
  *enable(decode = PCI_COMMAND_IO | PCI_COMMAND_MEMORY): Process {
    yield* this.command(decode, 0);
    yield* this.command(PCI_COMMAND_MASTER, 0);
  }

  /** pci_disable_device: decoding stays on. */
  *disable(): Process {
    yield* this.command(0, PCI_COMMAND_MASTER);
  }

  /** pci_save_state, as far as it is compared: command and status. */
  *save(): Process<number> {
    return yield* this.read(PCI_COMMAND, 4);
  }

  /** pci_restore_config_space_range: a word that is what it was is not written. */
  *restore(saved: number): Process {
    const now = yield* this.read(PCI_COMMAND, 4);
    if (now !== saved) yield* this.write(PCI_COMMAND, 4, saved);
  }

  /** pci_reset_function, by FLR where the function offers it; its driver restores the vectors. */
  *resetFunction(): Process {
    const saved = yield* this.save();
    // pci_dev_save_and_disable
    yield* this.write(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    const cap = yield* this.findCapability(PCI_CAP_ID_EXP);
    const offers = cap === 0 ? 0 : yield* this.read(cap + PCI_EXP_DEVCAP, 4);
    if ((offers & PCI_EXP_DEVCAP_FLR) !== 0) {
      const control = yield* this.read(cap + PCI_EXP_DEVCTL, 2);
      yield* this.write(cap + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
      yield* sleep(FLR_NS);
      yield* this.write(cap + PCI_EXP_DEVCTL, 2, control);
    }
    yield* this.restore(saved);
  }

  /** pci_intx. */
  *intx(on: boolean): Process {
    if (on) yield* this.command(0, PCI_COMMAND_INTX_DISABLE);
    else yield* this.command(PCI_COMMAND_INTX_DISABLE, 0);
  }
}
