/** What every user of vfio-pci asks when it opens a device, whatever it does with it then. */
import { errnoName } from "../../../src/base/errno.ts";
import type { PciFunction } from "../../../src/pci/function.ts";
import type { Process } from "../../../src/time/process.ts";
import { PCI_CFG_SPACE_SIZE, PCI_STD_NUM_BARS } from "../../../src/uapi/pci-regs.ts";
import {
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
} from "../../../src/uapi/vfio.ts";
import { RealizeError } from "../errors.ts";
import { configOffset, VfioClient } from "../vfio-client.ts";
import type { PlannedFunction, VmmContext } from "./context.ts";
import { emulatedFunction } from "./emulated-function.ts";

export interface OpenedDevice {
  readonly planned: PlannedFunction;
  readonly client: VfioClient;
  /** The function as the guest is to see it, all at rest. */
  readonly fn: PciFunction;
  /** Interrupts of each index; 0 where the kernel has none. */
  readonly irqCounts: readonly number[];
  /** The kernel cannot add vectors to an enabled MSI-X. */
  readonly noresize: boolean;
  /** VFIO_DEVICE_RESET can be had. */
  readonly canReset: boolean;
}

/** Throws RealizeError where the VMM prints an error and gives up. */
function* openDevice(ctx: VmmContext, planned: PlannedFunction): Process<OpenedDevice> {
  const { name } = planned.spec;
  const path = `/dev/vfio/${name}`;
  const fd = yield* ctx.sys.open(path);
  if (fd < 0) throw new RealizeError(`vfio ${name}: failed to open ${path}: ${errnoName(fd)}`);
  try {
    return yield* ask(ctx, planned, new VfioClient(ctx.sys, fd, ctx.counters));
  } catch (error) {
    yield* ctx.sys.close(fd);
    throw error;
  }
}

/** Opens and sets up; a device that cannot be set up is closed again. */
export function* openWith<T>(
  ctx: VmmContext,
  planned: PlannedFunction,
  setUp: (opened: OpenedDevice) => Process<T>,
): Process<T> {
  const opened = yield* openDevice(ctx, planned);
  try {
    return yield* setUp(opened);
  } catch (error) {
    yield* ctx.sys.close(opened.client.fd);
    throw error;
  }
}

function* ask(
  ctx: VmmContext,
  planned: PlannedFunction,
  client: VfioClient,
): Process<OpenedDevice> {
  const { name } = planned.spec;
  const info = yield* client.getDeviceInfo();
  if (typeof info === "number") {
    throw new RealizeError(`vfio ${name}: failed to get device info: ${errnoName(info)}`);
  }
  const barSizes: number[] = [];
  for (let bar = 0; bar < PCI_STD_NUM_BARS; bar++) {
    const region = yield* client.getRegionInfo(bar);
    barSizes.push(typeof region === "number" ? 0 : region.size);
  }
  const irqCounts: number[] = [];
  let noresize = true;
  for (let index = 0; index < VFIO_PCI_NUM_IRQS; index++) {
    const irq = yield* client.getIrqInfo(index);
    irqCounts.push(typeof irq === "number" ? 0 : irq.count);
    if (typeof irq === "number" || index !== VFIO_PCI_MSIX_IRQ_INDEX) continue;
    noresize = (irq.flags & VFIO_IRQ_INFO_NORESIZE) !== 0;
  }
  const config = yield* ctx.sys.pread(client.fd, configOffset(0), PCI_CFG_SPACE_SIZE);
  if (config.ret < PCI_CFG_SPACE_SIZE) {
    throw new RealizeError(`vfio ${name}: failed to read config space`);
  }
  return {
    planned,
    client,
    fn: emulatedFunction(name, config.data, barSizes),
    irqCounts,
    noresize,
    canReset: (info.flags & VFIO_DEVICE_FLAGS_RESET) !== 0,
  };
}
