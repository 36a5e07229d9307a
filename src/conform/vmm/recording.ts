/** Recordings of a VMM's calls to vfio-pci and KVM: lines of a file and what its name says. */
import { type InputPlace, UsageError } from "../../base/errors.ts";
import type { GuestSpec, HostSpec } from "../../scenario/types.ts";
import { VFIO_IRQ_INFO_NORESIZE } from "../../uapi/vfio.ts";

/** One line; which fields there are depends on `op`. Hexadecimal numbers are strings. */
export interface RecordedLine {
  readonly i: number;
  readonly t: number;
  readonly op: string;
  readonly dev?: string;
  /** Thread of the VMM: `main`, `cpuN`; a line of its trace log has none. */
  readonly thr?: string;
  readonly [field: string]: unknown;
}

/** The VMM and the host kernel of a recording. */
export interface RecordedVmm {
  readonly version: GuestSpec["vmmVersion"];
  readonly path: GuestSpec["path"];
  readonly irqchip: NonNullable<GuestSpec["irqchip"]>;
  /**
   * The guest remaps interrupts: what a route says depends on its remapping table, which is not
   * recorded.
   */
  readonly isRemapped: boolean;
  readonly kernel: HostSpec["kernel"];
}

const VERSIONS: Readonly<Record<string, GuestSpec["vmmVersion"]>> = {
  q72: "7.2",
  q10: "10.0",
  q11: "11.1",
};

/** Names of files say QEMU-MODE[-DETAILS]-WORKLOAD: q10-kvm-nvme-boot-smp2.jsonl. */
const NAME = /^(q72|q10|q11)-([^.]+)\.jsonl$/;

function fileName(path: string): string {
  return path.split(/[\\/]/).at(-1)!;
}

/** True if a file's name is that of a VMM's recording. */
export function isVmmRecording(path: string): boolean {
  return NAME.test(fileName(path));
}

/** KVM's routes with its own IOAPIC and PICs; without them there are only an IOAPIC's pins. */
const LEGACY_ROUTES = 38;
/** Addresses of local APICs, and the bit that makes of them an index of the remapping table. */
const APIC_ADDRESSES = 0xfee;
const MSI_REMAPPABLE = 1 << 4;
const MSI_REDIRECTION_HINT = 1 << 3;

/** Words of a mode in which the guest has a vIOMMU; which messages remap the lines show as well. */
const REMAPPING_MODES = ["guestIR", "multimsi"];

/** What name and lines say of the VMM. */
export function recordedVmm(path: string, lines: readonly RecordedLine[]): RecordedVmm {
  const [, qemu, rest] = NAME.exec(fileName(path)) ?? [];
  if (qemu === undefined) throw new UsageError("not a VMM's recording", { place: { file: path } });
  const words = rest!.split("-");
  const hasKvm = !words.includes("tcg");
  const isRemapped = REMAPPING_MODES.some((mode) => words.includes(mode));
  return {
    version: VERSIONS[qemu]!,
    path: hasKvm && hasBypass(words, lines) ? "irqfd" : "userspace",
    irqchip: !hasKvm ? "none" : isRemapped || isSplit(words, lines) ? "split" : "full",
    isRemapped: isRemapped || lines.some(isRemappable),
    kernel: hasOldKernel(words, lines) ? "linux-6.1" : "linux-6.12",
  };
}

/**
 * Without it QEMU reads all eventfds: no device interrupts through an irqfd. Those on GSI 0 are no
 * sign of it, as a batch enable makes them of entries that were never used.
 */
function hasBypass(words: readonly string[], lines: readonly RecordedLine[]): boolean {
  if (words.includes("nobypass")) return false;
  return lines.some(({ op, resample, gsi }) => {
    return op === "kvm_irqfd" && (resample !== undefined || numberOf(gsi) !== 0);
  });
}

function isSplit(words: readonly string[], lines: readonly RecordedLine[]): boolean {
  const routing = lines.find(({ op }) => op === "kvm_routing");
  if (routing === undefined) return words.includes("kvmsplit");
  return numberOf(routing.nr) < LEGACY_ROUTES;
}

/** Linux 6.1 has no dynamic MSI-X, which GET_IRQ_INFO tells those who ask. */
function hasOldKernel(words: readonly string[], lines: readonly RecordedLine[]): boolean {
  const info = lines.find(({ op, index }) => op === "get_irq_info" && index === "MSIX");
  if (info === undefined || info.ret !== 0) return words.includes("l1k61");
  return (numberOf(info.iflags) & VFIO_IRQ_INFO_NORESIZE) !== 0;
}

/**
 * True if the guest wrote a message's address in the remappable format (VT-d, 5.1.2.2), or if a pin
 * of the IOAPIC sends one with a redirection hint, which no entry of its own has.
 */
function isRemappable({ op, val, set }: RecordedLine): boolean {
  if (op === "kvm_routing") {
    const routes = (set ?? []) as readonly [number, string, string][];
    return routes.some(([, address]) => (Number(address) & MSI_REDIRECTION_HINT) !== 0);
  }
  if (op !== "g_tblw" && op !== "g_cfgw") return false;
  const address = numberOf(val);
  return address >>> 20 === APIC_ADDRESSES && (address & MSI_REMAPPABLE) !== 0;
}

/** The host kernel that the name of a recording says. */
export function recordedKernel(path: string): HostSpec["kernel"] {
  return recordedVmm(path, []).kernel;
}

/** Words of a table entry. */
const TABLE_FIELDS: readonly unknown[] = ["addr_lo", "addr_hi", "data", "ctrl"];

/**
 * The lines of a recording. Throws UsageError for one that is no JSON object with `op`, is about a
 * device that the VMM never opens, or is a write of the guest that none can make.
 */
export function parseVmmRecording(text: string, file: string): RecordedLine[] {
  const lines = text.split("\n").flatMap((line, at) => {
    const place = { file, line: at + 1 };
    return line === "" ? [] : [{ place, line: parseLine(line, place) }];
  });
  const opens = lines.filter(({ line }) => line.op === "get_device_fd");
  const opened = new Set(opens.map(({ line }) => line.dev));
  for (const { place, line } of lines) {
    if (line.dev !== undefined && !opened.has(line.dev)) {
      const hint = `get_device_fd opens ${[...opened].join(" ") || "none"}`;
      throw new UsageError(`no device ${line.dev}`, { place, hint });
    }
    const wrong = wrongWrite(line);
    if (wrong !== null) throw new UsageError(wrong, { place, hint: "see the README beside it" });
  }
  return lines.map(({ line }) => line);
}

/** What is wrong with a guest's write; null for one that can be, and for other lines. */
function wrongWrite(line: RecordedLine): string | null {
  const isIn = (field: string, most: number): boolean => {
    const value = numberOf(line[field] ?? Number.NaN);
    return Number.isInteger(value) && value >= 0 && value <= most;
  };
  const isSize = (value: unknown): boolean => value === 1 || value === 2 || value === 4;
  if (line.op === "g_cfgw") {
    if (!isIn("off", 0xfff)) return `off ${line.off} is not in configuration space`;
    if (!isSize(line.len)) return `len ${line.len} is not 1, 2 or 4`;
  } else if (line.op === "g_tblw") {
    if (!isIn("vector", 2047)) return `vector ${line.vector} is not one of 0 to 2047`;
    if (!TABLE_FIELDS.includes(line.field)) return `field ${line.field} is no word of an entry`;
    if (!isSize(line.size ?? 4)) return `size ${line.size} is not 1, 2 or 4`;
  } else return null;
  return isIn("val", 0xffffffff) ? null : `val ${line.val} is no number of 32 bits`;
}

function parseLine(line: string, place: InputPlace): RecordedLine {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new UsageError("not JSON", { place, hint: "the recording may be cut off" });
  }
  const found = parsed as Partial<RecordedLine> | null;
  if (typeof found?.op !== "string" || typeof found.i !== "number") {
    throw new UsageError("a line without `op` and `i`", { place });
  }
  return found as RecordedLine;
}

/** Of a trace line: its event's name, or "". */
export function traceEvent(line: RecordedLine): string {
  return line.op === "q" ? String(line.ev) : "";
}

/** A number that may be written in hexadecimal. */
export function numberOf(value: unknown): number {
  return Number(value ?? 0);
}
