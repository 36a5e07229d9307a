/** The machine of the recordings: its devices, and what a recording's name says of its host. */
import { type InputPlace, UsageError } from "../base/errors.ts";
import type { DeviceSpec, HostSpec } from "../scenario/types.ts";
import { arm64RecordingName } from "./recorded-arm64.ts";
import { x86RecordingName } from "./recorded-x86.ts";

/** A device address is written to sysfs to bind it: that many bytes. */
export const BDF_LENGTH = "0000:01:00.0".length;

/** A machine that scripts ran on. */
export interface RecordedMachine {
  readonly host: HostSpec;
  readonly devices: readonly DeviceSpec[];
  /** Requester ids by device, where traces name them. */
  readonly requesterIds?: Readonly<Record<string, number>>;
  /** Irq descriptors after boot, by chip (x86). */
  readonly bootChips?: Readonly<Record<string, number>>;
  /** Operations that another process did first and left so: not compared. */
  readonly setUp?: readonly string[];
}

/** Throws a UsageError at `place` for a device that the machine does not have. */
export function requireDevice({ devices }: RecordedMachine, name: string, place: InputPlace): void {
  if (devices.some((device) => device.name === name)) return;
  const known = devices.map((device) => device.name).join(" ");
  throw new UsageError(`no device @${name} in the recorded machine`, {
    place,
    hint: `the folder tells which machine it is; this one has ${known}`,
  });
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
  return arm64RecordingName(path) ?? x86RecordingName(path);
}

const KERNEL_RECORDING = /\.(6\.1|6\.12|7\.2)(-arm64)?(-v2m)?(\.smp\d+)?\.jsonl$/;

/** True if a file's name is that of a recording of a kernel. */
export function isKernelRecording(path: string): boolean {
  return KERNEL_RECORDING.test(path);
}
