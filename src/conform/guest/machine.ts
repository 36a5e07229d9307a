/** What a replay asks of a guest's kernel; guest/kernel/replay.ts says what each of it does. */
import type { MachineEnv } from "../../run/contract.ts";
import type { DeviceSpec } from "../../scenario/types.ts";
import type { Process } from "../../time/process.ts";

/** Choices that the recorded guest made. */
export interface RecordedChoices {
  slot(device: string, vector: number): number | null;
  entry(device: string, vector: number): number | null;
  isMoveBusy(device: string, vector: number): boolean;
}

export interface GuestBus {
  readonly choices: RecordedChoices;
  readonly isRemapped: boolean;
  configRead(device: string, offset: number, size: number): number;
  configWrite(device: string, offset: number, size: number, value: number): Process;
  mmioRead(device: string, bar: number, offset: number): number;
  mmioWrite(device: string, bar: number, offset: number, size: number, value: number): Process;
  systemReset(): Process;
}

/** A driver that says nothing by itself. */
export interface FollowedCalls {
  readonly vectors: {
    readonly mode: "intx" | "msi" | "msix" | null;
    readonly count: number;
    setAffinity(vector: number, vcpus: readonly number[]): Process<number>;
    acknowledge(vector: number): Process;
    restore(): Process;
  };
  isRequested(vector: number): boolean;
  free(vector: number): Process;
  freeAll(): Process;
  alloc(kind: "msi" | "msix", count: number): Process;
  request(vector: number): Process;
  writeConfig(offset: number, size: number, value: number): Process;
}

export interface ReplayedGuest {
  boot(): Process;
  reset(): Process;
  reboot(): Process;
  powerOff(): Process;
  kexec(): Process;
  suspend(): Process;
  resume(): Process;
  bind(device: string): Process;
  unbind(device: string): Process;
  cpuOnline(cpu: number, isOn: boolean): Process;
  resetFunction(device: string): Process;
  resetController(device: string): Process;
  remove(device: string): Process;
  rescan(): Process;
  unplug(device: string): Process;
  plug(device: string): Process;
  link(device: string, isUp: boolean): Process;
  setChannels(device: string, combined: number): Process;
  selfTest(device: string): Process;
  setAffinity(number: number, vcpus: readonly number[]): Process;
  isMovePending(device: string, vector: number): boolean;
  interrupt(device: string, vector: number): Process;
  followed(device: string): FollowedCalls | null;
}

export type CreateReplayGuest = (
  env: MachineEnv,
  options: {
    readonly vcpus: number;
    readonly kernel: "linux-6.1" | "linux-6.12";
    readonly devices: readonly DeviceSpec[];
    readonly lineOnly: boolean;
    readonly absent: readonly string[];
    readonly probesAtBoot: (device: string) => boolean;
    readonly isFollowed: (device: string) => boolean;
    readonly leaving: (device: string) => Process;
  },
  bus: GuestBus,
) => ReplayedGuest;
