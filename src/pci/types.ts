/** How a PCI function hands its interrupts to the bus, and tells what became of the others. */

/** Kinds of interrupt a function can raise. */
export type PciIrqKind = "intx" | "msi" | "msix";

/** The bus above a function. Called synchronously from `raise` and from register writes. */
export interface InterruptSink {
  /** An MSI or MSI-X message of `vector` leaves the function (enabled, unmasked, bus master on). */
  message(kind: "msi" | "msix", vector: number): void;
  /** The INTx wire as the bus sees it, after DisINTx, changed. */
  wire(asserted: boolean): void;
  /** An interrupt ended inside the function. */
  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void;
}

export type FunctionFate =
  /** The pending bit was already set. */
  | "coalesced-pba"
  /** The device already asserted INTx. */
  | "coalesced-line"
  /** MSI or MSI-X is off and the function has no pin to fall back to. */
  | "dropped-disabled"
  /** Bus mastering is off: the message cannot be written. */
  | "dropped-bus-master"
  /** The device took it back: INTx de-asserted before anybody took it, or a reset. */
  | "dropped-withdrawn";

/** What a capability needs of its function: the way out for messages, and for the rest. */
export interface MessageBus {
  /** A message goes out, if the function may write to memory. */
  send(kind: "msi" | "msix", vector: number): void;
  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void;
}
