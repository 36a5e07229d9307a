/** The devices of the recorded machines, each where it sits (recordings*\/devices.json). */
import type { DevicePlace, DeviceSpec } from "../scenario/types.ts";

type Vectors = Pick<DeviceSpec, "msixVectors" | "msiVectors">;

const msix = (msixVectors: number): Vectors => ({ msixVectors, msiVectors: 0 });
const MSI: Vectors = { msixVectors: 0, msiVectors: 1 };
const XHCI: Vectors = { msixVectors: 16, msiVectors: 16 };

/** On the root bus, or alone behind the root port in that slot of it. */
function at(bdf: string, rootSlot = Number.parseInt(bdf.slice(3, 5), 16)): { place: DevicePlace } {
  return { place: { bdf: `0000:${bdf}`, rootSlot } };
}

/** The ten that all machines have. */
export const RECORDED_DEVICES: readonly DeviceSpec[] = [
  { name: "n8", model: "nvme", ...msix(8), ...at("01:00.0", 1) },
  { name: "e1000e", model: "e1000e", msixVectors: 5, msiVectors: 1, ...at("02:00.0", 2) },
  { name: "n64", model: "nvme", ...msix(64), ...at("03:00.0", 3) },
  { name: "a", model: "nvme", ...msix(2048), ...at("00:04.0") },
  { name: "b", model: "nvme", ...msix(2048), ...at("00:05.0") },
  { name: "c", model: "nvme", ...msix(2048), ...at("00:06.0") },
  { name: "edu", model: "edu", ...MSI, ...at("00:07.0") },
  { name: "rk", model: "rocker", ...msix(16), ...at("00:08.0") },
  { name: "x16", model: "nec-usb-xhci", ...XHCI, ...at("00:09.0") },
  { name: "y16", model: "nec-usb-xhci", ...XHCI, ...at("00:0a.0") },
];

/** Devices that fill the table of the large machine. */
export const PREFILLERS = 32;
const FUNCTIONS_PER_SLOT = 8;
const FIRST_PORT_SLOT = 0x10;

/** irte/: p01 to p32, each behind one of 32 root ports, eight ports to a slot; and two more edu. */
export const IRTE_DEVICES: readonly DeviceSpec[] = [
  ...RECORDED_DEVICES,
  ...Array.from({ length: PREFILLERS }, (_, i): DeviceSpec => {
    const bus = (4 + i).toString(16).padStart(2, "0");
    const slot = FIRST_PORT_SLOT + Math.floor(i / FUNCTIONS_PER_SLOT);
    const name = `p${String(i + 1).padStart(2, "0")}`;
    return { name, model: "nvme", ...msix(2048), ...at(`${bus}:00.0`, slot) };
  }),
  { name: "e2", model: "edu", ...MSI, ...at("00:19.0") },
  { name: "e3", model: "edu", ...MSI, ...at("00:1a.0") },
];

/** amd-alias/: five behind the PCIe-to-PCI bridge in slot 0x0c. */
const BRIDGED = { bridge: "pb" };
export const AMD_ALIAS_DEVICES: readonly DeviceSpec[] = [
  ...RECORDED_DEVICES,
  { name: "v1", model: "virtio-net", ...msix(400), ...BRIDGED, ...at("04:01.0", 0x0c) },
  { name: "v2", model: "virtio-net", ...msix(400), ...BRIDGED, ...at("04:02.0", 0x0c) },
  { name: "v3", model: "virtio-net", ...msix(400), ...BRIDGED, ...at("04:03.0", 0x0c) },
  { name: "bx", model: "nec-usb-xhci", ...XHCI, ...BRIDGED, ...at("04:04.0", 0x0c) },
  { name: "by", model: "nec-usb-xhci", ...XHCI, ...BRIDGED, ...at("04:05.0", 0x0c) },
];
