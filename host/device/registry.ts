/** Makes the device a scenario names. */
import { unreachable } from "../../src/base/assert.ts";
import type { DeviceSpec } from "../../src/scenario/types.ts";
import type { Device } from "./device.ts";
import { E1000e } from "./e1000e.ts";
import { Edu } from "./edu.ts";
import { IceVf } from "./ice-vf.ts";
import { Idxd } from "./idxd.ts";
import { NecUsbXhci } from "./nec-usb-xhci.ts";
import { Nic } from "./nic.ts";
import { Nvme, type NvmeExtra } from "./nvme.ts";
import { Recorded } from "./recorded.ts";
import { Rocker } from "./rocker.ts";
import { VirtioNet } from "./virtio-net.ts";

/** A device at its power-on state, as firmware hands it to the host kernel. */
export function createDevice(spec: DeviceSpec, extra: NvmeExtra = {}): Device {
  if (spec.recorded !== undefined) return new Recorded(spec, spec.recorded, extra);
  switch (spec.model) {
    case "nvme":
      return new Nvme(spec, extra);
    case "edu":
      return new Edu(spec, extra);
    case "nic":
      return new Nic(spec, extra);
    case "idxd":
      return new Idxd(spec, extra);
    case "ice-vf":
      return new IceVf(spec, extra);
    case "e1000e":
      return new E1000e(spec, extra);
    case "rocker":
      return new Rocker(spec, extra);
    case "nec-usb-xhci":
      return new NecUsbXhci(spec, extra);
    case "virtio-net":
      return new VirtioNet(spec, extra);
    default:
      return unreachable(spec.model);
  }
}
