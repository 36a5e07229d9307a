/** What the recorder prints of the interrupt pool: `pool`, `irte`, LPIs. */
import type { HostMachine, PoolInspection, TableInspection } from "../run/contract.ts";
import type { RecordedMachine } from "./recorded-machine.ts";
import { msiChip } from "./recorded-x86.ts";
import type { PoolUse } from "./vmm/calls.ts";

/** What the pool lends now. */
export function poolUseOf(host: HostMachine): PoolUse {
  const { irqs, tables, matrix } = host.inspectPool();
  const irtes = tables.reduce((sum, { used }) => sum + used, 0);
  return { irqs, irtes, vectors: matrix?.totalAllocated ?? 0 };
}

type View = Record<string, unknown>;

/** With more irqs than these the recorder only counted them. */
const CHIPS_NAMED_MAX = 9000;
const FREE_RANGES_SHOWN = 40;
const ALIGNED_BLOCKS = [2, 4, 8, 16, 32];

type Matrix = NonNullable<PoolInspection["matrix"]>;

export class PoolView {
  readonly #host: HostMachine;
  readonly #machine: RecordedMachine;
  /** The matrix when its events were counted last. */
  #since: Matrix | null;

  constructor(host: HostMachine, machine: RecordedMachine) {
    this.#host = host;
    this.#machine = machine;
    this.#since = host.inspectPool().matrix;
  }

  /** A script begins: events are counted from here on. */
  begin(): void {
    this.#since = this.#host.inspectPool().matrix;
  }

  /** LPIs beyond the ports': a GICv2m has none. */
  lpis(): number {
    const { platform, boot } = this.#machine.host;
    if (platform !== "arm64-its") return 0;
    return this.#host.inspectPool().tables[0]!.used - boot!.irtes;
  }

  pool(): View {
    const { irqs, lines, matrix } = this.#host.inspectPool();
    const requested = { msix: 0, msi: 0, intx: 0 };
    const held: Record<string, number> = {};
    for (const { name } of this.#machine.devices) {
      const { kind, armed, intx, held: indexes } = this.#host.inspect(name);
      if (indexes.length > 0) held[name] = indexes.length;
      if (kind !== null) requested[kind] += armed.length;
      if (intx) requested.intx++;
    }
    const { boot } = this.#machine.host;
    if (matrix === null) {
      const irqdescs = boot!.irqs + irqs;
      return { lpis: this.lpis(), held, heldtotal: irqs, irqdescs, requested };
    }
    return { matrix: this.#matrix(matrix), ...this.#descriptors(irqs, lines), requested };
  }

  irte(): View {
    const [table] = this.#host.inspectPool().tables;
    return table === undefined ? {} : { irte: irteView(table) };
  }

  #matrix(now: Matrix): View {
    const since = this.#since!;
    this.#since = now;
    return {
      global_avail: now.globalAvailable,
      global_rsvd: now.globalReserved,
      total_alloc: now.totalAllocated,
      alloc: now.alloc - since.alloc,
      reserve: now.reserve - since.reserve,
      unreserve: now.unreserve - since.unreserve,
      free: now.free - since.free,
      alloc_fail: now.allocFail - since.allocFail,
    };
  }

  /** Irq descriptors, and by which chip. */
  #descriptors(irqs: number, lines: number): View {
    const { bootChips = {}, host, devices } = this.#machine;
    const opened = lines - host.boot!.lines.length;
    const booted = Object.values(bootChips).reduce((sum, count) => sum + count, 0);
    const irqdescs = booted + opened + irqs;
    if (irqdescs > CHIPS_NAMED_MAX) return { irqdescs, chips: {} };
    const chips = { ...bootChips };
    const add = (chip: string, count: number): void => {
      chips[chip] = (chips[chip] ?? 0) + count;
    };
    add(host.platform === "x86-flat" ? "IO-APIC" : "IR-IO-APIC", opened);
    for (const { name, place } of devices) {
      const { kind, held } = this.#host.inspect(name);
      if (kind !== null) add(msiChip(host.kernel, host.platform, kind, place!.bdf), held.length);
    }
    return { irqdescs, chips };
  }
}

/** The table's bitmap as read from the kernel's memory. */
function irteView({ size, used, free }: TableInspection): View {
  const aligned = ALIGNED_BLOCKS.map((block) => {
    const blocks = free.map(({ first, last }) =>
      Math.max(0, Math.floor((last + 1) / block) - Math.ceil(first / block)),
    );
    return [block, blocks.reduce((sum, count) => sum + count, 0)];
  });
  const shown = free.slice(0, FREE_RANGES_SHOWN);
  return {
    used,
    free: size - used,
    free_aligned: Object.fromEntries(aligned),
    free_at: shown.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(),
  };
}
