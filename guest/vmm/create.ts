/** Makes the VMM a guest's scenario names. */
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import { QemuMachine } from "./qemu/machine.ts";
import type { VirtualMachine } from "./types.ts";

export function createVmm(env: MachineEnv, plan: GuestPlan, port: GuestPort): VirtualMachine {
  return new QemuMachine(env, plan, port);
}
