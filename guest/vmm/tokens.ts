/** What a VMM does with interrupt tokens in its hands: injects them, or settles their fate. */
import { FATE, FateCounts } from "../../src/measure/fates.ts";
import type { GuestPlan, MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";
import type { LocalApics } from "../local-apic.ts";
import type { TokenSequence } from "../token-sequence.ts";

const COALESCED_EVENTFD = FATE["coalesced-eventfd"];
const COALESCED_IRR = FATE["coalesced-irr"];
const UNHANDLED = FATE["dropped-guest-unhandled"];
/** Vectors 0 to 15 are illegal in an interrupt message (SDM vol. 3, 11.5.2). */
const FIRST_VECTOR = 16;

export class Tokens {
  readonly #port: GuestPort;
  readonly #env: MachineEnv;
  readonly #fates: FateCounts;
  readonly #lapics: LocalApics;
  readonly #sequence: TokenSequence;
  readonly #vcpus: number;
  /** Rows of INTx, whose requests may repeat: the token goes beside the request. */
  readonly #isLevel: Uint8Array;

  constructor(
    env: MachineEnv,
    port: GuestPort,
    plan: GuestPlan,
    shared: { readonly lapics: LocalApics; readonly sequence: TokenSequence },
  ) {
    this.#env = env;
    this.#port = port;
    this.#fates = new FateCounts(port.shape.rows, port.guestFates);
    this.#lapics = shared.lapics;
    this.#sequence = shared.sequence;
    this.#vcpus = port.shape.vcpus;
    this.#isLevel = new Uint8Array(port.shape.rows);
    for (const { base } of plan.rows) this.#isLevel[base] = 1;
  }

  /** `n` tokens of `row` were read from an eventfd: the reader goes on with one. Hot path. */
  read(row: number, n: number): void {
    this.#sequence.read(row, n);
    if (n > 1) this.#fates.count(row, COALESCED_EVENTFD, n - 1);
  }

  /** Requests `vector` on `vcpu` for one token of `row`. Hot path. */
  inject(row: number, vcpu: number, vector: number): void {
    this.#env.clock.spend(this.#env.costs.vmmInject);
    if (vcpu >= this.#vcpus || vector < FIRST_VECTOR) {
      this.drop(row, UNHANDLED, 1);
      return;
    }
    const level = this.#isLevel[row] !== 0;
    if (level) this.#port.levelTokens.add(row);
    const fresh = this.#lapics.request(vcpu, vector);
    this.#sequence.requested(row, fresh);
    if (!fresh && !level) this.#fates.count(row, COALESCED_IRR);
  }

  /** `n` tokens that merged with another one, or wait at the end of the run. */
  count(row: number, fate: number, n: number): void {
    this.#fates.count(row, fate, n);
  }

  /** `n` tokens that the VMM has read are lost. */
  drop(row: number, fate: number, n: number): void {
    if (n === 0) return;
    this.#fates.count(row, fate, n);
    this.#sequence.dropped(row);
  }

  /** `n` tokens stay in an eventfd that nobody will read. */
  abandon(row: number, fate: number, n: number): void {
    this.#fates.count(row, fate, n);
    this.#sequence.skip(row, n);
  }
}
