/** Which driver a guest binds to a device. */
import { unreachable } from "../../src/base/assert.ts";
import type { GuestKernel } from "../kernel/kernel.ts";
import type { VirtualFunction } from "../vmm/types.ts";
import { EduDriver } from "./edu.ts";
import { IavfDriver } from "./iavf.ts";
import { IdxdDriver } from "./idxd.ts";
import { NicDriver } from "./nic.ts";
import { NvmeDriver } from "./nvme.ts";
import type { GuestDriver } from "./types.ts";

/** Null if the guest's driver does not know the device: it is then left alone. */
export function createDriver(kernel: GuestKernel, fn: VirtualFunction): GuestDriver | null {
  const { driver } = kernel.plan.spec;
  if (driver !== fn.spec.model) return null;
  switch (driver) {
    case "nvme":
      return new NvmeDriver(kernel, fn);
    case "edu":
      return new EduDriver(kernel, fn);
    case "nic":
      return new NicDriver(kernel, fn);
    case "idxd":
      return new IdxdDriver(kernel, fn);
    case "ice-vf":
      return new IavfDriver(kernel, fn);
    default:
      return unreachable(driver);
  }
}
