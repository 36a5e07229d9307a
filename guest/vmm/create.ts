/** Makes the VMM a guest's scenario names. */
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import { cloudHypervisor } from "./cloud-hypervisor/board.ts";
import { VmmMachine } from "./common/machine.ts";
import { CROSVM } from "./crosvm/board.ts";
import { DPDK } from "./dpdk/process.ts";
import { MINIMAL } from "./minimal/board.ts";
import { QemuMachine } from "./qemu/machine.ts";
import type { VirtualMachine } from "./types.ts";

export function createVmm(env: MachineEnv, plan: GuestPlan, port: GuestPort): VirtualMachine {
  switch (plan.spec.vmm) {
    case "qemu":
      return new QemuMachine(env, plan, port);
    case "cloud-hypervisor":
      return new VmmMachine(env, plan, port, cloudHypervisor(plan.spec));
    case "crosvm":
      return new VmmMachine(env, plan, port, CROSVM);
    case "dpdk":
      return new VmmMachine(env, plan, port, DPDK);
    case "minimal":
      return new VmmMachine(env, plan, port, MINIMAL);
  }
}
