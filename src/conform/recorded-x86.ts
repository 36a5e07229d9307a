/**
 * The x86 machines of the recordings, by folder: VT-d small and filled to its last entry, AMD-Vi,
 * AMD-Vi with a PCIe-to-PCI bridge, and no remapping (recordings/, recordings-irte/ README.md).
 */
import { UsageError } from "../base/errors.ts";
import type { BootUse, DeviceSpec, HostSpec, Platform } from "../scenario/types.ts";
import {
  AMD_ALIAS_DEVICES,
  IRTE_DEVICES,
  PREFILLERS,
  RECORDED_DEVICES,
} from "./recorded-devices.ts";
import { placeOfRecording } from "./recorded-folder.ts";
import type { RecordingName } from "./recorded-machine.ts";

/** Vectors of a CPU that are not the system's own: 10 of them are in use after a small boot. */
const VECTORS_PER_CPU = 201;

/** Root ports in slots 1 to 3: a MSI-X vector each, and their lines are open. */
const SMALL_BOOT: BootUse = {
  irtes: 21,
  irqs: 4,
  vectors: 10,
  reservations: 12,
  lines: [21, 22, 23],
};
/** 32 more root ports, on all four lines: 54 entries in use, 360 vectors free with two CPUs. */
const LARGE_BOOT: BootUse = {
  irtes: 54,
  irqs: 36,
  vectors: 42,
  reservations: 13,
  lines: [20, 21, 22, 23],
};
const SMALL_PORTS = ["00:01.0", "00:02.0", "00:03.0"];
const LARGE_PORTS = [
  ...SMALL_PORTS,
  ...Array.from({ length: 32 }, (_, i) => `00:${(0x10 + (i >> 3)).toString(16)}.${i & 7}`),
];

interface Folder {
  readonly platform: Platform;
  readonly irtes: number;
  readonly devices: readonly DeviceSpec[];
  readonly boot: BootUse;
  /** Functions of the machine's own that have a MSI-X vector. */
  readonly ports: readonly string[];
}

const SMALL: Folder = {
  platform: "x86-vtd",
  irtes: 65_536,
  devices: RECORDED_DEVICES,
  boot: SMALL_BOOT,
  ports: SMALL_PORTS,
};
const LARGE = { ...SMALL, devices: IRTE_DEVICES, boot: LARGE_BOOT, ports: LARGE_PORTS };
const AMD: Folder = { ...SMALL, platform: "x86-amd", irtes: 512 };

/** Folders that are not small VT-d machines. */
const FOLDERS: Readonly<Record<string, Folder>> = {
  noremap: { ...SMALL, platform: "x86-flat" },
  irte: LARGE,
  "random-irte": LARGE,
  amd: AMD,
  "amd-alias": { ...AMD, devices: AMD_ALIAS_DEVICES },
};

/** Scripts of irte/ that fill the table themselves, or are what fills it. */
const UNFILLED = /^(q01|prefill)-/;
/**
 * prefill-2048: another process has filled the table behind 32 devices, and then closed the first
 * of them, so that the 2,048 entries from 54 on are free.
 */
const PREFILL = [
  ...Array.from({ length: PREFILLERS }, (_, i) => {
    const device = `@p${String(i + 1).padStart(2, "0")}`;
    const irqs = i + 1 < PREFILLERS ? 2048 : 1994;
    return [`${device} open`, `${device} set MSIX 0 ${irqs} EVENTFD|TRIGGER -1*${irqs}`];
  }).flat(),
  "@p01 close",
];

/** Decodes FOLDER/NAME.KERNEL[.smpN].jsonl. */
export function x86RecordingName(path: string): RecordingName {
  const { file, folder, family } = placeOfRecording(path);
  const match = /^(.+?)\.(6\.1|6\.12)(?:\.smp(\d+))?\.jsonl$/.exec(file);
  if (match === null) {
    throw new UsageError("the name of a recording is NAME.KERNEL.jsonl or QEMU-MODE-NAME.jsonl", {
      place: { file: path },
      hint:
        "KERNEL is 6.1 or 6.12, maybe with .smp1 or .smp2, the number of CPUs; on arm64 " +
        "6.1-arm64, 6.12-arm64, 6.12-arm64-v2m or 7.2-arm64; QEMU is q72, q10 or q11; a log is " +
        "NAME.log.jsonl",
    });
  }
  const [, name, version, smp] = match;
  const kernel = version === "6.1" ? "linux-6.1" : "linux-6.12";
  const { platform, irtes, devices, boot, ports } = FOLDERS[family] ?? SMALL;
  const isFilled = devices === IRTE_DEVICES && !UNFILLED.test(name!);
  const host: HostSpec = {
    kernel,
    platform,
    // Two CPUs, but for the random pool scripts, which all ran on one.
    cpus: Number(smp ?? (family === "random-pool" ? 1 : 2)),
    irtes,
    vectorsPerCpu: VECTORS_PER_CPU,
    retention: "cache",
    nointxmask: family === "nointxmask",
    boot,
  };
  return {
    key: `${folder}/${file}`,
    script: `${name}.script`,
    machine: {
      host,
      devices,
      bootChips: bootChips(host, ports),
      ...(isFilled ? { setUp: PREFILL } : {}),
    },
    before: [],
    inherits: true,
  };
}

/** Pins of the IO-APIC that have an irq after a small boot; one more where line 20 is open. */
const BOOT_PINS = 15;

/** Irq descriptors after boot by their chip, as debugfs names it. */
function bootChips(
  { kernel, platform, boot }: HostSpec,
  ports: readonly string[],
): Record<string, number> {
  const chips: Record<string, number> = { "XT-PIC": 1 };
  const add = (chip: string): void => {
    chips[chip] = (chips[chip] ?? 0) + 1;
  };
  const ioApic = platform === "x86-flat" ? "IO-APIC" : "IR-IO-APIC";
  chips[ioApic] = BOOT_PINS + boot!.lines.length;
  for (const port of ports) add(msiChip(kernel, platform, "msix", `0000:${port}`));
  // The IOMMU's own interrupt is not remapped.
  if (platform === "x86-amd") add(msiChip(kernel, "x86-flat", "msi", "0000:00:0b.0"));
  else add("DMAR-MSI");
  return chips;
}

/** A function's irq chip: one for all until Linux 6.1, one a device and kind in 6.12. */
export function msiChip(
  kernel: HostSpec["kernel"],
  platform: Platform,
  kind: "msi" | "msix",
  bdf: string,
): string {
  const remapped = platform === "x86-flat" ? "" : "IR-";
  return kernel === "linux-6.1"
    ? `${remapped}PCI-MSI`
    : `${remapped}PCI-${kind.toUpperCase()}-${bdf}`;
}
