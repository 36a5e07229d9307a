/** Named counts of what a VMM did, for the report; slow path only. */

export class Counters {
  readonly #counts: Record<string, number> = {};

  add(name: string, n = 1): void {
    this.#counts[name] = (this.#counts[name] ?? 0) + n;
  }

  get(name: string): number {
    return this.#counts[name] ?? 0;
  }

  all(): Readonly<Record<string, number>> {
    return this.#counts;
  }
}
