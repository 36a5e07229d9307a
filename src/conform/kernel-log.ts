/** The kernel's messages about interrupts (`klog`): collected from the host, picked from a log. */
import type { TracePoint } from "../trace/points.ts";
import type { Tracer } from "../trace/trace.ts";

/** Messages of interrupt domains and vfio-pci; a log holds those of clocks and firmware too. */
const SUBSYSTEM = /^(DMAR-IR|AMD-Vi|vfio-pci |Interrupt reservation |WARNING: )/;
/** An address, hashed: it names an eventfd, and differs from boot to boot. */
const TOKEN = /\((token|eventfd) \S+\)/;
/** Where in a file and a function a warning came from, and who was running. */
const WARNING = /^(WARNING: \S+?)(?::\d+)? at (\w+).*$/;

/** The messages of `log` that a host can be compared in. */
export function comparableMessages(log: readonly unknown[]): string[] {
  return log.flatMap((message) => {
    const text = String(message);
    return SUBSYSTEM.test(text) ? [text.replace(TOKEN, "($1)").replace(WARNING, "$1 at $2")] : [];
  });
}

/** Collects what the host prints. */
export class KernelLog implements Tracer {
  #lines: string[] = [];

  emit(point: TracePoint, args: Readonly<Record<string, string | number>> = {}): void {
    if (point === "printk") this.#lines.push(String(args.text));
  }

  /** What was printed since the last call. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}
