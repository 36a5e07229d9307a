/** Why an interrupt could not be had: which table, how full, who holds most and lets it idle. */
import type { Tracer } from "../../src/trace/trace.ts";
import type { AllocationFailures } from "./failures.ts";

/** Who holds entries or vectors: a function, an IO-APIC pin, or the machine itself. */
export interface Holder {
  /** A device's bdf, `IO-APIC pin 21`, `boot`. */
  readonly name: string;
  /** The VM process that has it, if one has. */
  readonly owner?: string | undefined;
  /** Irqs of it that have a handler; what it holds beyond them is idle. */
  armed(): number;
}

/** What the machine's own devices hold since boot: never idle, as far as anybody knows. */
export const BOOT_HOLDER: Holder = { name: "boot", armed: () => Number.POSITIVE_INFINITY };

/** The table of a Shortage of vectors. */
export const CPU_VECTORS = "CPU vectors";

/** One attempt that failed for want of entries or vectors. */
export interface Shortage {
  /** `IR0`, a device's own table, `CPU vectors`. */
  readonly table: string;
  readonly size: number;
  readonly used: number;
  /** Entries in a row that were asked for. */
  readonly asked: number;
  /** The longest aligned power of two of entries that is free: less than `asked`. */
  readonly largest: number;
  readonly for: string;
  readonly most: Holder;
  /** Entries of `most`. */
  readonly mostEntries: number;
  /** The process whose devices together have more than that, if there is one. */
  readonly mostOwner?: OwnerShare | undefined;
}

/** What the devices of one process have together. */
export interface OwnerShare {
  readonly name: string;
  readonly entries: number;
}

/** Whose devices together have most, where that is more than `mostEntries` of a single holder. */
export function mostByOwner(
  holdings: Iterable<readonly [Holder, number]>,
  mostEntries: number,
): OwnerShare | undefined {
  const sums = new Map<string, number>();
  let most: OwnerShare | undefined;
  for (const [{ owner }, entries] of holdings) {
    if (owner === undefined) continue;
    const sum = (sums.get(owner) ?? 0) + entries;
    sums.set(owner, sum);
    if (sum > (most?.entries ?? mostEntries)) most = { name: owner, entries: sum };
  }
  return most;
}

/** Trace points of failures. */
export type ShortagePoint =
  | "irte_alloc_failed"
  | "irq_vector_alloc_failed"
  | "its_lpi_alloc_short"
  | "its_alloc_device_irq_failed"
  | "v2m_alloc_failed";

/** Tells each failure as it happens, and keeps the last one of each device for its short grant. */
export class Shortages {
  readonly #tracer: Tracer;
  readonly #last = new Map<string, Shortage>();
  /** Counts failures, once the pool is there that knows who idles. */
  failures: AllocationFailures | null = null;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  note(point: ShortagePoint, shortage: Shortage): void {
    this.because(shortage);
    this.#tracer.emit(point, shortageArgs(shortage));
  }

  /** An older shortage, told when it happened, is the reason for what fails now. */
  because(shortage: Shortage): void {
    this.#last.set(shortage.for, shortage);
    this.failures?.happens(shortage);
  }

  /** A driver's request is over: if it got less than it asked for, says why. */
  settle(holder: Holder, grant: Grant): void {
    const { device, kind, asked, got } = grant;
    const cause = this.#last.get(holder.name);
    if (cause === undefined) return;
    this.#last.delete(holder.name);
    if (got === asked) {
      this.failures?.forget(cause.for);
      return;
    }
    this.failures?.record(grant, cause);
    const short = { device, kind, vectors: asked, got };
    this.#tracer.emit("irq_grant_short", { ...short, ...shortageArgs(cause) });
  }
}

/** What a driver asked for, and what came of it: as many, fewer, or a negative errno. */
export interface Grant {
  /** The scenario's name of the device. */
  readonly device: string;
  readonly kind: "msi" | "msix" | "intx";
  readonly asked: number;
  readonly got: number;
}

function shortageArgs(shortage: Shortage): Record<string, string | number> {
  const { table, size, used, asked, largest, most, mostEntries } = shortage;
  const mostIdle = Math.max(0, mostEntries - most.armed());
  return {
    table,
    size,
    used,
    asked,
    largest,
    for: shortage.for,
    most: most.name,
    mostEntries,
    mostIdle,
  };
}
