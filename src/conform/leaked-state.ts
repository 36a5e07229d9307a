/**
 * State that a recording inherited from scripts before it in the same boot, and that is therefore
 * not to be compared until the script itself has determined it: the Multiple Message Enable field
 * of devices without a reset method (x16, y16).
 */
import { PCI_CAP_ID_MSI } from "../uapi/pci-regs.ts";
import { VFIO_IRQ_SET_DATA_EVENTFD, VFIO_PCI_MSI_IRQ_INDEX } from "../uapi/vfio.ts";
import type { Observed } from "./runner.ts";
import type { ScriptLine } from "./script.ts";

/** Offset of the MSI control word of the devices concerned. */
const MSI_CONTROL: Readonly<Record<string, number>> = { x16: 0x72, y16: 0x72 };
/** Multiple Message Enable in the control word. */
const QSIZE = 0x70;

/** Errors of an enable that may come before the field is written. */
const UNWRITTEN: ReadonlySet<unknown> = new Set(["EINVAL", "ERANGE", "ENOSPC"]);

interface Known {
  /** The hardware's field was written in this script. */
  hardware: boolean;
  /** The virtual field was, or was copied from the hardware's known one at open. */
  virtual: boolean;
}

export class LeakedState {
  readonly #known = new Map<string, Known>();
  #device = "n8";

  /** The device a line is about. */
  follow(line: ScriptLine): string {
    if (line.op.verb === "select") this.#device = line.device ?? this.#device;
    return line.device ?? this.#device;
  }

  /** Takes the inherited field out of both observations of `line`, where it is not known yet. */
  forget(device: string, line: ScriptLine, observations: readonly Observed[]): Observed[] {
    const known = this.#knownOf(device);
    if (known === null) return [...observations];
    const { op } = line;
    if (op.verb === "irqs" && !known.hardware) return observations.map(withoutHardwareMme);
    if (op.verb === "pcicap") {
      if (op.hardware ? known.hardware : known.virtual) return [...observations];
      return observations.map(withoutCapabilityMme);
    }
    return [...observations];
  }

  /** Learns from a line that ran: which fields it has determined. */
  learn(device: string, line: ScriptLine, expected: Observed): void {
    const known = this.#knownOf(device);
    if (known === null) return;
    const { op } = line;
    if (op.verb === "open" && expected.ret === 0) known.virtual = known.hardware;
    if (op.verb === "cfgw" && op.offset === MSI_CONTROL[device]) {
      known.hardware = true;
      known.virtual = true;
    }
    if (op.verb !== "set" || op.index !== VFIO_PCI_MSI_IRQ_INDEX) return;
    // An enable writes the field before anything else of it can fail for want of an eventfd; but
    // not for want of a remapping entry, and ENOSPC may be either.
    const enabling = (op.flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0;
    if (enabling && !UNWRITTEN.has(expected.errno)) known.hardware = true;
  }

  #knownOf(device: string): Known | null {
    if (MSI_CONTROL[device] === undefined) return null;
    const known = this.#known.get(device) ?? { hardware: false, virtual: false };
    this.#known.set(device, known);
    return known;
  }
}

function withoutHardwareMme(observed: Observed): Observed {
  const { msi_mme: _, ...hw } = (observed.hw ?? {}) as Observed;
  return { ...observed, hw };
}

function withoutCapabilityMme(observed: Observed): Observed {
  const caps = ((observed.caps ?? []) as Observed[]).map((cap) => {
    if (cap.id !== PCI_CAP_ID_MSI) return cap;
    const { mme: _, ...rest } = cap;
    const control = Number.parseInt(String(cap.ctrl), 16) & ~QSIZE;
    return { ...rest, ctrl: control.toString(16).padStart(4, "0") };
  });
  return { ...observed, caps };
}
