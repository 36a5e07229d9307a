/** The configuration space vfio-pci shows to userspace (drivers/vfio/pci/vfio_pci_config.c). */
import { EFAULT } from "../../src/base/errno.ts";
import type { PciFunction } from "../../src/pci/function.ts";
import { type Process, sleep, step, withLock } from "../../src/time/process.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_PM,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
  PCI_INTERRUPT_PIN,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_PM_CTRL,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_PME_STATUS,
  PCI_PM_CTRL_STATE_MASK,
  PCI_STD_NUM_BARS,
} from "../../src/uapi/pci-regs.ts";
import { VFIO_PCI_MSI_IRQ_INDEX } from "../../src/uapi/vfio.ts";
import { ConfigPerms, type ConfigRange, PCI_ROM_ADDRESS } from "./config-perms.ts";
import { untilUnlocked, type VfioCoreDevice } from "./core-device.ts";

/** What a config write can make the device do. */
export interface ConfigEffects {
  intxMask(): void;
  intxUnmask(): void;
  /** A function level reset asked for through the PCI Express capability. */
  reset(): Process<number>;
}

const MEM_IO = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
const BARS_END = PCI_BASE_ADDRESS_0 + 4 * PCI_STD_NUM_BARS;

export class VfioConfig {
  readonly #dev: VfioCoreDevice;
  readonly #fn: PciFunction;
  readonly #effects: ConfigEffects;
  readonly #perms: ConfigPerms;
  /** vconfig: the virtual bits' values. */
  readonly #vconfig: Uint8Array;
  #barDirty = true;

  /** vfio_config_init: the copy starts as the hardware is. */
  constructor(dev: VfioCoreDevice, effects: ConfigEffects) {
    this.#dev = dev;
    this.#fn = dev.fn;
    this.#effects = effects;
    this.#perms = new ConfigPerms(dev.fn);
    this.#vconfig = dev.fn.config.bytes.slice();
    if (dev.client.line < 0) this.#vconfig[PCI_INTERRUPT_PIN] = 0;
    const pm = this.#capability(PCI_CAP_ID_PM);
    if (pm === undefined) return;
    const pme = PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS;
    this.#setVirtual(pm + PCI_PM_CTRL, this.#virtual(pm + PCI_PM_CTRL) & ~pme);
  }

  /** __vfio_pci_memory_enabled: may BARs be touched? */
  get memoryEnabled(): boolean {
    if (this.#fn.powerState >= 3) return false;
    return (this.#virtual(PCI_COMMAND) & PCI_COMMAND_MEMORY) !== 0;
  }

  /** vfio_pci_config_rw, read: the bytes, or -EFAULT outside of configuration space. */
  *read(offset: number, count: number): Process<Uint8Array | number> {
    const data = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const at = offset + done;
      if (at + (count - done) > this.#fn.config.size) return -EFAULT;
      yield* sleep(this.#dev.host.env.costs.configAccess);
      yield* untilUnlocked(this.#dev.memoryLock);
      if (this.#barDirty && isBar(at)) this.#fixBars();
      const size = this.#chunk(at, count - done);
      const value = this.#readChunk(at, size);
      for (let i = 0; i < size; i++) data[done + i] = (value >>> (8 * i)) & 0xff;
      done += size;
    }
    return data;
  }

  /** vfio_pci_config_rw, write: the number of bytes, or -EFAULT outside of configuration space. */
  *write(offset: number, data: Uint8Array): Process<number> {
    for (let done = 0; done < data.length; ) {
      const at = offset + done;
      if (at + (data.length - done) > this.#fn.config.size) return -EFAULT;
      yield* sleep(this.#dev.host.env.costs.configAccess);
      yield* untilUnlocked(this.#dev.memoryLock);
      const size = this.#chunk(at, data.length - done);
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = (value << 8) | data[done + i]!;
      yield* this.#writeChunk(at, size, value >>> 0);
      done += size;
    }
    return data.length;
  }

  /** Aligned, at most four bytes, and of one capability only. */
  #chunk(at: number, count: number): number {
    const left = Math.min(count, this.#perms.rangeAt(at).end - at);
    if (left >= 4 && at % 4 === 0) return 4;
    return left >= 2 && at % 2 === 0 ? 2 : 1;
  }

  /** vfio_default_config_read: virtual bits from the copy, the others from the hardware. */
  #readChunk(at: number, size: number): number {
    const virt = bytesAt(this.#perms.virt, at, size);
    const physical = this.#fn.configRead(at, size);
    return ((physical & ~virt) | (bytesAt(this.#vconfig, at, size) & virt)) >>> 0;
  }

  *#writeChunk(at: number, size: number, value: number): Process {
    const range = this.#perms.rangeAt(at);
    if (range.what === "unassigned") {
      this.#fn.configWrite(at, size, value);
      return;
    }
    this.#defaultWrite(at, size, value);
    if (at === PCI_COMMAND || at === PCI_COMMAND + 1) yield* this.#afterCommand(at, value);
    if (isBar(at)) this.#barDirty = true;
    yield* this.#afterWrite(range, at, size, value);
  }

  /** vfio_default_config_write. */
  #defaultWrite(at: number, size: number, value: number): void {
    const virt = bytesAt(this.#perms.virt, at, size);
    const write = bytesAt(this.#perms.write, at, size);
    for (let i = 0; i < size; i++) {
      const bits = ((write & virt) >>> (8 * i)) & 0xff;
      const kept = this.#vconfig[at + i]! & ~bits;
      this.#vconfig[at + i] = kept | ((value >>> (8 * i)) & bits);
    }
    const hard = (write & ~virt) >>> 0;
    if (hard === 0) return;
    const physical = this.#fn.configRead(at, size);
    this.#fn.configWrite(at, size, ((physical & ~hard) | (value & hard)) >>> 0);
  }

  /** vfio_basic_config_write: INTx disable is emulated, whatever mode is on. */
  *#afterCommand(at: number, value: number): Process {
    if (at === PCI_COMMAND) {
      const kept = this.#virtual(PCI_COMMAND) & ~MEM_IO;
      this.#setVirtual(PCI_COMMAND, kept | (value & MEM_IO));
    }
    const dev = this.#dev;
    const disable = (this.#virtual(PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) !== 0;
    if (disable === dev.virqDisabled) return;
    dev.virqDisabled = disable;
    yield* withLock(dev.igate, () => this.#followIntxDisable(disable));
  }

  *#followIntxDisable(disable: boolean): Process {
    yield* step();
    if (disable) this.#effects.intxMask();
    else this.#effects.intxUnmask();
  }

  *#afterWrite(range: ConfigRange, at: number, size: number, value: number): Process {
    const offset = at - range.start;
    if (range.what === PCI_CAP_ID_MSI) {
      if (offset <= PCI_MSI_FLAGS && offset + size > PCI_MSI_FLAGS) this.#fixMsiFlags(range.start);
    } else if (range.what === PCI_CAP_ID_PM) {
      if (offset === PCI_PM_CTRL) this.#fn.setPowerState(value & PCI_PM_CTRL_STATE_MASK);
    } else if (range.what === PCI_CAP_ID_EXP) {
      yield* this.#maybeReset(range.start + PCI_EXP_DEVCTL);
    }
  }

  /** vfio_msi_config_write: the guest may turn its MSI on only while the ioctl has it on. */
  #fixMsiFlags(start: number): void {
    const dev = this.#dev;
    const at = start + PCI_MSI_FLAGS;
    let flags = this.#virtual(at);
    if (dev.irqType !== VFIO_PCI_MSI_IRQ_INDEX) flags &= ~PCI_MSI_FLAGS_ENABLE;
    if ((flags & PCI_MSI_FLAGS_QSIZE) >> 4 > dev.msiQmax) {
      flags = (flags & ~PCI_MSI_FLAGS_QSIZE) | (dev.msiQmax << 4);
    }
    this.#setVirtual(at, flags);
    this.#fn.configWrite(at, 2, flags);
  }

  /** vfio_exp_config_write: the FLR bit is virtual, and makes the kernel reset the function. */
  *#maybeReset(at: number): Process {
    const control = this.#virtual(at);
    if ((control & PCI_EXP_DEVCTL_BCR_FLR) === 0) return;
    this.#setVirtual(at, control & ~PCI_EXP_DEVCTL_BCR_FLR);
    if (this.#fn.flr) yield* this.#effects.reset();
  }

  /** vfio_bar_fixup: written addresses keep only the bits that a BAR of this size has. */
  #fixBars(): void {
    this.#barDirty = false;
    for (let index = 0; index < PCI_STD_NUM_BARS; index++) {
      const at = PCI_BASE_ADDRESS_0 + 4 * index;
      const bar = this.#fn.config.bar(index);
      if (bar === null) {
        this.#set32(at, 0);
        continue;
      }
      const prefetch = bar.prefetchable === true ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
      const type = bar.kind === "mem64" ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
      const flags = bar.kind === "io" ? PCI_BASE_ADDRESS_SPACE_IO : prefetch | type;
      const low = bar.size >= 2 ** 32 ? 0 : ~(bar.size - 1);
      this.#set32(at, (bytesAt(this.#vconfig, at, 4) & low) | flags);
      if (bar.kind !== "mem64") continue;
      const high = ~(Math.ceil(bar.size / 2 ** 32) - 1);
      this.#set32(at + 4, bytesAt(this.#vconfig, at + 4, 4) & high);
      index++;
    }
    // No function here has an expansion ROM.
    this.#set32(PCI_ROM_ADDRESS, 0);
  }

  #capability(id: number): number | undefined {
    return this.#perms.ranges.find(({ what }) => what === id)?.start;
  }

  #virtual(at: number): number {
    return bytesAt(this.#vconfig, at, 2);
  }

  #setVirtual(at: number, word: number): void {
    this.#vconfig[at] = word & 0xff;
    this.#vconfig[at + 1] = (word >>> 8) & 0xff;
  }

  #set32(at: number, value: number): void {
    for (let i = 0; i < 4; i++) this.#vconfig[at + i] = (value >>> (8 * i)) & 0xff;
  }
}

/** The expansion ROM's is one, too. */
function isBar(offset: number): boolean {
  if (offset >= PCI_ROM_ADDRESS && offset < PCI_ROM_ADDRESS + 4) return true;
  return offset >= PCI_BASE_ADDRESS_0 && offset < BARS_END;
}

/** Little-endian value of 1, 2 or 4 bytes. */
function bytesAt(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = (value << 8) | bytes[at + i]!;
  return value >>> 0;
}
