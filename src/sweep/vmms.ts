/** VMMs as a list on the command line names them: `qemu 7.2,crosvm`. */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../scenario/suggest.ts";
import type { VmmName } from "../scenario/types.ts";
import { splitList } from "./policies.ts";

export interface VmmChoice {
  readonly name: string;
  /** Null: each guest has the VMM that the scenario gives it. */
  readonly vmm: VmmName | null;
  /** Undefined: its default. */
  readonly version: string | undefined;
}

const NAMES: readonly VmmName[] = ["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"];

/** Leaves guests, or the host, as the scenario has them. */
export const AS_IS = "as-is";

export const DEFAULT_VMMS = "qemu 10.0,qemu 7.2,cloud-hypervisor,crosvm,dpdk,minimal";

/** A name, and maybe a version after a blank, a colon or a hyphen. Throws UsageError. */
export function parseVmms(text: string): VmmChoice[] {
  return splitList("--vmms", text).map(choiceOf);
}

function choiceOf(text: string): VmmChoice {
  if (text === AS_IS) return { name: AS_IS, vmm: null, version: undefined };
  const [, name = text, version] = /^(.+?)[ :-](\d+\.\d+|main)$/.exec(text) ?? [];
  const vmm = NAMES.find((known) => known === name);
  if (vmm === undefined) {
    const hint = didYouMean(name, [...NAMES, AS_IS]);
    throw new UsageError(`--vmms: there is no VMM ${text}`, hint === undefined ? {} : { hint });
  }
  return { name: version === undefined ? vmm : `${vmm} ${version}`, vmm, version };
}

type GuestData = Record<string, unknown>;

/** Keys that only QEMU has a use for. */
const QEMU_ONLY = ["irqchip", "bypass", "intremap"] as const;

/** Puts the VMM under all guests of scenario data, which is changed. */
export function applyVmm(guests: readonly GuestData[], { vmm, version }: VmmChoice): void {
  if (vmm === null) return;
  for (const guest of guests) {
    guest.vmm = vmm;
    if (version === undefined) delete guest.vmmVersion;
    else guest.vmmVersion = version;
    if (vmm === "qemu") continue;
    for (const key of QEMU_ONLY) delete guest[key];
    // Only QEMU has a choice of reading eventfds itself; DPDK has no other.
    if (vmm === "dpdk" || guest.path === "userspace") delete guest.path;
  }
}
