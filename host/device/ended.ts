/** From what a function says of an interrupt that ended inside it to the device's ledger. */
import type { FunctionFate, PciIrqKind } from "../../src/pci/types.ts";
import type { DeviceMeter } from "./meter.ts";

/** Counts what `InterruptSink.ended` reports; for whoever is the function's sink. Hot path. */
export function endedToMeter(
  meter: DeviceMeter | null,
  kind: PciIrqKind,
  vector: number,
  how: FunctionFate,
): void {
  if (meter === null) return;
  const row = meter.row(kind, vector);
  if (how === "coalesced-pba" || how === "coalesced-line") meter.merged(row, how);
  else meter.dropped(row, how);
}
