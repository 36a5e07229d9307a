/**
 * The arm64 machines of the recordings: QEMU's virt with a GICv3 ITS or a GICv2m
 * (recordings-arm64/README.md): devices, boots, and what a boot had seen before a script.
 */
import type { DeviceSpec, HostSpec } from "../scenario/types.ts";
import { RECORDED_DEVICES } from "./recorded-devices.ts";
import { placeOfRecording } from "./recorded-folder.ts";
import type { RecordedMachine, RecordingName } from "./recorded-machine.ts";

/** Linux irqs that are in use after boot beside the root ports'. */
const BOOT_IRQS = 23;

const hex2 = (n: number): string => n.toString(16).padStart(2, "0");

/** w01 to w20 are on the root bus, after the ten. */
const WIDE_ON_ROOT_BUS = 20;
const FIRST_WIDE_SLOT = 0x0b;
/** The last slot has a root port in each of its functions, with w21 to w28 on buses 4 to 11. */
const PORTS_SLOT = 0x1f;
const FIRST_PORTS_BUS = 4;

/** Devices of the set `many` beyond the ten. */
const WIDE = Array.from({ length: 28 }, (_, i): DeviceSpec => {
  const behindPort = i - WIDE_ON_ROOT_BUS;
  const slot = behindPort < 0 ? FIRST_WIDE_SLOT + i : PORTS_SLOT;
  const bus = FIRST_PORTS_BUS + behindPort;
  const bdf = behindPort < 0 ? `0000:00:${hex2(slot)}.0` : `0000:${hex2(bus)}:00.0`;
  return {
    name: `w${String(i + 1).padStart(2, "0")}`,
    model: "nvme",
    msixVectors: 2048,
    msiVectors: 0,
    place: { bdf, rootSlot: slot },
  };
});
const MANY: readonly DeviceSpec[] = [...RECORDED_DEVICES, ...WIDE];

/** Requester ids: bus << 8 | slot << 3. */
const REQUESTER_IDS: Readonly<Record<string, number>> = Object.fromEntries(
  MANY.map(({ name, place }) => {
    const [, bus, slot] = place!.bdf.split(/[:.]/).map((field) => Number.parseInt(field, 16));
    return [name, (bus! << 8) | (slot! << 3)];
  }),
);

/**
 * Linux irq numbers of the INTx lines. The root ports' own interrupts come in between, and the
 * first line, on which no port is, when its first device is probed: sooner or later by boot.
 */
function lineIrqs(folder: string, ports: number): readonly number[] {
  if (ports === 0) return [23, 20, 21, 22];
  if (ports === 11) return [34, 20, 22, 24];
  return [folder === "pool-x86" ? 26 : 23, 20, 22, 24];
}

/** Scripts of pool/ and newer/ that ran on the set `many`. */
const ON_MANY: ReadonlySet<string> = new Set(
  "q01 q03 q04 q05 q06 q07 q08 q10 q13 q14 q15".split(" "),
);
const LPI_SCRIPTS =
  "q01-lpi-cost-msix q03-fill-whole q04-fill-one-vector q05-short-grant q07-five-each q08-holes " +
  "q10-round";
const X86_SCRIPTS =
  "p01-grow-one-device p02-first-enable-too-many p03-reserve-only p04-exhaust-by-one " +
  "p05-dynamic-rollback p06-cache-held p07-msi-pool p08-five-left";
/**
 * Scripts that ran one after the other in one boot, where that can be seen: LPIs that stay
 * (findings 12 and 16), and messages that come with a device's first open.
 */
const ONE_BOOT: Readonly<Record<string, string>> = {
  gicv2m: "h00-info v10-fill v11-leak-3 v11-leak-5 v11-leak-7",
  pool: LPI_SCRIPTS,
  newer: LPI_SCRIPTS,
  "pool-x86": X86_SCRIPTS,
  older: "q01-lpi-cost-msix q02-lpi-cost-msi q10-round",
};

/** random-pool: another process holds 27 tables of 2,048, with a vector each. */
const FILLER = WIDE.slice(0, 27).flatMap(({ name }) => [
  `@${name} open`,
  `@${name} set MSIX 0 1 EVENTFD|TRIGGER -1`,
]);
/** The recorder's try-out at boot: on 7.2 n8 keeps its LPIs. */
const PRIMER = ["@n8 open", "@n8 set MSIX 0 1 EVENTFD|TRIGGER -1", "@n8 close"];

/** Decodes FOLDER/NAME.KERNEL-arm64[-v2m].jsonl; null for a name without that. */
export function arm64RecordingName(path: string): RecordingName | null {
  const { file, folder, family } = placeOfRecording(path);
  const match = /^(.+?)\.(6\.1|6\.12|7\.2)-arm64(-v2m)?\.jsonl$/.exec(file);
  if (match === null) return null;
  const [, name, version, v2m] = match;
  const kernel = `linux-${version}` as HostSpec["kernel"];
  const boot = ONE_BOOT[folder]?.split(" ") ?? [];
  return {
    key: `${folder}/${file}`,
    script: `${name}.script`,
    machine: arm64Machine(kernel, v2m === undefined ? "arm64-its" : "arm64-v2m", family, name!),
    before: boot.slice(0, Math.max(0, boot.indexOf(name!))).map((script) => `${script}.script`),
    // Elsewhere what names x16 or y16 had a boot of its own.
    inherits: folder === "nointxmask",
  };
}

function arm64Machine(
  kernel: HostSpec["kernel"],
  platform: HostSpec["platform"],
  folder: string,
  name: string,
): RecordedMachine {
  const script = name.slice(0, 3);
  const pool = folder === "pool" || folder === "newer";
  const many = folder === "random-pool" || (pool && ON_MANY.has(script));
  // q13 ran with pcie_ports=compat: root ports without services, and so without interrupts.
  const ports = script === "q13" ? 0 : many ? 11 : 3;
  return {
    host: {
      kernel,
      platform,
      cpus: 2,
      irtes: 65_536,
      vectorsPerCpu: 201,
      retention: "cache",
      nointxmask: folder === "nointxmask",
      boot: {
        irtes: ports,
        irqs: BOOT_IRQS + ports,
        vectors: 0,
        reservations: 0,
        lines: [],
        lineIrqs: lineIrqs(folder, ports),
      },
    },
    devices: many ? MANY : RECORDED_DEVICES,
    requesterIds: REQUESTER_IDS,
    setUp: [...PRIMER, ...(folder === "random-pool" ? FILLER : [])],
  };
}
