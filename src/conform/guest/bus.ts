/** Where a guest's writes arrive: compared with the recorded ones, in order, device by device. */
import { type Process, until, WaitQueue } from "../../time/process.ts";
import type { Divergence } from "../compare.ts";
import type { FunctionImage } from "./image.ts";
import type { GuestBus, RecordedChoices, ReplayedGuest } from "./machine.ts";
import type { Segment } from "./session.ts";
import { Tape } from "./tape.ts";
import {
  exclusion,
  type GuestWrite,
  type RecordedWrite,
  samePlace,
  sameWrite,
  writeText,
} from "./writes.ts";

/** How far ahead a write is looked for after a difference. */
const WINDOW = 24;

/** Writes that were not compared, and why. */
export interface NotCompared {
  readonly file: string;
  /** The first of them. */
  readonly line: number;
  readonly writes: number;
  readonly why: string;
}

export class ComparingBus implements GuestBus {
  readonly choices: RecordedChoices;
  readonly isRemapped: boolean;
  readonly divergences: Divergence[] = [];
  readonly notCompared: NotCompared[] = [];
  compared = 0;
  guest: ReplayedGuest | null = null;
  readonly #file: string;
  readonly #images: ReadonlyMap<string, FunctionImage>;
  #segment: Segment | null = null;
  #tapes = new Map<string, Tape>();
  /** Devices that are in a state nobody can tell, and why; until the machine is reset. */
  readonly #lost = new Map<string, string>();
  readonly #moving = new Set<string>();
  readonly #resets = new WaitQueue("guest.reset");
  readonly #never = new WaitQueue("guest.cut off");
  /** The segment is a reset that the guest has not gone through yet. */
  #isFresh = false;
  #awaiting = 0;

  constructor(file: string, images: ReadonlyMap<string, FunctionImage>, isRemapped: boolean) {
    this.#file = file;
    this.#images = images;
    this.isRemapped = isRemapped;
    this.choices = {
      slot: (device, vector) => this.tape(device)?.slot(vector) ?? null,
      entry: (device, vector) => this.tape(device)?.entry(vector) ?? null,
      isMoveBusy: (device, vector) => this.tape(device)?.maskPurpose(vector) === "busy",
    };
  }

  /** The next input: what was not written of the last one's has been missing. */
  begin(segment: Segment): void {
    this.#segment = segment;
    this.#tapes = new Map();
    for (const [device, writes] of segment.writes) {
      const image = this.#images.get(device);
      if (image !== undefined) this.#tapes.set(device, new Tape(image, writes));
    }
    this.#isFresh = segment.note === null;
    if (!this.#isFresh) return;
    this.#lost.clear();
    this.#resets.wakeAll();
  }

  /** The device's recorded writes of this segment that are still to come. */
  tape(device: string): Tape | null {
    return this.#lost.has(device) ? null : (this.#tapes.get(device) ?? null);
  }

  /** The rest of the segment, and everything until the next reset, cannot be foretold. */
  lose(device: string, why: string): void {
    if (!this.#lost.has(device)) this.#lost.set(device, why);
  }

  /** The write that comes next is what tells which call of a driver it belongs to. */
  told(device: string): void {
    const next = this.#tapes.get(device)?.peek();
    if (next === null || next === undefined) return;
    this.#leaveOut(
      [next],
      "the first write of a call by a driver that is followed: it tells the call",
    );
    this.compared--;
  }

  end(): void {
    for (const [device, tape] of this.#tapes) {
      for (const [why, writes] of tape.excluded) this.#leaveOut(writes, why);
      const { left } = tape;
      if (left.length === 0) continue;
      const lost = this.#lost.get(device);
      if (lost !== undefined) this.#leaveOut(left, lost);
      else if (this.#segment!.note?.isKnown === false) {
        const why = `after a command that is not known: ${this.#segment!.text.slice(0, 60)}`;
        this.lose(device, why);
        this.#leaveOut(left, why);
      } else for (const write of left) this.#differ(device, write, null);
      for (const write of left) tape.image.apply(write);
    }
  }

  #leaveOut(writes: readonly RecordedWrite[], why: string): void {
    this.notCompared.push({ file: this.#file, line: writes[0]!.line, writes: writes.length, why });
  }

  /** The guest has reset its machine, and the recording has not come to that. */
  get isAwaited(): boolean {
    return this.#awaiting > 0;
  }

  /** A function at power-on: plugged in again. */
  resetFunction(device: string): void {
    this.#images.get(device)!.reset();
  }

  *systemReset(): Process {
    this.#awaiting++;
    try {
      yield* until(this.#resets, () => this.#isFresh);
    } finally {
      this.#awaiting--;
    }
    for (const image of this.#images.values()) image.reset();
  }

  configRead(device: string, offset: number, size: number): number {
    return this.#images.get(device)!.configRead(offset, size);
  }

  mmioRead(device: string, bar: number, offset: number): number {
    return this.#images.get(device)!.mmioRead(bar, offset);
  }

  *configWrite(device: string, offset: number, size: number, value: number): Process {
    const write: GuestWrite = { kind: "config", offset, size, value: value >>> 0 };
    const image = this.#images.get(device)!;
    if (exclusion(write, image.caps) === null) yield* this.#wrote(device, write);
    image.apply(write);
  }

  *mmioWrite(device: string, bar: number, offset: number, _size: number, value: number): Process {
    const word = this.#images.get(device)!.tableWord(bar, offset);
    if (word === null) return;
    yield* this.#wrote(device, { kind: "table", ...word, value: value >>> 0 });
  }

  *#wrote(device: string, write: GuestWrite): Process {
    if (this.#lost.has(device)) return;
    this.#isFresh = false;
    const tape = this.#tapes.get(device) ?? null;
    yield* this.#moves(device, tape, write);
    const next = tape?.peek() ?? null;
    if (next === null) {
      if (this.#segment!.isCut) yield* until(this.#never, () => false);
      this.#differ(device, null, write);
      return;
    }
    this.#compare(device, tape!, next, write);
  }

  /** Interrupts that the recorded guest took before it wrote this. */
  *#moves(device: string, tape: Tape | null, write: GuestWrite): Process {
    while (tape !== null) {
      const next = tape.peek();
      if (next === null || sameWrite(next, write)) return;
      if (!(yield* this.takeInterrupt(device, tape))) return;
    }
  }

  /** If the recorded guest moved an interrupt next, ours gets that interrupt. */
  *takeInterrupt(device: string, tape: Tape): Process<boolean> {
    const vector = this.#movedNext(tape);
    const guest = this.guest!;
    if (vector === null || this.#moving.has(device)) return false;
    if (!guest.isMovePending(device, vector)) return false;
    this.#moving.add(device);
    yield* guest.interrupt(device, vector);
    this.#moving.delete(device);
    return true;
  }

  #movedNext(tape: Tape): number | null {
    const next = tape.peek();
    if (tape.isMsiUpdate()) return 0;
    if (next?.kind !== "table") return null;
    const purpose = tape.maskPurpose(next.vector);
    return purpose === "move" || purpose === "busy" ? next.vector : null;
  }

  #compare(device: string, tape: Tape, next: RecordedWrite, write: GuestWrite): void {
    if (samePlace(next, write)) {
      this.compared++;
      tape.skip(1);
      if (next.value !== write.value) this.#differ(device, next, write);
      return;
    }
    for (let ahead = 1; ahead <= WINDOW; ahead++) {
      const later = tape.peek(ahead);
      if (later === null) break;
      if (!sameWrite(later, write)) continue;
      for (const missed of tape.left.slice(0, ahead)) this.#differ(device, missed, null);
      tape.skip(ahead + 1);
      this.compared++;
      return;
    }
    this.#differ(device, null, write);
  }

  #differ(device: string, expected: RecordedWrite | null, got: GuestWrite | null): void {
    const line = expected?.line ?? this.#lineOfNext(device);
    const text = (write: GuestWrite | null): string | undefined =>
      write === null ? undefined : writeText(write);
    this.divergences.push({
      file: this.#file,
      line,
      op: `guest write to ${device}`,
      field: "write",
      expected: text(expected),
      got: text(got),
    });
  }

  #lineOfNext(device: string): number {
    return this.#tapes.get(device)?.peek()?.line ?? this.#segment!.line;
  }
}
