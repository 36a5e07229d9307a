/** What guest and host did to a VMM, in words. */
import { EMPTY_ROW, type LayerRow } from "../layers.ts";
import { beginsReset } from "./calls.ts";
import { numberOf, type RecordedLine } from "./recording.ts";

/** Configuration space registers that everybody knows by name. */
const REGISTERS: Readonly<Record<number, string>> = {
  4: "command",
  16: "BAR 0",
  20: "BAR 1",
  24: "BAR 2",
  28: "BAR 3",
  32: "BAR 4",
  36: "BAR 5",
  48: "expansion ROM",
  60: "interrupt line",
};

/** The row of one line; `isNamed` where there are several devices. */
export function guestRow(line: RecordedLine, timeNs: number | null, isNamed: boolean): LayerRow {
  const device = isNamed && line.dev !== undefined ? line.dev : "";
  const prefix = device === "" ? "" : `${device} `;
  const base = { ...EMPTY_ROW, line: line.i, timeNs, guest: prefix + inputText(line) };
  if (line.op !== "g_tblw") return base;
  const { vector, field, val } = line;
  const write = { device, vector: numberOf(vector), field: String(field), value: String(val) };
  return { ...base, write };
}

function inputText(line: RecordedLine): string {
  switch (line.op) {
    case "g_cfgw":
      return configText(line);
    case "g_tblw":
      return `entry ${line.vector} ${line.field} = ${line.val}`;
    case "get_device_fd":
      return "device is plugged in";
    case "set_irqs":
      return "device is ejected";
    case "evread":
      return "(host wants the device back)";
    case "kvm_routing":
      return "IOAPIC is written";
    default:
      return beginsReset(line) === null ? eventText(line) : "(system reset)";
  }
}

function configText(line: RecordedLine): string {
  const control = line.msix_ctrl as { enable?: number; fmask?: number } | null | undefined;
  if (typeof control === "object" && control !== null) {
    const mask = control.fmask === 1 ? ", all masked" : "";
    return `MSI-X ${control.enable === 1 ? "on" : "off"}${mask} (${line.val})`;
  }
  const register = REGISTERS[numberOf(line.off)] ?? `config ${line.off}`;
  return `${register} = ${line.val}`;
}

function eventText({ ev, args }: RecordedLine): string {
  if (ev === "vfio_intx_update") return `INTx: ${String(args).trim()}`;
  return ev === "vfio_intx_interrupt" ? "(device asserts INTx)" : "INTx: end of interrupt";
}
