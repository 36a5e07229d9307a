/** What a VMM does with interrupt tokens in its hands: injects them, or settles their fate. */
import { FATE, FateCounts } from "../../src/measure/fates.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { GuestPort } from "../../src/shm/border.ts";

const COALESCED_IRR = FATE["coalesced-irr"];
/** Vectors 0 to 15 are illegal in an interrupt message (SDM vol. 3, 11.5.2). */
const FIRST_VECTOR = 16;
const UNHANDLED = FATE["dropped-guest-unhandled"];

export class Tokens {
  readonly #port: GuestPort;
  readonly #env: MachineEnv;
  readonly #fates: FateCounts;
  readonly #vcpus: number;

  constructor(env: MachineEnv, port: GuestPort) {
    this.#env = env;
    this.#port = port;
    this.#fates = new FateCounts(port.shape.rows, port.guestFates);
    this.#vcpus = port.shape.vcpus;
  }

  /** Requests `vector` on `vcpu` for one token of `row`. Hot path. */
  inject(row: number, vcpu: number, vector: number): void {
    this.#env.clock.spend(this.#env.costs.vmmInject);
    if (vcpu >= this.#vcpus || vector < FIRST_VECTOR) this.drop(row, UNHANDLED, 1);
    else if (!this.#port.apic.set(vcpu, vector)) this.#fates.count(row, COALESCED_IRR);
  }

  /** `n` tokens merged with another one, whose stamps go on; or they wait at the end of the run. */
  count(row: number, fate: number, n: number): void {
    this.#fates.count(row, fate, n);
  }

  /** `n` tokens are lost, and with them the time stamps of the oldest. */
  drop(row: number, fate: number, n: number): void {
    if (n === 0) return;
    this.#fates.count(row, fate, n);
    this.#port.stamps.discard(row);
  }
}
