/** Numbers the tokens of each row as they arrive, so that samples find their time stamps. */

/*
 * The host numbers the tokens of a row in the order in which they leave it (host/device/meter.ts).
 * On this side a token arrives either in an eventfd that the VMM reads, or as a request bit that an
 * irqfd set and a vCPU takes. What the VMM has read may wait (masked, or in its own interrupt
 * controller) and later ones merge with it: the head of the row is the number of the oldest. If a
 * row's tokens overtake each other on the two ways, a sample may get its neighbour's stamps; no
 * count depends on it.
 */

const NONE = -1;

export class TokenSequence {
  readonly #next: Float64Array;
  readonly #head: Float64Array;
  /** The head has been requested at the virtual APIC by the VMM. */
  readonly #requested: Uint8Array;
  /** Tokens that merged with the one in the local APIC. */
  readonly #merged: Float64Array;

  constructor(rows: number) {
    this.#next = new Float64Array(rows);
    this.#head = new Float64Array(rows).fill(NONE);
    this.#requested = new Uint8Array(rows);
    this.#merged = new Float64Array(rows);
  }

  /** The VMM read `n` tokens from an eventfd. */
  read(row: number, n: number): void {
    if (this.#head[row] === NONE) this.#head[row] = this.#next[row]!;
    this.#next[row]! += n;
  }

  /** `n` tokens of the row ended unread in an eventfd. */
  skip(row: number, n: number): void {
    this.#next[row]! += n;
  }

  /** The VMM requested its token at the APIC; `fresh` is false if the bit was set already. */
  requested(row: number, fresh: boolean): void {
    if (fresh) this.#requested[row] = 1;
    else if (this.#requested[row] === 0) this.#head[row] = NONE;
  }

  /** The VMM's token of the row is gone. */
  dropped(row: number): void {
    if (this.#requested[row] === 0) this.#head[row] = NONE;
  }

  /** A token from an irqfd found its vector waiting in the local APIC. */
  merged(row: number): void {
    this.#merged[row]!++;
  }

  /** The number after the last token that has arrived; up to it `taken` took all. Hot path. */
  end(row: number): number {
    return this.#next[row]!;
  }

  /** The number that `taken` will give. Hot path. */
  upcoming(row: number): number {
    return this.#requested[row] === 0 ? this.#next[row]! : this.#head[row]!;
  }

  /** A vCPU takes a request that stands for `n` tokens: the number of the oldest. Hot path. */
  taken(row: number, n: number): number {
    const sequence = this.#next[row]!;
    const merged = this.#merged[row]!;
    this.#merged[row] = 0;
    if (this.#requested[row] === 0) {
      this.#next[row] = sequence + n + merged;
      return sequence;
    }
    this.#next[row] = sequence + merged;
    const head = this.#head[row]!;
    this.#head[row] = NONE;
    this.#requested[row] = 0;
    return head;
  }
}
