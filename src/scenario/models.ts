/** What each device model offers, as the recorded devices do (QEMU's hw/), and who drives it. */
import type { DeviceSpec, GuestSpec } from "./types.ts";

export interface DeviceModel {
  readonly msixVectors: number;
  readonly msiVectors: number;
  /** True if its table sizes can be chosen. */
  readonly resizable: boolean;
  /** MSI that it may be given although the model has none of itself: vectors. */
  readonly msiMax?: number;
  /** False for a function without an interrupt pin. */
  readonly intx: boolean;
  /** The guest driver for it; null if there is none: such a device serves recordings only. */
  readonly driver: GuestSpec["driver"] | null;
}

/** One line a model: sizes are the defaults. */
export const DEVICE_MODELS: Readonly<Record<DeviceSpec["model"], DeviceModel>> = {
  // Drives have MSI of up to 32 vectors, if QEMU's model has none.
  nvme: {
    msixVectors: 65,
    msiVectors: 0,
    resizable: true,
    msiMax: 32,
    intx: true,
    driver: "nvme",
  },
  edu: { msixVectors: 0, msiVectors: 1, resizable: false, intx: true, driver: "edu" },
  nic: { msixVectors: 10, msiVectors: 1, resizable: true, intx: true, driver: "nic" },
  idxd: { msixVectors: 9, msiVectors: 0, resizable: false, intx: false, driver: "idxd" },
  "ice-vf": { msixVectors: 17, msiVectors: 0, resizable: true, intx: false, driver: "ice-vf" },
  e1000e: { msixVectors: 5, msiVectors: 1, resizable: false, intx: true, driver: null },
  rocker: { msixVectors: 16, msiVectors: 0, resizable: true, intx: false, driver: null },
  "virtio-net": { msixVectors: 3, msiVectors: 0, resizable: true, intx: true, driver: null },
  "nec-usb-xhci": { msixVectors: 16, msiVectors: 16, resizable: true, intx: true, driver: null },
};
