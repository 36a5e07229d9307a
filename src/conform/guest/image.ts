/** The functions of a recording as its guest saw them: what reads gave and which bits stuck. */
import type { BarSpec } from "../../pci/config-space.ts";
import { type CapabilitySpec, PciFunction } from "../../pci/function.ts";
import type { DeviceSpec } from "../../scenario/types.ts";
import {
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_COMMAND,
  PCI_COMMAND_MASTER,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_QMASK,
  PCI_STD_NUM_BARS,
} from "../../uapi/pci-regs.ts";
import { recordedDevice } from "../vmm/recorded-function.ts";
import type { RecordedLine } from "../vmm/recording.ts";
import { type ConfigWrite, type InterruptCaps, type RecordedWrite, writeOf } from "./writes.ts";

/** A driver that is modelled, or none. */
export type DriverKind = "nvme" | "nic" | null;

const ALL_ONES = 0xffffffff;
const IO_BYTES = 0x20;
const MEMORY_BYTES = 0x4000;
/** The register of nvme by which its controller says that it is ready. */
const NVME_REG_CSTS = 0x1c;
const CLASSES: Readonly<Record<string, number>> = { nvme: 0x010802, nic: 0x020000 };
/** SATA in AHCI mode: of the classes that firmware drives. */
const FIRMWARE_DRIVEN = 0x010601;
const OTHER = 0x020000;
const DEFAULT_VCPUS = 2;

export class FunctionImage {
  readonly spec: DeviceSpec;
  readonly driver: DriverKind;
  readonly caps: InterruptCaps;
  readonly fn: PciFunction;
  readonly #resetCommand: number;
  readonly #table: { readonly bar: number; readonly offset: number } | null;

  /** `guestWrites` tells the guest's writes from the VMM's own. */
  constructor(
    lines: readonly RecordedLine[],
    guestWrites: ReadonlySet<RecordedLine>,
    name: string,
  ) {
    const own = lines.filter((line) => line.dev === name && line.op === "g_cfgw");
    const byGuest = own.filter((line) => guestWrites.has(line)).flatMap(configWrites);
    const byVmm = own.filter((line) => !guestWrites.has(line)).flatMap(configWrites);
    const spec = recordedDevice(lines, name);
    this.driver = driverOf(name);
    this.spec = { ...spec, model: this.driver ?? "e1000e" };
    const { msi, msix, express } = spec.recorded!;
    // What QEMU leaves of the command register when it resets a device.
    this.#resetCommand = byVmm.find(({ offset }) => offset === PCI_COMMAND)?.value ?? 0x100;
    this.#table = msix?.table ?? null;
    const bars = barsOf(byGuest, msix?.table.bar ?? null);
    const capabilities: CapabilitySpec[] = [];
    if (msix !== null) capabilities.push({ kind: "msix", ...msix });
    if (msi !== null) {
      capabilities.push({ kind: "msi", ...msi, vectors: offered(byGuest, msi.offset) });
    }
    if (express !== null) {
      const { offset, flr } = express;
      capabilities.push({ kind: "pcie", offset, version: 1, flr, rootComplexIntegrated: false });
    }
    this.caps = {
      msi: msi && {
        offset: msi.offset,
        bytes: 10 + (msi.a64 ? 4 : 0) + (msi.perVectorMask ? 10 : 0),
      },
      msix,
    };
    this.fn = new PciFunction({
      name,
      vendorId: 0x8086,
      deviceId: 0x10c9,
      classCode:
        CLASSES[this.driver ?? ""] ?? (isFirmwareDriven(byGuest) ? FIRMWARE_DRIVEN : OTHER),
      interruptPin: 1,
      bars,
      capabilities,
      command: this.#resetCommand,
    });
  }

  reset(): void {
    this.fn.reset();
    this.fn.configWrite(PCI_COMMAND, 2, this.#resetCommand);
  }

  configRead(offset: number, size: number): number {
    return this.fn.configRead(offset, size) >>> 0;
  }

  /** The table's words, and of registers only that a controller is ready. */
  mmioRead(_bar: number, offset: number): number {
    return offset === NVME_REG_CSTS ? 1 : 0;
  }

  /** Entry and word that an access reaches; null outside of the table. */
  tableWord(bar: number, offset: number): { vector: number; field: number } | null {
    const table = this.#table;
    if (table === null || bar !== table.bar) return null;
    const at = offset - table.offset;
    if (at < 0 || at >= 16 * this.spec.msixVectors) return null;
    return { vector: at >> 4, field: at & 12 };
  }

  /** Takes over what somebody wrote. */
  apply(write: RecordedWrite | ConfigWrite): void {
    if (write.kind === "config") this.fn.configWrite(write.offset, write.size, write.value);
  }
}

function configWrites(line: RecordedLine): ConfigWrite[] {
  const write = writeOf(line);
  return write?.kind === "config" ? [write] : [];
}

/** Names of devices are those of the recorder: n64 and n3 are nvme with so many vectors. */
function driverOf(name: string): DriverKind {
  if (/^(n\d+|nvme)/.test(name)) return "nvme";
  return name.startsWith("igb") ? "nic" : null;
}

/** Firmware makes those that it drives bus masters, long before the kernel tries DisINTx. */
function isFirmwareDriven(writes: readonly ConfigWrite[]): boolean {
  const commands = writes.filter(({ offset }) => offset === PCI_COMMAND);
  const first = commands.slice(0, 3).map(({ value }) => value & PCI_COMMAND_MASTER);
  return first[0] === 0 && first[2] === PCI_COMMAND_MASTER;
}

/** Multiple Message Capable, as every write of the control register has it. */
function offered(writes: readonly ConfigWrite[], cap: number): number {
  const flags = writes.find(({ offset, size }) => offset === cap + PCI_MSI_FLAGS && size === 2);
  return 1 << (((flags?.value ?? 0) & PCI_MSI_FLAGS_QMASK) >> 1);
}

/** What is written back after sizing has the type; what is written later, an address. */
function barsOf(writes: readonly ConfigWrite[], tableBar: number | null): BarSpec[] {
  const bars: BarSpec[] = [];
  for (let index = 0; index < PCI_STD_NUM_BARS; index++) {
    const at = PCI_BASE_ADDRESS_0 + 4 * index;
    const values = writes.filter(({ offset }) => offset === at).map(({ value }) => value);
    const type = values[values.indexOf(ALL_ONES) + 1] ?? 0;
    const isAssigned = values.some((value) => value !== ALL_ONES && value >>> 4 !== 0);
    if (!isAssigned && index !== tableBar) continue;
    const isIo = (type & PCI_BASE_ADDRESS_SPACE_IO) !== 0;
    const isWide = !isIo && (type & PCI_BASE_ADDRESS_MEM_TYPE_64) !== 0;
    bars.push({
      index,
      kind: isIo ? "io" : isWide ? "mem64" : "mem32",
      size: isIo ? IO_BYTES : MEMORY_BYTES,
      prefetchable: !isIo && (type & PCI_BASE_ADDRESS_MEM_PREFETCH) !== 0,
    });
    if (isWide) index++;
  }
  return bars;
}

/** As the file's name says, or, where it does not, the recorder's two: more if more are seen. */
export function vcpusOf(file: string, lines: readonly RecordedLine[]): number {
  const found = /smp(\d+)/.exec(file);
  if (found !== null) return Number(found[1]);
  const threads = lines.map(({ thr }) => /^cpu(\d+)$/.exec(thr ?? "")?.[1]);
  return Math.max(DEFAULT_VCPUS, ...new Set(threads.map((cpu) => Number(cpu ?? 0) + 1)));
}
