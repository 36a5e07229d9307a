/** The ten devices that all recorded machines have (recordings/devices.json). */
import type { DeviceSpec } from "../scenario/types.ts";

/** In bus order: a device's slot decides which INTx line it has. */
export const RECORDED_DEVICES: readonly DeviceSpec[] = [
  { name: "n8", model: "nvme", msixVectors: 8, msiVectors: 0 },
  { name: "e1000e", model: "e1000e", msixVectors: 5, msiVectors: 1 },
  { name: "n64", model: "nvme", msixVectors: 64, msiVectors: 0 },
  { name: "a", model: "nvme", msixVectors: 2048, msiVectors: 0 },
  { name: "b", model: "nvme", msixVectors: 2048, msiVectors: 0 },
  { name: "c", model: "nvme", msixVectors: 2048, msiVectors: 0 },
  { name: "edu", model: "edu", msixVectors: 0, msiVectors: 1 },
  { name: "rk", model: "rocker", msixVectors: 16, msiVectors: 0 },
  { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 },
  { name: "y16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 },
];
