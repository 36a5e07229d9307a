/** The minimal VMM's machine: KVM has the interrupt controllers, devices stay open over a reset. */
import type { Process } from "../../../src/time/process.ts";
import { KVM_MAX_IRQ_ROUTES } from "../../../src/uapi/kvm.ts";
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
import { MinimalDevice } from "./device.ts";

class MinimalBoard extends KernelIrqchipBoard {
  *realize(fn: PlannedFunction): Process<AssignedDevice> {
    return yield* openWith(this.ctx, fn, (opened) => MinimalDevice.realize(this.ctx, opened, this));
  }
}

export const MINIMAL: VmmModel = {
  startsIn: "kernel",
  reboot: "in-place",
  *powerOn(ctx: VmmContext): Process<Board> {
    return new MinimalBoard(ctx, yield* KvmClient.open(ctx, "full"), KVM_MAX_IRQ_ROUTES);
  },
};
