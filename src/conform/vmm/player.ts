/** Plays the inputs of a recording: what guest and host did, but nothing that the VMM did. */
import { beginsReset, guestWrites, IOAPIC_PINS } from "./calls.ts";
import type { ReplayMachine } from "./machine.ts";
import { numberOf, type RecordedLine, traceEvent } from "./recording.ts";

/** Offsets in a table entry, as the recordings name its words. */
const TABLE_FIELDS: Readonly<Record<string, number>> = {
  addr_lo: 0,
  addr_hi: 4,
  data: 8,
  ctrl: 12,
};
/**
 * Before the recorder's own register there is one that nobody has: any access of a BAR ends an INTx
 * in a VMM without irqfds.
 */
const NOBODYS_REGISTER = -4;
/** Vector, delivery mode and trigger mode are the same bits in a message and in a pin's entry. */
const MSI_DATA_OF_PIN = 0x87ff;
const DEVICE_ADD = /^QMP device_add\b/;
const MSI_LOGICAL = 1 << 2;
const IOAPIC_LOGICAL = 1 << 11;
const IOAPIC_MASKED = 1 << 16;

export class Player {
  readonly #machine: ReplayMachine;
  readonly #fromGuest: ReadonlySet<RecordedLine>;
  readonly #reqFds: ReadonlyMap<string, string>;
  readonly #isSplit: boolean;
  /** Devices that the VMM has. */
  readonly #present = new Set<string>();
  /** Devices that were taken away from vfio-pci. */
  readonly #unbound = new Set<string>();
  /** Devices whose part of the system reset under way has not come yet. */
  readonly #toReset = new Set<string>();
  /** Hot-plugged: their first reset belongs to that. */
  readonly #plugged = new Set<string>();
  #isOn = false;

  /** `isSplit`: writes of the IOAPIC are to be found in the routes (see `#ioapicWrite`). */
  constructor(machine: ReplayMachine, lines: readonly RecordedLine[], isSplit: boolean) {
    this.#machine = machine;
    this.#fromGuest = guestWrites(lines);
    this.#reqFds = requestEventfds(lines);
    this.#isSplit = isSplit;
  }

  /** Plays one line; true if it was an input. */
  play(line: RecordedLine): boolean {
    const machine = this.#machine;
    if (machine.aborted !== null) return false;
    machine.tap.line = line.i;
    if (this.#reset(line)) return true;
    // A machine that has none of the devices at power-on is on before the first is plugged in.
    if (!this.#isOn && line.op === "note" && DEVICE_ADD.test(String(line.text))) this.#resetAll();
    const device = line.dev;
    if (device !== undefined) return this.#ofDevice(line, device);
    if (line.op === "evread") return this.#unbind(line);
    return line.op === "kvm_routing" && this.#ioapicWrite(line);
  }

  #ofDevice(line: RecordedLine, device: string): boolean {
    switch (line.op) {
      case "get_device_fd":
        return line.ret === 0 && this.#plug(device);
      case "g_cfgw":
      case "g_tblw":
        return this.#fromGuest.has(line) && this.#write(line, device);
      case "set_irqs": {
        const isLeaving = line.index === "REQ" && String(line.fds) === "-1";
        return isLeaving && this.#eject(device);
      }
      default:
        return this.#intx(line, device);
    }
  }

  /** System reset, or power-on: told by one event for all, or by each device's own first one. */
  #reset(line: RecordedLine): boolean {
    const begins = beginsReset(line);
    if (begins === null) return false;
    if (begins === "one") {
      const isReset = traceEvent(line) === "vfio_pci_reset";
      if (isReset && this.#plugged.delete(line.dev!)) return false;
      const isPart = this.#toReset.has(line.dev!);
      if (!isPart) this.#resetAll();
      if (isReset) this.#toReset.delete(line.dev!);
      return !isPart;
    }
    this.#resetAll();
    return true;
  }

  #resetAll(): void {
    const { vmm } = this.#machine;
    for (const device of this.#present) this.#toReset.add(device);
    const present = [...this.#present].map((device) => this.#machine.function(device));
    this.#machine.run(this.#isOn ? vmm.systemReset() : vmm.realize(present));
    this.#isOn = true;
  }

  #eject(device: string): boolean {
    this.#present.delete(device);
    this.#machine.run(this.#machine.vmm.eject(this.#machine.function(device)));
    return true;
  }

  /** Devices that are there before the first reset are realized with it. */
  #plug(device: string): boolean {
    this.#present.add(device);
    if (this.#unbound.delete(device)) this.#machine.host.bind(device);
    if (!this.#isOn) return false;
    this.#plugged.add(device);
    this.#machine.run(this.#machine.vmm.plug(this.#machine.function(device)));
    return true;
  }

  #write(line: RecordedLine, device: string): boolean {
    const { vmm } = this.#machine;
    const fn = this.#machine.function(device);
    const value = numberOf(line.val);
    if (line.op === "g_cfgw") {
      this.#machine.run(vmm.configWrite(fn, numberOf(line.off), numberOf(line.len), value));
      return true;
    }
    this.#machine.tap.tableWrite(device);
    const { table } = fn.spec.recorded!.msix!;
    const at = table.offset + 16 * numberOf(line.vector) + TABLE_FIELDS[String(line.field)]!;
    this.#machine.run(vmm.mmioWrite(fn, table.bar, at, numberOf(line.size ?? 4), value));
    return true;
  }

  #intx(line: RecordedLine, device: string): boolean {
    const machine = this.#machine;
    const fn = machine.function(device);
    const { bar, offset } = fn.spec.recorded!.intxRegister;
    switch (traceEvent(line)) {
      case "vfio_intx_update":
        machine.run(machine.vmm.routeIntx(fn, Number(String(line.args).split("->")[1])));
        return true;
      case "vfio_intx_interrupt":
        // The driver takes it back while it is masked, long before the VMM sees the end of it.
        for (const level of [1, 0]) {
          machine.tap.writeBar(device, bar, offset, level);
          machine.settle();
        }
        return true;
      case "vfio_intx_eoi":
        machine.run(machine.vmm.mmioWrite(fn, bar, offset + NOBODYS_REGISTER, 4, 0));
        return true;
      default:
        return false;
    }
  }

  /** The VMM read a device's REQ eventfd: somebody on the host takes the device away. */
  #unbind(line: RecordedLine): boolean {
    const device = this.#reqFds.get(String(line.fd));
    if (device === undefined || this.#unbound.has(device)) return false;
    this.#unbound.add(device);
    this.#machine.host.unbind(device);
    this.#machine.settle();
    return true;
  }

  /**
   * Writes of the IOAPIC are not recorded. Where it is the VMM's, each of them commits all routes:
   * one of a pin that changes tells of it, or routes that go while none is new, as none but a
   * masked pin's write makes them.
   */
  #ioapicWrite(line: RecordedLine): boolean {
    const set = (line.set ?? []) as readonly [number, string, string][];
    if (!this.#isSplit || !this.#isOn) return false;
    if (set.some(([gsi]) => gsi >= IOAPIC_PINS)) return false;
    const { vmm } = this.#machine;
    if (set.length === 0) this.#machine.run(vmm.ioapicWrite(0, IOAPIC_MASKED, 0));
    for (const [pin, address, data] of set) {
      const logical = (Number(address) & MSI_LOGICAL) === 0 ? 0 : IOAPIC_LOGICAL;
      const low = (Number(data) & MSI_DATA_OF_PIN) | logical;
      const high = ((Number(address) >>> 12) & 0xff) << 24;
      this.#machine.run(vmm.ioapicWrite(pin, low, high));
    }
    return true;
  }
}

/** Devices by the eventfd that their REQ interrupt signals. */
function requestEventfds(lines: readonly RecordedLine[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { op, index, fds, dev } of lines) {
    if (op !== "set_irqs" || index !== "REQ" || dev === undefined) continue;
    const [fd] = (fds ?? []) as unknown[];
    if (fd !== undefined && fd !== -1) found.set(String(fd), dev);
  }
  return found;
}
