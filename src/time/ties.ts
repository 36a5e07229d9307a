/** Orders what happens at the same virtual instant: by seed between actors, in order within one. */
import { fnv1a, type Prng } from "../base/prng.ts";

/*
 * Events of one instant are placed on a fine scale inside it, as if each step took a tiny random
 * time. An actor's events that were planned ahead share one place, a hash of seed, actor and
 * instant; an event planned for the running instant itself goes a random distance behind both the
 * event that plans it and its actor's last one. So an actor's events never overtake each other,
 * an effect never precedes its cause, every merge of different actors' steps can come up, and an
 * actor that only steps cannot keep the others from running.
 */

/** The latest place an actor has in the running instant. */
interface Latest {
  at: number;
  tie: number;
}

export class Ties {
  readonly #random: Prng;
  readonly #seed: number;
  readonly #latest = new Map<string, Latest>();

  constructor(random: Prng) {
    this.#random = random;
    this.#seed = random.nextUint32();
  }

  /** The place of an event of `actor` at a later instant `at` (ns). */
  ahead(actor: string, at: number): number {
    const high = Math.floor(at / 2 ** 32);
    return mix(mix(mix(this.#seed ^ fnv1a(actor)) ^ at) ^ high) >>> 0;
  }

  /** The place of an event of `actor` at the present instant `at`, planned by the one at `tie`. */
  within(actor: string, at: number, tie: number): number {
    let latest = this.#latest.get(actor);
    if (latest === undefined) this.#latest.set(actor, (latest = { at: -1, tie: 0 }));
    // What the actor planned ahead for this instant may still wait.
    const last = latest.at === at ? latest.tie : this.ahead(actor, at);
    latest.at = at;
    latest.tie = Math.max(last, tie) + 1 + this.#random.nextUint32();
    return latest.tie;
  }
}

/** MurmurHash3's finalizer: every bit of the input moves every bit of the result. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
