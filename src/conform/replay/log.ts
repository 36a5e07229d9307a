/** An ioctl log: lines as a VMM's calls, devices and machine as its header (README.md, replay). */
import type { InputPlace } from "../../base/errors.ts";
import type { HostSpec, Platform } from "../../scenario/types.ts";
import type { FdName } from "../vmm/calls.ts";
import type { RecordedLine } from "../vmm/recording.ts";

/** What a call returned: zero or more, a negative errno, or null if nobody knows. */
export type RecordedRet = number | null;

interface EntryBase {
  readonly line: number;
  /** Of the log's own clock; null if there is none. */
  readonly timeNs: number | null;
}

/** The device is named as the log names it: a name, an address, a path. */
export interface SetIrqsEntry extends EntryBase {
  readonly op: "set_irqs";
  readonly device: string;
  readonly index: number;
  readonly start: number;
  readonly count: number;
  readonly flags: number;
  /** DATA_EVENTFD: names, -1 and other negative numbers as they are. */
  readonly fds: readonly FdName[];
  /** DATA_BOOL. */
  readonly bools: readonly number[];
  readonly argsz: number;
  readonly ret: RecordedRet;
  /** Entries of sysfs msi_irqs before and after, where the log has them. */
  readonly msiIrqs: readonly [number, number] | null;
}

export interface IrqInfoEntry extends EntryBase {
  readonly op: "get_irq_info";
  readonly device: string;
  readonly index: number;
  readonly count: number | null;
  readonly iflags: number | null;
  readonly ret: RecordedRet;
}

export interface DeviceEntry extends EntryBase {
  readonly op: "open" | "close" | "reset";
  readonly device: string;
  readonly ret: RecordedRet;
}

export interface EventfdEntry extends EntryBase {
  readonly op: "eventfd" | "eventfd_close";
  readonly fd: FdName;
}

export interface IrqfdEntry extends EntryBase {
  readonly op: "irqfd";
  readonly act: "assign" | "deassign";
  readonly fd: FdName;
  readonly gsi: number;
  readonly resample: FdName | null;
  readonly ret: RecordedRet;
}

/** A write of the command register through vfio. */
export interface CommandEntry extends EntryBase {
  readonly op: "command";
  readonly device: string;
  readonly value: number;
}

/** What is shown, but not replayed. */
export interface ShownEntry extends EntryBase {
  readonly op: "comment" | "shown";
  readonly text: string;
}

/** What the guest wrote, in the words of a VMM's recording. */
export interface GuestEntry extends EntryBase {
  readonly op: "guest";
  readonly written: RecordedLine;
}

export type LogEntry =
  | SetIrqsEntry
  | IrqInfoEntry
  | DeviceEntry
  | EventfdEntry
  | IrqfdEntry
  | CommandEntry
  | ShownEntry
  | GuestEntry;

/** A device as header or command line describe it. */
export interface DescribedDevice {
  readonly name: string;
  readonly model: string | null;
  readonly msixVectors: number | null;
  readonly msiVectors: number | null;
  readonly intx: boolean | null;
  /** Where it is described. */
  readonly place: InputPlace;
}

export interface LogHeader {
  readonly devices: readonly DescribedDevice[];
  readonly kernel: HostSpec["kernel"] | null;
  readonly platform: Platform | null;
  readonly cpus: number | null;
  readonly irtes: number | null;
}

export interface IoctlLog {
  readonly file: string;
  readonly header: LogHeader;
  readonly entries: readonly LogEntry[];
}

export const EMPTY_HEADER: LogHeader = {
  devices: [],
  kernel: null,
  platform: null,
  cpus: null,
  irtes: null,
};
