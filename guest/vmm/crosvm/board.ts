/** What crosvm builds for a VM: KVM with its own irqchip, and GSIs (google/crosvm: resources). */
import type { Process } from "../../../src/time/process.ts";
import type {
  AssignedDevice,
  Board,
  PlannedFunction,
  VmmContext,
  VmmModel,
} from "../common/context.ts";
import { KernelIrqchipBoard } from "../common/kernel-irqchip-board.ts";
import { KvmClient } from "../common/kvm-client.ts";
import { openWith } from "../common/open-device.ts";
import { CrosvmDevice } from "./device.ts";

/** The allocator for interrupt numbers ends at 1023 (resources/src/system_allocator.rs). */
const GSI_END = 1024;

export class CrosvmBoard extends KernelIrqchipBoard {
  *realize(fn: PlannedFunction): Process<AssignedDevice> {
    return yield* openWith(this.ctx, fn, (opened) => CrosvmDevice.realize(this.ctx, opened, this));
  }
}

/**
 * crosvm leaves a reboot to whoever started it: its process ends, and the kernel closes what it had
 * open. It resets no device itself; vfio does when it is opened and closed.
 */
export const CROSVM: VmmModel = {
  startsIn: "kernel",
  reboot: "restart",
  *powerOn(ctx: VmmContext): Process<Board> {
    return new CrosvmBoard(ctx, yield* KvmClient.open(ctx, "full"), GSI_END);
  },
};
