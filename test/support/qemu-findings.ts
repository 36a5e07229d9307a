/**
 * SET_IRQS calls as the findings of the recordings' README predict them, in their own terms: which
 * calls a building block is made of, and nothing of how QEMU comes to make them.
 */

export interface FindingsOptions {
  readonly version: "7.2" | "10.0" | "11.1";
  /** The kernel's MSI-X has the NORESIZE flag. */
  readonly noresize: boolean;
  /** Interrupts go through irqfds. */
  readonly kvm: boolean;
  readonly vectors: number;
}

/** u is read by QEMU, k is bound to KVM; null: not made yet. */
interface VectorFds {
  readonly u: string;
  k: string | null;
}

const ET = "EVENTFD|TRIGGER";

export class Findings {
  /** Calls so far; eventfds have names of their own. */
  readonly calls: string[] = [];
  readonly #options: FindingsOptions;
  readonly #masked: boolean[];
  readonly #used = new Map<number, VectorFds>();
  #mode: "intx" | "msix" | "msi" | null = null;
  #functionMask = false;
  /** Vectors the kernel has been asked for, where they cannot be added. */
  #n = 0;
  #eventfds = 0;

  constructor(options: FindingsOptions) {
    this.#options = options;
    this.#masked = new Array<boolean>(options.vectors).fill(true);
    this.#intxOn();
  }

  get mode(): string | null {
    return this.#mode;
  }

  get #isStatic(): boolean {
    return this.#options.version === "7.2" || this.#options.noresize;
  }

  #eventfd(): string {
    return `f${this.#eventfds++}`;
  }

  #call(index: string, start: number, count: number, flags: string, fds?: readonly string[]): void {
    const list = fds === undefined ? "" : ` [${fds.join(" ")}]`;
    this.calls.push(`${index} ${start} ${count} ${flags}${list}`);
  }

  #intxOn(): void {
    this.#mode = "intx";
    this.#call("INTX", 0, 1, ET, [this.#eventfd()]);
    if (this.#options.kvm) this.#intxKvmOn();
  }

  #intxKvmOn(): void {
    this.#call("INTX", 0, 1, "NONE|MASK");
    this.#call("INTX", 0, 1, "EVENTFD|UNMASK", [this.#eventfd()]);
    this.#call("INTX", 0, 1, "NONE|UNMASK");
  }

  #intxKvmOff(): void {
    this.#call("INTX", 0, 1, "NONE|MASK");
    this.#call("INTX", 0, 1, "NONE|UNMASK");
  }

  #intxOff(): void {
    if (this.#mode !== "intx") return;
    if (this.#options.kvm) this.#intxKvmOff();
    this.#call("INTX", 0, 0, "NONE|TRIGGER");
    this.#mode = null;
  }

  /** The interrupt pin was led elsewhere. */
  reroute(): void {
    if (this.#mode !== "intx" || !this.#options.kvm) return;
    this.#intxKvmOff();
    this.#intxKvmOn();
  }

  #live(v: number): boolean {
    return !this.#functionMask && !this.#masked[v];
  }

  #fdsOf(v: number): VectorFds {
    let fds = this.#used.get(v);
    if (fds === undefined) {
      fds = { u: this.#eventfd(), k: null };
      this.#used.set(v, fds);
    }
    if (this.#options.kvm) fds.k ??= this.#eventfd();
    return fds;
  }

  /** -1 = never used, u = masked, k = live. */
  #all(): string[] {
    return Array.from({ length: this.#n }, (_, v) => {
      const fds = this.#used.get(v);
      if (fds === undefined) return "-1";
      return this.#live(v) ? (fds.k ?? fds.u) : fds.u;
    });
  }

  msixOn(functionMask: boolean): void {
    if (this.#mode === "msi") this.msiOff();
    this.#intxOff();
    this.#mode = "msix";
    this.#functionMask = functionMask;
    const { version, noresize, vectors } = this.#options;
    this.#n = 0;
    for (let v = 0; v < vectors; v++) {
      if (!this.#live(v)) continue;
      this.#fdsOf(v);
      this.#n = v + 1;
    }
    const hasLive = this.#n > 0;
    if (version === "7.2" && !hasLive) {
      this.#used.set(0, { u: this.#eventfd(), k: null });
      this.#n = 1;
      this.#call("MSIX", 0, 0, "NONE|TRIGGER");
      this.#call("MSIX", 0, 1, ET, [this.#used.get(0)!.u]);
      return;
    }
    if (version !== "7.2" && (!noresize || !hasLive)) this.#call("MSIX", 0, 1, ET, ["-1"]);
    if (hasLive) this.#call("MSIX", 0, this.#n, ET, this.#all());
  }

  #unmasked(v: number): void {
    const fds = this.#fdsOf(v);
    if (this.#isStatic && v >= this.#n) {
      this.#n = v + 1;
      this.#call("MSIX", 0, 0, "NONE|TRIGGER");
      this.#call("MSIX", 0, this.#n, ET, this.#all());
      return;
    }
    this.#n = Math.max(this.#n, v + 1);
    this.#call("MSIX", v, 1, ET, [fds.k ?? fds.u]);
  }

  #toQemu(v: number): void {
    const fds = this.#used.get(v);
    if (fds?.k != null) this.#call("MSIX", v, 1, ET, [fds.u]);
  }

  /** A write of an entry's mask bit. */
  mask(v: number, masked: boolean): void {
    const before = this.#mode === "msix" && this.#live(v);
    this.#masked[v] = masked;
    const now = this.#mode === "msix" && this.#live(v);
    if (now && !before) this.#unmasked(v);
    else if (before && !now) this.#toQemu(v);
  }

  /** A write of the function mask while MSI-X is on. */
  functionMask(masked: boolean): void {
    if (this.#functionMask === masked) return;
    this.#functionMask = masked;
    for (const [v, entryMasked] of this.#masked.entries()) {
      if (entryMasked) continue;
      if (masked) this.#toQemu(v);
      else this.#unmasked(v);
    }
  }

  msixOff(): void {
    for (const v of [...this.#used.keys()].sort((a, b) => a - b)) this.#toQemu(v);
    this.#call("MSIX", 0, 0, "NONE|TRIGGER");
    this.#used.clear();
    this.#intxOn();
  }

  msiOn(log2: number): void {
    this.#intxOff();
    this.#mode = "msi";
    const fds = Array.from({ length: 2 ** log2 }, () => this.#eventfd());
    this.#call("MSI", 0, fds.length, ET, fds);
  }

  msiOff(): void {
    this.#call("MSI", 0, 0, "NONE|TRIGGER");
    this.#intxOn();
  }

  #allOff(): void {
    if (this.#mode === "msix") {
      for (const v of this.#masked.keys()) if (this.#live(v)) this.#toQemu(v);
      this.msixOff();
    } else if (this.#mode === "msi") this.msiOff();
    this.#intxOff();
  }

  reset(): void {
    this.#allOff();
    this.calls.push("reset");
    this.#masked.fill(true);
    this.#functionMask = false;
    this.#intxOn();
  }

  unplug(): void {
    this.#call("REQ", 0, 1, ET, ["-1"]);
    this.#call("ERR", 0, 1, ET, ["-1"]);
    this.#allOff();
  }
}
