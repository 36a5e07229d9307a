/** Which of many timers are due: a tournament over their times, asked in order of their numbers. */

/** Timers are numbered from 0; the time of one that waits for nothing is Infinity. */
export class DueTimes {
  /** Leaves; a power of two. */
  #room = 1;
  /** Node i has the earlier of its children 2 i and 2 i + 1; the leaves begin at `#room`. */
  #nodes = new Float64Array(2).fill(Number.POSITIVE_INFINITY);
  #size = 0;

  /** A new timer, that waits for nothing; its number. */
  add(): number {
    if (this.#size === this.#room) this.#grow();
    return this.#size++;
  }

  get earliest(): number {
    return this.#nodes[1]!;
  }

  set(timer: number, at: number): void {
    const nodes = this.#nodes;
    let node = this.#room + timer;
    nodes[node] = at;
    while (node > 1) {
      const earlier = Math.min(nodes[node]!, nodes[node ^ 1]!);
      node >>>= 1;
      if (nodes[node] === earlier) return;
      nodes[node] = earlier;
    }
  }

  /** The first timer from number `from` on that is due by `now`, or -1. */
  nextDue(from: number, now: number): number {
    const nodes = this.#nodes;
    if (from >= this.#size || nodes[1]! > now) return -1;
    let node = this.#room + from;
    while (nodes[node]! > now) {
      // On to the next subtree to the right; a node whose bits are all ones is the last of its row.
      while ((node & 1) === 1) node >>>= 1;
      if (node === 0) return -1;
      node++;
    }
    while (node < this.#room) {
      node *= 2;
      if (nodes[node]! > now) node++;
    }
    return node - this.#room;
  }

  #grow(): void {
    const times = this.#nodes.subarray(this.#room);
    this.#room *= 2;
    this.#nodes = new Float64Array(2 * this.#room).fill(Number.POSITIVE_INFINITY);
    for (const [timer, at] of times.entries()) this.set(timer, at);
  }
}
