/** How many interrupt tokens of a level-triggered line are on their way to the guest's handler. */

/*
 * An edge is one token for each request bit, but a level may request again what the guest has seen
 * already (a wire still high at EOI), and two of its tokens may meet in one request. So whoever
 * requests a level interrupt adds its token here first, and the handler takes all there are: none,
 * and the request only repeated an old one.
 */

export class LevelTokens {
  readonly #counts: Int32Array;

  /** One count a ledger row, in `4 * rows` bytes at `offset`. */
  constructor(memory: SharedArrayBuffer, offset: number, rows: number) {
    this.#counts = new Int32Array(memory, offset, rows);
  }

  static bytes(rows: number): number {
    return rows * 4;
  }

  /** One more token; call before the request that brings it. */
  add(row: number): void {
    Atomics.add(this.#counts, row, 1);
  }

  /** Takes all tokens of `row`; how many there were (a guest that scribbles may read nonsense). */
  take(row: number): number {
    return Atomics.exchange(this.#counts, row, 0);
  }
}
