/** How much of the pool is held over time: present, peak and a bounded series of changes. */
import type { PoolReport, SharedEntries } from "../../src/run/contract.ts";
import type { Clock } from "../../src/time/clock.ts";
import { OccupancySeries } from "./occupancy.ts";

export const SAMPLES_MAX = 4096;

/** As PoolSample, but mutable: many changes of one instant are one sample. */
interface Sample {
  at: number;
  irqs: number;
  irtes: number;
  vectors: number;
}

/** What all functions share and can run out of: remapping entries, LPIs, SPIs. */
export interface SharedTable {
  readonly used: number;
  readonly size: number;
  /** Entries that are not in use and will come back by themselves, though not yet. */
  readonly kept?: number;
  /** Default: IRTEs. */
  readonly entries?: SharedEntries;
}

/** CPU vectors in use, as a matrix counts them. */
export interface VectorUse {
  readonly totalAllocated: number;
  readonly size: number;
}

export class PoolSamples {
  /** Irqs that functions hold (MSI and MSI-X). The domain counts them here. */
  irqs = 0;
  readonly #clock: Clock;
  readonly #matrix: VectorUse;
  readonly #table: SharedTable | null;
  readonly #irtesBoot: number;
  readonly #vectorsBoot: number;
  readonly #samplesMax: number;
  #samples: Sample[] = [];
  /** The series keeps every `#stride`th change; doubled each time the series is full. */
  #stride = 1;
  #sinceKept = 0;
  #irqsPeak = 0;
  #irtesPeak = 0;
  #vectorsPeak = 0;
  readonly #occupancy: OccupancySeries;
  /** What was in use when `changed` was called last. */
  #irqsThen = 0;
  #irtesThen: number;

  /** What is in use when this is made is the machine's own. */
  constructor(clock: Clock, matrix: VectorUse, table: SharedTable | null, max = SAMPLES_MAX) {
    this.#clock = clock;
    this.#matrix = matrix;
    this.#table = table;
    this.#samplesMax = max;
    this.#irtesBoot = table?.used ?? 0;
    this.#vectorsBoot = matrix.totalAllocated;
    this.#irtesPeak = this.#irtesBoot;
    this.#vectorsPeak = this.#vectorsBoot;
    this.#samples.push(this.#present());
    this.#occupancy = new OccupancySeries(clock);
    this.#irtesThen = this.#irtesBoot;
  }

  /** `who` took something or gave it back: the difference since the last call is theirs. */
  changed(who: string): void {
    const irtes = this.#table?.used ?? 0;
    this.#occupancy.change(who, this.irqs - this.#irqsThen, irtes - this.#irtesThen);
    this.#irqsThen = this.irqs;
    this.#irtesThen = irtes;
    const vectors = this.#matrix.totalAllocated;
    if (this.irqs > this.#irqsPeak) this.#irqsPeak = this.irqs;
    if (irtes > this.#irtesPeak) this.#irtesPeak = irtes;
    if (vectors > this.#vectorsPeak) this.#vectorsPeak = vectors;
    const last = this.#samples[this.#samples.length - 1]!;
    if (last.at === this.#clock.now()) {
      last.irqs = this.irqs;
      last.irtes = irtes;
      last.vectors = vectors;
      return;
    }
    if (++this.#sinceKept < this.#stride) return;
    this.#sinceKept = 0;
    this.#samples.push(this.#present());
    if (this.#samples.length >= this.#samplesMax) this.#thin();
  }

  report(): PoolReport {
    const present = this.#present();
    return {
      irqsHeld: this.irqs,
      irqsPeak: this.#irqsPeak,
      irtesUsed: present.irtes,
      irtesBoot: this.#irtesBoot,
      irtesPeak: this.#irtesPeak,
      irtesSize: this.#table?.size ?? 0,
      ...(this.#table?.kept === undefined ? {} : { irtesKept: this.#table.kept }),
      ...(this.#table?.entries === undefined ? {} : { entries: this.#table.entries }),
      vectorsUsed: present.vectors,
      vectorsBoot: this.#vectorsBoot,
      vectorsPeak: this.#vectorsPeak,
      vectorsSize: this.#matrix.size,
      occupancy: this.#occupancy.report(),
      samples: [...this.#samples.map((sample) => ({ ...sample })), present],
    };
  }

  #present(): Sample {
    return {
      at: this.#clock.now(),
      irqs: this.irqs,
      irtes: this.#table?.used ?? 0,
      vectors: this.#matrix.totalAllocated,
    };
  }

  #thin(): void {
    this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
    this.#stride *= 2;
  }
}
