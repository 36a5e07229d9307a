/** An interrupt sink that writes down, in words, what a function tells it. */
import type { FunctionFate, InterruptSink, PciIrqKind } from "../../../../src/pci/types.ts";

export class RecordingSink implements InterruptSink {
  #log: string[] = [];

  message(kind: "msi" | "msix", vector: number): void {
    this.#log.push(`${kind} ${vector}`);
  }

  wire(asserted: boolean): void {
    this.#log.push(asserted ? "wire high" : "wire low");
  }

  ended(kind: PciIrqKind, vector: number, how: FunctionFate): void {
    this.#log.push(`${kind} ${vector} ${how}`);
  }

  /** What happened since the last call. */
  take(): string[] {
    return this.#log.splice(0);
  }
}
