/** A VM process that writes whatever it likes into its memory, and keeps exact accounts of it. */

import { errnoName } from "../../src/base/errno.ts";
import type { Prng } from "../../src/base/prng.ts";
import { MessageReceiver } from "../../src/wire/channel.ts";
import { MESSAGE_BYTES_MAX } from "../../src/wire/messages.ts";
import { type BedGuest, expectThat } from "./bed.ts";
import { HostileBytes } from "./hostile-bytes.ts";
import type { HostileRequests } from "./hostile-requests.ts";
import { SlotModel } from "./slot-model.ts";

const MORE = 1 << 30;
/** Words of a ring's control area: tail and head are on lines of their own. */
const TAIL = 0;
const HEAD = 16;

/** Errors that a system call of this kernel can end with. */
const ERRNOS = new Set(
  ["ENOENT", "EIO", "EBADF", "ENOMEM", "EFAULT", "EBUSY", "ENODEV", "EINVAL", "EMFILE"].concat([
    "ENOTTY",
    "ENOSPC",
    "ERANGE",
  ]),
);

export class HostileGuest {
  readonly #guest: BedGuest;
  readonly #random: Prng;
  readonly #requests: HostileRequests;
  readonly #bytes: HostileBytes;
  readonly #ring: Int32Array;
  readonly #responses: Int32Array;
  readonly #all: Int32Array;
  readonly #receiver: MessageReceiver;
  readonly #model: SlotModel;
  /** Message of which the rest has not been sent yet, and how much has. */
  #message: Uint8Array = new Uint8Array(0);
  #sent = 0;
  /** Batches for which answers are left where they are. */
  #deafFor = 0;
  #head = 0;
  /** Slots published so far. */
  slots = 0;
  /** Answers to its requests. */
  answers = 0;
  /** Tails that made no sense. */
  nonsenseTails = 0;

  constructor(guest: BedGuest, random: Prng, requests: HostileRequests) {
    const { memory, port, shape } = guest;
    this.#guest = guest;
    this.#random = random;
    this.#requests = requests;
    this.#bytes = new HostileBytes(random, requests);
    this.#ring = new Int32Array(memory, port.requestsAt, 32);
    this.#responses = new Int32Array(memory, port.responsesAt, 32);
    this.#all = new Int32Array(memory);
    this.#model = new SlotModel(shape.ring.slotBytes);
    this.#receiver = new MessageReceiver(port.responses, (reason) =>
      expectThat(false, () => `the host answered with ${reason}`),
    );
  }

  /** True when the host has taken every slot that was published. */
  get heard(): boolean {
    return Atomics.load(this.#ring, HEAD) === this.#head;
  }

  /** Fills some slots, lies about the rest of its memory, and publishes. */
  send(): void {
    const { slots, slotBytes } = this.#guest.shape.ring;
    if (this.#random.nextBelow(8) === 0) this.#scribble();
    const count = 1 + this.#random.nextBelow(slots);
    const { words } = this.#guest.port.requests;
    for (let i = 0; i < count; i++) {
      const at = ((this.#head + i) & (slots - 1)) * (slotBytes / 4);
      // Now and then what the slot held before is published once more.
      if (this.#tooLong || this.#random.nextBelow(50) !== 0) this.#fill(at);
      this.#model.take(words[at]!);
    }
    this.#head = (this.#head + count) | 0;
    this.slots += count;
    Atomics.store(this.#ring, TAIL, this.#head);
  }

  /**
   * A tail that no producer of this ring could publish; the host counts it once and ignores it. To
   * be called while the host has nothing of this guest's left to do, so that it looks.
   */
  lieAboutTail(): void {
    const { slots } = this.#guest.shape.ring;
    const lie = slots + 1 + this.#random.nextBelow(2 ** 32 - slots - 1);
    Atomics.store(this.#ring, TAIL, (this.#head + lie) | 0);
    this.nonsenseTails++;
  }

  /** Reads its answers; some times it leaves them for a while. */
  listen(): void {
    if (this.#deafFor > 0) {
      this.#deafFor--;
      return;
    }
    if (this.#random.nextBelow(200) === 0) this.#deafFor = 1;
    this.drain();
  }

  /** Reads all answers there are. */
  drain(): void {
    const { responses } = this.#guest.port;
    while (this.#receiver.receive((message) => this.#judge(message)) > 0) {}
    // Its head may be a lie since the last scribbling.
    responses.release();
  }

  /** Requests that have neither been answered nor counted yet. */
  outstanding(counted: Readonly<Record<string, number>>): number {
    return this.#model.owed - this.#told(counted);
  }

  /** Every slot must have been answered or counted, and nothing else. */
  audit(counted: Readonly<Record<string, number>>): void {
    const why = `${this.answers} answers, counted ${JSON.stringify(counted)}`;
    const missing = this.outstanding(counted);
    expectThat(missing === 0, () => `${missing} requests of ${this.#model.owed} vanished: ${why}`);
    const { badLengths, tooLong } = this.#model;
    const expected = {
      "slot-length": badLengths,
      "message-too-long": tooLong,
      "ring-counts": this.nonsenseTails,
    };
    for (const [reason, n] of Object.entries(expected)) {
      expectThat((counted[reason] ?? 0) === n, () => `${n} times ${reason}: ${why}`);
    }
  }

  /** What became of messages: answered, counted, or both where a bad one had an id. */
  #told(counted: Readonly<Record<string, number>>): number {
    let told = this.answers;
    for (const [reason, n] of Object.entries(counted)) {
      if (reason === "ring-counts") continue;
      const answered = reason.startsWith("bad-") && reason !== "bad-id" && reason !== "bad-message";
      if (!answered) told += n;
    }
    return told;
  }

  #judge(message: unknown): void {
    const { id, ret } = message as { id: unknown; ret: number };
    expectThat(Number.isSafeInteger(id) && Number.isInteger(ret), () => `answer ${id}: ${ret}`);
    const known = ret >= 0 || ERRNOS.has(errnoName(ret));
    expectThat(known, () => `answer ${id} is ${ret}, which no system call here can return`);
    this.answers++;
    this.#requests.learn(id as number, ret);
  }

  #fill(at: number): void {
    const random = this.#random;
    const { words, bytes, shape } = this.#guest.port.requests;
    const room = shape.slotBytes - 4;
    if (this.#sent === this.#message.length) {
      this.#message = this.#bytes.next();
      this.#sent = 0;
    }
    const part = this.#message.subarray(this.#sent, this.#sent + room);
    this.#sent += part.length;
    bytes.set(part, at * 4 + 4);
    const more = this.#sent < this.#message.length ? MORE : 0;
    const wrong = !this.#tooLong && random.nextBelow(32) === 0;
    words[at] = wrong ? this.#wrongHeader(part.length) : part.length | more;
  }

  /** A message beyond the limit is only one if all its slots are as they should be. */
  get #tooLong(): boolean {
    return this.#message.length > MESSAGE_BYTES_MAX && this.#sent < this.#message.length;
  }

  #wrongHeader(length: number): number {
    const random = this.#random;
    switch (random.nextBelow(6)) {
      case 0:
        return random.nextUint32() | 0;
      case 1:
        return length | MORE;
      case 2:
        return random.nextBelow(300);
      case 3:
        return MORE | random.nextBelow(300);
      case 4:
        return 0;
      default:
        // The rest of the message is never sent.
        this.#sent = this.#message.length;
        return length;
    }
  }

  /** Random words anywhere in its memory but the request ring, and honest marks on top of them. */
  #scribble(): void {
    this.drain();
    const random = this.#random;
    const { port, shape } = this.#guest;
    // Where its answers end it tells itself, and all have to be counted.
    const tail = this.#responses[TAIL]!;
    const from = port.requestsAt / 4;
    const to = port.responsesAt / 4;
    for (let n = random.nextBelow(40); n > 0; n--) {
      const at = random.nextBelow(this.#all.length);
      if (at >= from && at < to) continue;
      this.#all[at] = random.nextBelow(2) === 0 ? random.nextUint32() : random.nextBelow(4);
    }
    // The low areas are where words mean something: eventfds, poll sets, doorbells.
    for (let n = random.nextBelow(20); n > 0; n--) {
      this.#all[random.nextBelow(from)] = random.nextUint32();
    }
    for (let n = random.nextBelow(8); n > 0; n--) {
      const slot = random.nextBelow(shape.eventfds);
      port.eventfds.write(slot, random.nextBelow(3));
      port.hostPoll.mark(slot);
    }
    for (let n = random.nextBelow(8); n > 0; n--) {
      port.hostPoll.mark(random.nextBelow(shape.eventfds + shape.doorbells));
    }
    this.#responses[TAIL] = tail;
    if (random.nextBelow(4) === 0) this.#responses[HEAD] = random.nextUint32();
    else port.responses.release();
  }
}
