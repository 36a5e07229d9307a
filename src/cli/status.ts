/** The live line on a terminal's stderr: elapsed time, guests, interrupts a second. */
import { formatNs, formatRate } from "../base/units.ts";
import type { Progress } from "../run/result.ts";
import type { Io } from "./io.ts";

const ERASE_LINE = "\r\u001b[K";
const LINE_WIDTH = 79;

export class StatusLine {
  readonly #io: Io;
  #shown = false;
  #lastNs = 0;
  #lastInterrupts = 0;
  #rate = 0;
  #prefix = "";

  constructor(io: Io) {
    this.#io = io;
  }

  /** Another run begins; `prefix` goes before what is shown of it. */
  begin(prefix: string): void {
    this.#prefix = prefix;
    this.#lastNs = 0;
    this.#lastInterrupts = 0;
    this.#rate = 0;
  }

  /** Shows how far a run is; nothing unless stderr is a terminal. */
  show(progress: Progress): void {
    if (!this.#io.errIsTty) return;
    const passedNs = progress.elapsedNs - this.#lastNs;
    if (passedNs > 0) {
      this.#rate = ((progress.interrupts - this.#lastInterrupts) / passedNs) * 1e9;
      this.#lastNs = progress.elapsedNs;
      this.#lastInterrupts = progress.interrupts;
    }
    this.note(this.#prefix + statusText(progress, this.#rate));
  }

  note(text: string): void {
    this.#io.err(ERASE_LINE + text.slice(0, LINE_WIDTH));
    this.#shown = true;
  }

  clear(): void {
    if (this.#shown) this.#io.err(ERASE_LINE);
    this.#shown = false;
  }
}

/** `1.20 s of 2.50 s, 48%, 20.0k/s interrupts, g1 running, g2 booting`. */
export function statusText(progress: Progress, perSecond: number): string {
  const { elapsedNs, durationNs, guests } = progress;
  const share = durationNs > 0 ? Math.min(100, Math.floor((100 * elapsedNs) / durationNs)) : 100;
  const states = new Map<string, number>();
  for (const { state } of guests) states.set(state, (states.get(state) ?? 0) + 1);
  const who =
    guests.length <= 3
      ? guests.map(({ name, state }) => `${name} ${state}`)
      : [...states].map(([state, n]) => `${n} ${state}`);
  const time = `${formatNs(elapsedNs)} of ${formatNs(durationNs)}, ${share}%`;
  // The virtual engine counts interrupts only at the end.
  const rate = progress.interrupts > 0 ? [`${formatRate(perSecond)} interrupts`] : [];
  return [time, ...rate, ...who].join(", ");
}
