/** What vfio_realize finds out about a device before it sets anything up (hw/vfio/pci.c). */
import { errnoName } from "../../../src/base/errno.ts";
import type { DeviceRows } from "../../../src/measure/rows.ts";
import type { PciFunction } from "../../../src/pci/function.ts";
import type { Process } from "../../../src/time/process.ts";
import { PCI_CFG_SPACE_SIZE, PCI_STD_NUM_BARS } from "../../../src/uapi/pci-regs.ts";
import {
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../../src/uapi/vfio.ts";
import { emulatedFunction, type ResetMeans, resetMeans } from "../common/emulated-function.ts";
import { RealizeError } from "../errors.ts";
import { configOffset, VfioClient } from "../vfio-client.ts";
import type { QemuContext } from "./context.ts";

/** Where QEMU's bus has placed a device. */
export interface Slot {
  readonly index: number;
  readonly name: string;
  readonly rows: DeviceRows;
  /** GSI of its INTx by the chipset's power-on routing. */
  readonly intxPin: number;
}

export interface Probed {
  readonly client: VfioClient;
  /** The emulated function, all at rest. */
  readonly fn: PciFunction;
  /** The kernel cannot add vectors to an enabled MSI-X, or says nothing about it. */
  readonly noresize: boolean;
  readonly hasErr: boolean;
  /** The kernel knows some reset for it, and which ones it has itself. */
  readonly resetWorks: boolean;
  readonly means: ResetMeans;
}

/** Opens and asks. Throws RealizeError where QEMU prints an error and exits. */
export function* probe(ctx: QemuContext, slot: Slot): Process<Probed> {
  const fail = (what: string): never => {
    throw new RealizeError(`vfio ${slot.name}: ${what}`);
  };
  const path = `/dev/vfio/${slot.name}`;
  const fd = yield* ctx.sys.open(path);
  if (fd < 0) fail(`failed to open ${path}: ${errnoName(fd)}`);
  const client = new VfioClient(ctx.sys, fd, ctx.counters);
  try {
    const info = yield* client.getDeviceInfo();
    if (typeof info === "number") return fail(`error getting device info: ${errnoName(info)}`);
    const err = yield* client.getIrqInfo(VFIO_PCI_ERR_IRQ_INDEX);
    const barSizes: number[] = [];
    for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
      const region = yield* client.getRegionInfo(bar);
      if (typeof region === "number") return fail(`failed to get region ${bar} info`);
      barSizes.push(region.size);
    }
    const config = yield* ctx.sys.pread(fd, configOffset(0), PCI_CFG_SPACE_SIZE);
    if (config.ret < PCI_CFG_SPACE_SIZE) return fail("failed to read device config space");
    const fn = emulatedFunction(slot.name, config.data, barSizes);
    return {
      client,
      fn,
      noresize: yield* isNoresize(ctx, client, fn),
      hasErr: typeof err !== "number",
      resetWorks: (info.flags & VFIO_DEVICE_FLAGS_RESET) !== 0,
      means: resetMeans(config.data),
    };
  } catch (error) {
    yield* ctx.sys.close(fd);
    throw error;
  }
}

/** vfio_msix_early_setup, as far as the version asks at all. */
function* isNoresize(ctx: QemuContext, client: VfioClient, fn: PciFunction): Process<boolean> {
  if (!ctx.profile.dynamicMsix) return true;
  if (fn.msix === null) return false;
  const info = yield* client.getIrqInfo(VFIO_PCI_MSIX_IRQ_INDEX);
  return typeof info === "number" || (info.flags & VFIO_IRQ_INFO_NORESIZE) !== 0;
}
