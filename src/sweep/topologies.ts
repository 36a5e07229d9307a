/**
 * Hosts by how they share what an interrupt needs: one table for all devices, one for each, blocks
 * of ids, or none. Each is a set of overrides of a scenario's host and devices.
 *
 * Those with a small table differ only in how it is shared: each leaves the same number of entries
 * to devices, which is what VT-d's leaves of the scenario's `host.irtes` once the host has its own.
 * A bridge's table has none of the host's (its IO-APIC and ports have other requester IDs), an ITS
 * fewer, so that tables of equal size would not be equally tight. INTx lines count still: an open
 * one takes an entry of VT-d's table, none of a bridge's.
 */
import { UsageError } from "../base/errors.ts";
import { formatCount } from "../base/units.ts";
import { didYouMean } from "../scenario/suggest.ts";
import type { Platform } from "../scenario/types.ts";
import { splitList } from "./policies.ts";
import { AS_IS } from "./vmms.ts";

export interface Topology {
  readonly name: string;
  /** `VT-d, one table of 65,536`: with the size it has in a scenario. */
  readonly about: (size: number) => string;
  /** Null: the host as the scenario has it. */
  readonly platform: Platform | null;
  /**
   * Entries of the table, or LPIs, with those of the host; undefined: the platform's own. `size` is
   * the scenario's.
   */
  readonly entries?: (size: number) => number;
  /** All devices behind one PCIe-to-PCI bridge. */
  readonly bridged?: boolean;
}

/** Where a scenario says nothing of the size of its table: small, so that pressure arises. */
const SIZE_DEFAULT = 128;
const SIZE_MIN = 64;
const AMD_SIZE_MAX = 2048;
const LPIS_MAX = 57_344;

/** What boot takes of VT-d's table and of an ITS's LPIs, as recorded (host/irq/platform.ts). */
export const VTD_BOOT_IRTES = 21;
export const ITS_BOOT_LPIS = 3;

/** Entries that VT-d's table leaves to devices. */
function share(size: number): number {
  return size - VTD_BOOT_IRTES;
}

function bridgeSize(size: number): number {
  return Math.min(AMD_SIZE_MAX, share(size));
}

function lpis(size: number): number {
  return Math.min(LPIS_MAX, share(size) + ITS_BOOT_LPIS);
}

export const TOPOLOGIES: readonly Topology[] = [
  {
    name: "vtd",
    about: () => "VT-d, one table of 65,536 entries for all devices",
    platform: "x86-vtd",
  },
  {
    name: "vtd-small",
    about: (size) =>
      `VT-d, one table: ${formatCount(share(size))} of its ${formatCount(size)} entries for all ` +
      `devices together, ${VTD_BOOT_IRTES} the host's own`,
    platform: "x86-vtd",
    entries: (size) => size,
  },
  {
    name: "amd",
    about: () => "AMD-Vi, a table of 512 entries for each device",
    platform: "x86-amd",
  },
  {
    name: "amd-bridge",
    about: (size) =>
      `AMD-Vi, all behind one bridge, one table: ${formatCount(bridgeSize(size))} entries for ` +
      "all devices together, as on vtd-small",
    platform: "x86-amd",
    entries: bridgeSize,
    bridged: true,
  },
  {
    name: "its",
    about: (size) =>
      "arm64 with a GICv3 ITS, whole tables at a time: " +
      `${formatCount(lpis(size) - ITS_BOOT_LPIS)} LPIs for all devices together`,
    platform: "arm64-its",
    entries: lpis,
  },
  {
    name: "flat",
    about: () => "x86 without remapping: CPU vectors only",
    platform: "x86-flat",
  },
  { name: AS_IS, about: () => "the host as the scenario has it", platform: null },
];

export const DEFAULT_TOPOLOGIES = "vtd,vtd-small,amd,amd-bridge,its,flat";

/** Throws UsageError. */
export function parseTopologies(text: string): Topology[] {
  const names = TOPOLOGIES.map(({ name }) => name);
  return splitList("--topologies", text).map((entry) => {
    const found = TOPOLOGIES.find(({ name }) => name === entry);
    if (found !== undefined) return found;
    const hint = didYouMean(entry, names);
    const options = hint === undefined ? {} : { hint };
    throw new UsageError(`--topologies: there is no ${entry}`, options);
  });
}

type Data = Record<string, unknown>;

/** The table size that small topologies get: the scenario's own, or a default. */
export function tableSize(host: Data): number {
  const { irtes } = host;
  return typeof irtes === "number" ? Math.max(SIZE_MIN, irtes) : SIZE_DEFAULT;
}

/** Makes the host of scenario data, which is changed, into that of the topology. */
export function applyTopology(host: Data, devices: readonly Data[], topology: Topology): void {
  const { platform, entries, bridged } = topology;
  if (platform === null) return;
  const size = tableSize(host);
  delete host.irtes;
  delete host.lpis;
  host.platform = platform;
  if (entries !== undefined) host[platform === "arm64-its" ? "lpis" : "irtes"] = entries(size);
  for (const device of devices) {
    if (bridged === true) device.bridge = "bridge0";
    else delete device.bridge;
  }
}
