/**
 * What a receiver has to make of ring slots, from their headers alone: a second, naive reading of
 * src/wire/channel.ts, so that every slot can be accounted for.
 */
import { MESSAGE_BYTES_MAX } from "../../src/wire/messages.ts";

const MORE = 1 << 30;

export class SlotModel {
  readonly #room: number;
  #length = 0;
  #skipping = false;
  /** Messages that came to an end and so have to be answered or counted. */
  whole = 0;
  /** Slots that have to be counted: lengths that lie, messages that are too long. */
  badLengths = 0;
  tooLong = 0;

  constructor(slotBytes: number) {
    this.#room = slotBytes - 4;
  }

  /** Everything that has to be answered or counted so far. */
  get owed(): number {
    return this.whole + this.badLengths + this.tooLong;
  }

  /** The next slot's header word. */
  take(header: number): void {
    const length = header & (MORE - 1);
    const more = (header & MORE) !== 0;
    if (header < 0 || length > this.#room) {
      this.#length = 0;
      this.badLengths++;
    } else if (this.#skipping) {
      this.#skipping = more;
    } else if (this.#length + length > MESSAGE_BYTES_MAX) {
      this.#length = 0;
      this.#skipping = more;
      this.tooLong++;
    } else if (more) {
      this.#length += length;
    } else {
      this.#length = 0;
      this.whole++;
    }
  }
}
