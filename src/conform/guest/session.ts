/** A recording as a guest lives through it: what happens, and what it writes until the next. */
import { beginsReset, guestWrites } from "../vmm/calls.ts";
import { type RecordedLine, traceEvent } from "../vmm/recording.ts";
import { type GuestAction, type Note, NoteReader } from "./notes.ts";
import { type RecordedWrite, writeOf } from "./writes.ts";

/** From one input to the next. */
export interface Segment {
  readonly line: number;
  /** The note's text, or "reset". */
  readonly text: string;
  /** Null for power-on and resets of the machine. */
  readonly note: Note | null;
  /** By device, in order. */
  readonly writes: ReadonlyMap<string, readonly RecordedWrite[]>;
  /** Somebody cut off what the guest did: it may have wanted to write more. */
  readonly isCut: boolean;
}

interface OpenSegment {
  readonly line: number;
  readonly text: string;
  readonly note: Note | null;
  readonly writes: Map<string, RecordedWrite[]>;
  isCompleted: boolean;
}

const ENDINGS: ReadonlySet<GuestAction["do"]> = new Set([
  "reboot",
  "power-off",
  "power-button",
  "kexec",
  "suspend",
  "unplug",
]);

export class Sessions {
  readonly #reader = new NoteReader();
  readonly #fromGuest: ReadonlySet<RecordedLine>;
  readonly #closed: Segment[] = [];
  #open: OpenSegment | null = null;
  /** Plugged in since the last input: their first reset belongs to that. */
  readonly #plugged = new Set<string>();

  private constructor(lines: readonly RecordedLine[]) {
    this.#fromGuest = guestWrites(lines);
    for (const line of lines) this.#take(line);
    this.#close(true);
  }

  static of(lines: readonly RecordedLine[]): readonly Segment[] {
    return new Sessions(lines).#closed;
  }

  #take(line: RecordedLine): void {
    if (line.op === "note") {
      this.#note(line);
      return;
    }
    if (line.op === "get_device_fd" && line.dev !== undefined && this.#open !== null) {
      this.#plugged.add(line.dev);
    }
    if (this.#isReset(line)) {
      const isGoingOn = this.#open?.note === null && this.#open.writes.size === 0;
      if (!isGoingOn) this.#begin(line, "reset", null);
      return;
    }
    if (!this.#fromGuest.has(line) || line.dev === undefined) return;
    this.#plugged.delete(line.dev);
    const write = writeOf(line);
    if (write !== null && this.#open !== null) {
      const { writes } = this.#open;
      const list = writes.get(line.dev);
      if (list === undefined) writes.set(line.dev, [write]);
      else list.push(write);
    }
  }

  #isReset(line: RecordedLine): boolean {
    if (beginsReset(line) === null) return false;
    return traceEvent(line) === "vfio_reset_handler" || !this.#plugged.delete(line.dev ?? "");
  }

  #note(line: RecordedLine): void {
    const text = String(line.text);
    const note = this.#reader.read(text);
    if (note.completes && this.#open !== null) this.#open.isCompleted = true;
    if (note.begins) this.#begin(line, text, note);
  }

  #begin(line: RecordedLine, text: string, note: Note | null): void {
    this.#close(note === null || note.cuts);
    this.#open = { line: line.i, text, note, writes: new Map(), isCompleted: false };
  }

  #close(isCut: boolean): void {
    if (this.#open === null) return;
    const { isCompleted, ...segment } = this.#open;
    const actions = segment.note?.actions ?? [];
    // What the guest ends itself it has done to the end.
    const isEnding = actions.some((action) => ENDINGS.has(action.do));
    this.#closed.push({ ...segment, isCut: isCut && !isCompleted && !isEnding });
    this.#open = null;
  }
}
