/** Makes the device a scenario names. */
import { unreachable } from "../../src/base/assert.ts";
import type { DeviceSpec } from "../../src/scenario/types.ts";
import type { Device } from "./device.ts";
import { Edu } from "./edu.ts";
import { Nvme, type NvmeExtra } from "./nvme.ts";

/** A device at its power-on state, as firmware hands it to the host kernel. */
export function createDevice(spec: DeviceSpec, extra: NvmeExtra = {}): Device {
  switch (spec.model) {
    case "nvme":
      return new Nvme(spec, extra);
    case "edu":
      return new Edu(spec, extra);
    default:
      return unreachable(spec.model as never);
  }
}
