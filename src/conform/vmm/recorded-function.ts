/** The physical function of a recorded device, as far as the recording lets it be seen. */
import type { DeviceSpec, RecordedFunction } from "../../scenario/types.ts";
import {
  PCI_CAP_EXP_ENDPOINT_SIZEOF_V1,
  PCI_CAP_MSIX_SIZEOF,
  PCI_EXP_DEVCTL,
  PCI_EXP_LNKCTL,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSIX_ENTRY_SIZE,
  PCI_PM_SIZEOF,
  PCI_STD_HEADER_SIZEOF,
} from "../../uapi/pci-regs.ts";
import { retOf } from "./calls.ts";
import { numberOf, type RecordedLine, traceEvent } from "./recording.ts";

/** MSI with 64-bit address and mask bits. */
const MSI_SIZEOF_MAX = 24;
const BAR_BYTES_MIN = 0x4000;
const CONFIG_BYTES = 0x100;

/** A write of the guest to configuration space. */
interface ConfigWrite {
  readonly offset: number;
  readonly size: number;
  readonly value: number;
}

class DeviceLines {
  readonly lines: readonly RecordedLine[];
  readonly writes: readonly ConfigWrite[];

  constructor(lines: readonly RecordedLine[], device: string) {
    this.lines = lines.filter(({ dev }) => dev === device);
    this.writes = this.lines
      .filter(({ op }) => op === "g_cfgw")
      .map(({ off, len, val }) => ({
        offset: numberOf(off),
        size: numberOf(len),
        value: numberOf(val),
      }));
  }

  /** Arguments of the device's first trace event `name`, or null if there is none. */
  traced(name: string): string | null {
    const line = this.lines.find((found) => traceEvent(found) === name);
    return line === undefined ? null : String(line.args ?? "");
  }

  calls(index: string): readonly RecordedLine[] {
    return this.lines.filter((line) => line.op === "set_irqs" && line.index === index);
  }

  written(offset: number, size: number): boolean {
    return this.writes.some((write) => write.offset === offset && write.size === size);
  }

  info(index: string): RecordedLine | undefined {
    return this.lines.find((line) => line.op === "get_irq_info" && line.index === index);
  }
}

/** vfio_msix_early_setup tells all but the pending bits, which follow the table here. */
function msixOf(lines: DeviceLines): RecordedFunction["msix"] {
  const args = lines.traced("vfio_msix_early_setup") ?? "";
  const found = /CAP @(0x\w+), BAR (\d), offset (0x\w+), entries (\d+)/.exec(args);
  if (found === null) return null;
  const [offset, bar, at, vectors] = found.slice(1).map(Number) as [number, number, number, number];
  const pba = at + roundUp(vectors * PCI_MSIX_ENTRY_SIZE, 0x1000);
  return { offset, vectors, table: { bar, offset: at }, pba: { bar, offset: pba } };
}

/** Linux writes the upper address and masks only where there are such registers. */
function msiOf(lines: DeviceLines): RecordedFunction["msi"] {
  const args = lines.traced("vfio_msi_setup");
  const found = /CAP @(0x\w+)/.exec(args ?? "");
  if (found === null) return null;
  const offset = Number(found[1]);
  const a64 = !lines.written(offset + PCI_MSI_DATA_32, 2);
  const data = offset + (a64 ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
  const enabled = lines.writes
    .filter((write) => write.offset === offset + PCI_MSI_FLAGS && write.size === 2)
    .map(({ value }) => 1 << ((value >> 4) & 7));
  const requested = lines.calls("MSI").map(({ count }) => numberOf(count));
  const vectors = roundToPowerOfTwo(Math.max(1, ...enabled, ...requested));
  return { offset, vectors, a64, perVectorMask: lines.written(data + 4, 4) };
}

/** A place for a capability that nobody says where it is. */
function freePlace(taken: readonly (readonly [number, number])[], size: number): number {
  let at = PCI_STD_HEADER_SIZEOF;
  for (const [start, length] of [...taken].sort(([a], [b]) => a - b)) {
    if (at + size > start && at < start + length) at = roundUp(start + length, 4);
  }
  return at;
}

/** Linux writes Device Control and Link Control of each PCI Express function when it boots. */
function expressPlace(lines: DeviceLines): number | null {
  for (const { offset, size } of lines.writes) {
    const at = offset - PCI_EXP_DEVCTL;
    if (size !== 2 || at < PCI_STD_HEADER_SIZEOF || offset >= CONFIG_BYTES) continue;
    if (lines.written(at + PCI_EXP_LNKCTL, 2)) return at;
  }
  return null;
}

/** A region with room for the table and a register of the recorder's own. */
function barsOf(msix: RecordedFunction["msix"]): RecordedFunction["bars"] {
  const used = msix === null ? 0 : msix.pba.offset + roundUp(msix.vectors, 64) / 8;
  const size = Math.max(BAR_BYTES_MIN, roundToPowerOfTwo(used + 8));
  const indexes = new Set([0, msix?.table.bar ?? 0]);
  return [...indexes].map((index) => ({ index, size }));
}

function isEvent(name: string): (line: RecordedLine) => boolean {
  return (line) => traceEvent(line) === name;
}

/** What the bus does where somebody has asked; QEMU does where it has nothing better. */
function hotResetOf({ lines }: DeviceLines): Pick<RecordedFunction, "hotReset" | "busFunctions"> {
  const hasBus = lines.some(({ op, ret }) => op === "hot_reset_info" && ret === 0);
  if (!hasBus) return {};
  const reset = lines.find(({ op }) => op === "hot_reset");
  const first = lines.findIndex(isEvent("vfio_pci_hot_reset_has_dep_devices"));
  const rest = lines.slice(first + 1);
  const end = rest.findIndex((line) => !isEvent("vfio_pci_hot_reset_dep_devices")(line));
  const busFunctions = Math.max(1, end < 0 ? rest.length : end);
  return { hotReset: reset === undefined ? 0 : retOf(reset), busFunctions };
}

/** The device `name` of a recording. */
export function recordedDevice(all: readonly RecordedLine[], name: string): DeviceSpec {
  const lines = new DeviceLines(all, name);
  const msix = msixOf(lines);
  const msi = msiOf(lines);
  const flr = lines.traced("vfio_check_pcie_flr") !== null;
  const pmReset = lines.traced("vfio_check_pm_reset") !== null;
  const taken: [number, number][] = [];
  if (msix !== null) taken.push([msix.offset, PCI_CAP_MSIX_SIZEOF]);
  if (msi !== null) taken.push([msi.offset, MSI_SIZEOF_MAX]);
  // Only a PCI Express function has an ERR interrupt.
  const isExpress = lines.info("ERR")?.ret === 0;
  const size = PCI_CAP_EXP_ENDPOINT_SIZEOF_V1;
  const at = isExpress ? (expressPlace(lines) ?? freePlace(taken, size)) : 0;
  if (isExpress) taken.push([at, size]);
  const bars = barsOf(msix);
  const info = lines.lines.find(({ op }) => op === "get_info");
  return {
    name,
    model: "nvme",
    msixVectors: msix?.vectors ?? 0,
    msiVectors: msi?.vectors ?? 0,
    recorded: {
      interruptPin: lines.calls("INTX").length > 0 ? 1 : 0,
      bars,
      msi,
      msix,
      express: isExpress ? { offset: at, flr } : null,
      pm: pmReset ? freePlace(taken, PCI_PM_SIZEOF) : null,
      busReset: (numberOf(info?.dflags) & 1) !== 0,
      ...hotResetOf(lines),
      intxRegister: { bar: 0, offset: bars[0]!.size - 4 },
    },
  };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function roundToPowerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}
