/**
 * Posted-interrupt descriptors in a guest's memory: the IOMMU posts, vCPUs take (Intel SDM vol. 3,
 * 31.6; VT-d specification 5.2.3 and 9.11; arch/x86/include/asm/posted_intr.h).
 */
import { assert } from "../base/assert.ts";
import { CACHE_LINE_BYTES, roundToLine } from "./arena.ts";
import { NOT_SINGLE } from "./interrupt-queue.ts";

/*
 * A descriptor is a cache line: 256 request bits (PIR), then ON (an outstanding notification), SN
 * (suppress notifications), NV (notification vector) and NDST. An IOMMU reads and writes the line
 * in one go; here it is the PIR word first, then ON by compare-exchange, with only one writer.
 *
 * post():   set the bit in PIR; if neither ON nor SN is set, set ON; if that set it, wake.
 * a vCPU without a loop of its own (notified): clear ON, then take the PIR words.
 * a vCPU that polls (poll()): SN is set, nobody is notified; it looks at PIR itself.
 * going to sleep (await()): announce the sleep (waker.ts), clear SN and ON, look at PIR, sleep.
 *
 * No interrupt is forgotten. The bit is in PIR before post() looks at ON and SN, and a sleeper
 * clears both before it looks at PIR. So either its look sees the bit, or that look, and with it
 * the clearing, came before the bit: then post() finds ON and SN clear, or ON set by a post that
 * came after the clearing. Whoever set ON wakes after it, and the woken takes all bits, or sleeps
 * anew only after clearing and looking anew. The same holds for the notified vCPU, whose clearing
 * precedes its taking. A post that is slow between PIR and ON may notify for a bit that was taken
 * already: a look too many, and the next sleep clears that ON too.
 *
 * The host alone posts, and believes the line nothing: whatever a guest writes there can only
 * merge, lose or invent interrupts of its own, and post() makes a bounded number of tries.
 *
 * The vCPUs of a guest share a thread, which would have to look at eight PIR words of each. So
 * when the host makes an entry post to a vector it names the word (use()), and the thread looks
 * only at those that were ever named: the count of names tells it when to read them again. A name
 * is published before the first post to it.
 */

/** Bits of the control word, which follows PIR: ON is bit 256 of the descriptor. */
export const PID_ON = 1 << 0;
export const PID_SN = 1 << 1;
/** Where NV is: bits 279:272. */
export const PID_NV_SHIFT = 16;
/** Linux: a running vCPU is notified by the first, a blocked one by the second. */
export const POSTED_INTR_VECTOR = 0xf2;
export const POSTED_INTR_WAKEUP_VECTOR = 0xf1;

/** What `post` found, as bits. */
export const POSTED_FRESH = 1;
/** ON went from 0 to 1: the vCPU has to be woken. */
export const POSTED_NOTIFY = 2;

const PIR_WORDS = 8;
const CONTROL = 8;
const DESCRIPTOR_WORDS = CACHE_LINE_BYTES / 4;
/** An honest guest can spoil a compare-exchange by one change of SN at a time. */
const TRIES_MAX = 8;
/** Word of the names' area that counts them; a word of eight bits for each vCPU follows. */
const NAMED = 0;
const NAMES = 16;

const RUNNING = POSTED_INTR_VECTOR << PID_NV_SHIFT;
const BLOCKED = POSTED_INTR_WAKEUP_VECTOR << PID_NV_SHIFT;

class Descriptors {
  readonly vcpus: number;
  protected readonly words: Int32Array;
  protected readonly names: Int32Array;

  constructor(memory: SharedArrayBuffer, offset: number, vcpus: number) {
    assert(vcpus >= 1, `posted-interrupt descriptors of ${vcpus} vCPUs`);
    this.vcpus = vcpus;
    this.words = new Int32Array(memory, offset, vcpus * DESCRIPTOR_WORDS);
    this.names = new Int32Array(memory, offset + vcpus * CACHE_LINE_BYTES, NAMES + vcpus);
  }
}

/** Bytes of `vcpus` descriptors, on a cache-line boundary. */
export function postedDescriptorBytes(vcpus: number): number {
  return vcpus * CACHE_LINE_BYTES + roundToLine((NAMES + vcpus) * 4);
}

/** The host's end: what the IOMMU does. */
export class PostedWriter extends Descriptors {
  /** An entry is about to post `vector` to `vcpu`, both in range: the guest has to look there. */
  use(vcpu: number, vector: number): void {
    Atomics.or(this.names, NAMES + vcpu, 1 << (vector >>> 5));
    Atomics.add(this.names, NAMED, 1);
  }

  /** Posts `vector` (0-255) to `vcpu`, both in range and named: POSTED_ bits. Hot path. */
  post(vcpu: number, vector: number): number {
    const at = vcpu * DESCRIPTOR_WORDS;
    const bit = 1 << (vector & 31);
    const old = Atomics.or(this.words, at + (vector >>> 5), bit);
    const fresh = (old & bit) === 0 ? POSTED_FRESH : 0;
    const control = Atomics.load(this.words, at + CONTROL);
    if ((control & (PID_ON | PID_SN)) !== 0) return fresh;
    return this.#notify(at + CONTROL, control) ? fresh | POSTED_NOTIFY : fresh;
  }

  /** Test-and-set of ON unless SN; true if it was this that set it. */
  #notify(at: number, seen: number): boolean {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const old = Atomics.compareExchange(this.words, at, seen, seen | PID_ON);
      if (old === seen) return true;
      if ((old & (PID_ON | PID_SN)) !== 0) return false;
      seen = old;
    }
    return true;
  }
}

/** The guest's end: what its vCPUs do. */
export class PostedReader extends Descriptors {
  /** Notifications are suppressed, since this thread looks by itself. */
  #polling = false;
  #named = 0;
  /** vCPUs with a named word, ascending. */
  #used: number[] = [];
  /** Named words: by vCPU, and highest first as vectors are delivered. */
  #watched: number[] = [];

  /** True while this thread looks by itself, and so will look again before it sleeps. */
  get polling(): boolean {
    return this.#polling;
  }

  /** As `pending`, by plain reads, which may be stale. Hot path: what a spinning vCPU looks at. */
  glance(): boolean {
    if (this.names[NAMED] !== this.#named) return true;
    const { words } = this;
    const watched = this.#watched;
    for (let i = 0; i < watched.length; i++) if (words[watched[i]!] !== 0) return true;
    return false;
  }

  /** True if `take` would find something: the look before a sleep. */
  pending(): boolean {
    if (Atomics.load(this.names, NAMED) !== this.#named) this.#readNames();
    const watched = this.#watched;
    for (let i = 0; i < watched.length; i++) {
      if (Atomics.load(this.words, watched[i]!) !== 0) return true;
    }
    return false;
  }

  /**
   * Takes the one posted interrupt there is, as vCPU << 8 | vector; NOT_SINGLE, and nothing has
   * changed, if there are none or several, or if notifications have to be cleared too. Hot path.
   */
  takeSingle(): number {
    if (!this.#polling) return NOT_SINGLE;
    if (this.names[NAMED] !== this.#named) this.#readNames();
    const watched = this.#watched;
    let found = -1;
    let bits = 0;
    // The plain reads are guesses: the compare-exchange decides.
    for (let i = 0; i < watched.length; i++) {
      const word = this.words[watched[i]!]!;
      if (word === 0) continue;
      if (bits !== 0 || (word & (word - 1)) !== 0) return NOT_SINGLE;
      found = watched[i]!;
      bits = word;
    }
    if (bits === 0) return NOT_SINGLE;
    // Another may have been posted since the look.
    if (Atomics.compareExchange(this.words, found, bits, 0) !== bits) return NOT_SINGLE;
    return requestOf(found) | (31 - Math.clz32(bits));
  }

  /**
   * Takes all posted interrupts into `out` (vcpus * 256) as vCPU << 8 | vector, highest vector
   * first for each vCPU, and returns how many.
   */
  take(out: Int32Array): number {
    if (Atomics.load(this.names, NAMED) !== this.#named) this.#readNames();
    const polling = this.#polling;
    if (!polling) this.#clearNotifications();
    const watched = this.#watched;
    let taken = 0;
    for (let i = 0; i < watched.length; i++) {
      const at = watched[i]!;
      if ((polling ? this.words[at] : Atomics.load(this.words, at)) === 0) continue;
      let bits = Atomics.exchange(this.words, at, 0);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        out[taken++] = requestOf(at) | bit;
      }
    }
    return taken;
  }

  /** From now on this thread looks at PIR by itself: SN is set. */
  poll(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#control(RUNNING | PID_SN);
  }

  /** Before the look that decides on a sleep: SN and ON are clear, the next post notifies. */
  await(): void {
    this.#polling = false;
    this.#control(BLOCKED);
  }

  #control(value: number): void {
    for (let i = 0; i < this.#used.length; i++) {
      Atomics.store(this.words, this.#used[i]! * DESCRIPTOR_WORDS + CONTROL, value);
    }
  }

  #clearNotifications(): void {
    for (let i = 0; i < this.#used.length; i++) {
      const at = this.#used[i]! * DESCRIPTOR_WORDS + CONTROL;
      if ((Atomics.load(this.words, at) & PID_ON) !== 0) Atomics.and(this.words, at, ~PID_ON);
    }
  }

  #readNames(): void {
    this.#named = Atomics.load(this.names, NAMED);
    const used: number[] = [];
    const watched: number[] = [];
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      const names = Atomics.load(this.names, NAMES + vcpu);
      if (names === 0) continue;
      used.push(vcpu);
      for (let word = PIR_WORDS - 1; word >= 0; word--) {
        if ((names & (1 << word)) !== 0) watched.push(vcpu * DESCRIPTOR_WORDS + word);
      }
    }
    this.#used = used;
    this.#watched = watched;
    this.#control(this.#polling ? RUNNING | PID_SN : BLOCKED);
  }
}

/** Request number of bit 0 of a PIR word. */
function requestOf(at: number): number {
  return ((at >>> 4) << 8) | ((at & (PIR_WORDS - 1)) << 5);
}
