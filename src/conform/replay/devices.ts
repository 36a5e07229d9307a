/** The devices of an ioctl log: as described, or the smallest that the recorded answers allow. */
import { EINVAL } from "../../base/errno.ts";
import { UsageError } from "../../base/errors.ts";
import { DEVICE_MODELS } from "../../scenario/models.ts";
import { didYouMean } from "../../scenario/suggest.ts";
import type { DeviceSpec, RecordedFunction } from "../../scenario/types.ts";
import { PCI_MSIX_ENTRY_SIZE } from "../../uapi/pci-regs.ts";
import {
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
} from "../../uapi/vfio.ts";
import type { DescribedDevice, IoctlLog, LogEntry, RecordedRet } from "./log.ts";

const MSIX_MAX = 2048;
const MSI_MAX = 32;
/** Devices on one host: as many as there are slots on eight buses. */
const DEVICES_MAX = 256;
const PAGE = 0x1000;
/** Places of capabilities in a function that nobody described: they do not overlap. */
const MSI_AT = 0x50;
const MSIX_AT = 0x70;
const EXPRESS_AT = 0x80;

/** A device of the log on the modelled host. */
export interface ReplayedDevice {
  /** As the log names it. */
  readonly name: string;
  readonly spec: DeviceSpec;
  /** What it is, for people. */
  readonly about: string;
  /** Nobody described it. */
  readonly isDeduced: boolean;
}

/** What a function has to be able to do. */
interface Shape {
  msix: number;
  msi: number;
  intx: boolean;
  express: boolean;
  reset: boolean;
}

/** All devices that the log names, in their order. Throws UsageError for a bad description. */
export function devicesOf(log: IoctlLog, flags: readonly DescribedDevice[]): ReplayedDevice[] {
  const described = new Map<string, DescribedDevice>();
  for (const device of [...log.header.devices, ...flags]) described.set(device.name, device);
  const names = new Set(described.keys());
  for (const entry of log.entries) if ("device" in entry) names.add(entry.device);
  if (names.size > DEVICES_MAX) {
    throw new UsageError(`${names.size} devices, at most ${DEVICES_MAX}`, {
      place: { file: log.file },
      hint: "replay the devices in several parts",
    });
  }
  return [...names].map((name, at) => {
    const entries = log.entries.filter((entry) => "device" in entry && entry.device === name);
    const known = described.get(name);
    const id = `d${at}`;
    if (known?.model != null) return ofModel(id, known);
    return ofShape(id, name, shapeOf(entries, known), known === undefined);
  });
}

function ofModel(id: string, described: DescribedDevice): ReplayedDevice {
  const { name, model, msixVectors, msiVectors, intx } = described;
  const known = DEVICE_MODELS[model as DeviceSpec["model"]];
  const { place } = described;
  const fail = (message: string, hint = "leave it out"): never => {
    throw new UsageError(`device ${name}: ${message}`, { place, hint });
  };
  if (!Object.hasOwn(DEVICE_MODELS, model!)) {
    return fail(`there is no model ${model}`, didYouMean(model!, Object.keys(DEVICE_MODELS)));
  }
  for (const [kind, own, asked] of [
    ["MSI-X", known.msixVectors, msixVectors],
    ["MSI", known.msiVectors, msiVectors],
  ] as const) {
    const isFixed = !known.resizable || own === 0;
    if (asked === null || asked === own || (!isFixed && asked > 0)) continue;
    fail(`${model} has ${own} ${kind} vectors, not ${asked}`, "leave the number or the model out");
  }
  if (intx !== null && intx !== known.intx) {
    fail(`${model} has ${known.intx ? "an" : "no"} INTx`, "leave intx or the model out");
  }
  const spec = {
    name: id,
    model: model as DeviceSpec["model"],
    msixVectors: msixVectors ?? known.msixVectors,
    msiVectors: msiVectors ?? known.msiVectors,
  };
  if (spec.msiVectors > 0 && (spec.msiVectors & (spec.msiVectors - 1)) !== 0) {
    fail(`MSI of ${spec.msiVectors} vectors`, "a function has 1, 2, 4, 8, 16 or 32 MSI vectors");
  }
  const shape = { msix: spec.msixVectors, msi: spec.msiVectors, intx: known.intx };
  return { name, spec, about: `${model}, ${shapeText(shape)}`, isDeduced: false };
}

/** The kernel compared the range with the number of interrupts, and did not refuse. */
function passedRange(ret: RecordedRet): boolean {
  return ret !== -EINVAL;
}

/** The smallest function on which no recorded answer is impossible; a description comes first. */
function shapeOf(entries: readonly LogEntry[], described: DescribedDevice | undefined): Shape {
  const counts = new Map<number, number>();
  let reset = false;
  for (const entry of entries) {
    if (entry.op === "set_irqs" && passedRange(entry.ret)) {
      // start has to be an interrupt of the device even where count is 0.
      const least = entry.start + Math.max(1, entry.count);
      counts.set(entry.index, Math.max(counts.get(entry.index) ?? 0, least));
    }
    if (entry.op === "reset" && passedRange(entry.ret)) reset = true;
  }
  for (const entry of entries) {
    if (entry.op === "get_irq_info" && entry.count !== null && (entry.ret ?? 0) >= 0) {
      counts.set(entry.index, entry.count);
    }
  }
  const count = (index: number): number => counts.get(index) ?? 0;
  const msi = Math.min(MSI_MAX, count(VFIO_PCI_MSI_IRQ_INDEX));
  return {
    msix: described?.msixVectors ?? Math.min(MSIX_MAX, count(VFIO_PCI_MSIX_IRQ_INDEX)),
    msi: powerOfTwo(described?.msiVectors ?? msi),
    intx: described?.intx ?? count(VFIO_PCI_INTX_IRQ_INDEX) > 0,
    express: count(VFIO_PCI_ERR_IRQ_INDEX) > 0,
    reset,
  };
}

function powerOfTwo(count: number): number {
  return count === 0 ? 0 : 2 ** Math.ceil(Math.log2(count));
}

function ofShape(id: string, name: string, shape: Shape, isDeduced: boolean): ReplayedDevice {
  const { msix, msi, intx, express, reset } = shape;
  const pba = Math.ceil((msix * PCI_MSIX_ENTRY_SIZE) / PAGE) * PAGE;
  const size = Math.max(4 * PAGE, 2 ** Math.ceil(Math.log2(pba + 2 * PAGE)));
  const recorded: RecordedFunction = {
    interruptPin: intx ? 1 : 0,
    bars: [{ index: 0, size }],
    msi: msi === 0 ? null : { offset: MSI_AT, vectors: msi, a64: true, perVectorMask: false },
    msix:
      msix === 0
        ? null
        : {
            offset: MSIX_AT,
            vectors: msix,
            table: { bar: 0, offset: 0 },
            pba: { bar: 0, offset: pba },
          },
    express: express ? { offset: EXPRESS_AT, flr: reset } : null,
    pm: null,
    busReset: reset,
    intxRegister: { bar: 0, offset: size - 4 },
  };
  const spec: DeviceSpec = {
    name: id,
    model: "nvme",
    msixVectors: msix,
    msiVectors: msi,
    recorded,
  };
  const about = `${shapeText(shape)}${express ? ", ERR" : ""}${reset ? ", reset" : ""}`;
  return { name, spec, about, isDeduced };
}

function shapeText({ msix, msi, intx }: Pick<Shape, "msix" | "msi" | "intx">): string {
  const parts = [
    msix > 0 ? `${msix} MSI-X` : "",
    msi > 0 ? `${msi} MSI` : "",
    intx ? "INTx" : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "no interrupts" : parts.join(", ");
}

/** True if an answer of GET_IRQ_INFO says that MSI-X cannot grow: Linux before 6.5. */
export function isStatic(log: IoctlLog): boolean | null {
  for (const entry of log.entries) {
    if (entry.op !== "get_irq_info" || entry.index !== VFIO_PCI_MSIX_IRQ_INDEX) continue;
    if (entry.iflags !== null) return (entry.iflags & VFIO_IRQ_INFO_NORESIZE) !== 0;
  }
  return null;
}
