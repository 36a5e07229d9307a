/** The machine of the recordings: its devices, and what a recording's name says of its host. */
import { UsageError } from "../base/errors.ts";
import type { DeviceSpec, HostSpec } from "../scenario/types.ts";
import { arm64RecordingName } from "./recorded-arm64.ts";
import { RECORDED_DEVICES } from "./recorded-devices.ts";

/** A device address is written to sysfs to bind it: that many bytes. */
export const BDF_LENGTH = "0000:01:00.0".length;

/** Vectors of a CPU that are not the system's own: 10 of them are in use after boot. */
const VECTORS_PER_CPU = 201;

/** A machine that scripts ran on. */
export interface RecordedMachine {
  readonly host: HostSpec;
  readonly devices: readonly DeviceSpec[];
  /** Requester ids by device, where traces name them. */
  readonly requesterIds?: Readonly<Record<string, number>>;
  /** Operations that another process did first and left so: not compared. */
  readonly setUp?: readonly string[];
}

/** What the name of a recording says. */
export interface RecordingName {
  /** `handwritten/h09-msi-caps.6.12.jsonl`: the key in unreliable.json. */
  readonly key: string;
  readonly machine: RecordedMachine;
  /** The script's file name: `h09-msi-caps.script`. */
  readonly script: string;
  /** Scripts of the same boot that ran before, in order, and may have left something behind. */
  readonly before: readonly string[];
  /** State of a boot that the recording inherited and nobody knows (LeakedState). */
  readonly inherits: boolean;
}

/** Decodes FOLDER/NAME.KERNEL[.smpN].jsonl, or what arm64RecordingName does. */
export function recordingName(path: string): RecordingName {
  const arm64 = arm64RecordingName(path);
  if (arm64 !== null) return arm64;
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
    machine: {
      host: {
        kernel: kernel === "6.1" ? "linux-6.1" : "linux-6.12",
        platform: folder === "noremap" ? "x86-flat" : "x86-vtd",
        cpus,
        irtes: 65_536,
        vectorsPerCpu: VECTORS_PER_CPU,
        retention: "cache",
        nointxmask: folder === "nointxmask",
      },
      devices: RECORDED_DEVICES,
    },
    before: [],
    inherits: true,
  };
}
