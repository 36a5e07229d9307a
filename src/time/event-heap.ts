/** A binary heap of timed events; equal times run by tie-break, then first in, first out. */

export interface TimedEvent {
  readonly at: number;
  readonly tie: number;
  readonly sequence: number;
  readonly run: () => void;
  cancelled: boolean;
}

function before(a: TimedEvent, b: TimedEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.tie !== b.tie) return a.tie < b.tie;
  return a.sequence < b.sequence;
}

export class EventHeap {
  #heap: TimedEvent[] = [];

  get size(): number {
    return this.#heap.length;
  }

  peek(): TimedEvent | undefined {
    return this.#heap[0];
  }

  push(event: TimedEvent): void {
    const heap = this.#heap;
    let hole = heap.length;
    heap.push(event);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[hole] = heap[parent]!;
      hole = parent;
    }
    heap[hole] = event;
  }

  pop(): TimedEvent | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = last;
    return top;
  }
}
