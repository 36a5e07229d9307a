/** The machine of the recordings: its devices, and what a recording's name says of its host. */
import { UsageError } from "../base/errors.ts";
import type { DeviceSpec, HostSpec } from "../scenario/types.ts";

/** In bus order: a device's slot decides which INTx line it has (recordings/devices.json). */
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

/** A device address is written to sysfs to bind it: that many bytes. */
export const BDF_LENGTH = "0000:01:00.0".length;

/** Vectors of a CPU that are not the system's own: 10 of them are in use after boot. */
const VECTORS_PER_CPU = 201;

/** What the name of a recording says. */
export interface RecordingName {
  /** `handwritten/h09-msi-caps.6.12.jsonl`: the key in unreliable.json. */
  readonly key: string;
  readonly host: HostSpec;
  /** The script's file name: `h09-msi-caps.script`. */
  readonly script: string;
}

/** Decodes FOLDER/NAME.KERNEL[.smpN].jsonl. */
export function recordingName(path: string): RecordingName {
  const [file, folder = ""] = path.split(/[\\/]/).reverse();
  const match = /^(.+?)\.(6\.1|6\.12)(?:\.smp(\d+))?\.jsonl$/.exec(file!);
  if (match === null) {
    throw new UsageError("the name of a recording is NAME.KERNEL.jsonl, KERNEL 6.1 or 6.12", {
      place: { file: path },
      hint: "KERNEL may be followed by .smp1 or .smp2, the number of CPUs",
    });
  }
  const [, name, kernel, smp] = match;
  // Two CPUs, but for the random pool scripts, which all ran on one.
  const cpus = Number(smp ?? (folder === "random-pool" ? 1 : 2));
  return {
    key: `${folder}/${file}`,
    script: `${name}.script`,
    host: {
      kernel: kernel === "6.1" ? "linux-6.1" : "linux-6.12",
      platform: folder === "noremap" ? "x86-flat" : "x86-vtd",
      cpus,
      irtes: 65_536,
      vectorsPerCpu: VECTORS_PER_CPU,
      retention: "cache",
      nointxmask: folder === "nointxmask",
    },
  };
}
