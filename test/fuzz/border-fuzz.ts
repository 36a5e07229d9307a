/**
 * Byte fuzz of the border: a hostile guest writes anything into its memory, and its host stays up,
 * accounts for every slot and serves an honest guest beside it as if nothing were.
 */
import { Prng } from "../../src/base/prng.ts";
import type { HostReport } from "../../src/run/contract.ts";
import type { DeviceSpec, HostSpec } from "../../src/scenario/types.ts";
import { expectThat, FuzzBed, type Plant } from "./bed.ts";
import { heldBytes } from "./held-bytes.ts";
import { HonestGuest } from "./honest-guest.ts";
import { HostileGuest } from "./hostile-guest.ts";
import { HostileRequests } from "./hostile-requests.ts";
import { checkAsAtBoot, poolState } from "./pool-invariants.ts";

/** Slots of one machine's life; a finding is replayed within seconds. */
export const EPISODE_SLOTS = 50_000;
/** Batches between two audits. */
const AUDIT_EVERY = 32;
/** Events a batch may take: its calls at their slowest, times some hundred. */
const ACTIVATIONS_MAX = 5_000_000;
/** Descriptors, VMs and samples that a process may have add up to less. */
const GROWTH_MAX_BYTES = 12 * 2 ** 20;
/** Unbinding a device that nobody has open. */
const UNBIND_NS = 1e6;
const HONEST = 0;
const HOSTILE = 1;

const HONEST_DEVICES: readonly DeviceSpec[] = [
  { name: "rocker", model: "rocker", msixVectors: 8, msiVectors: 0 },
  { name: "edu", model: "edu", msixVectors: 0, msiVectors: 1 },
];
/** None of their lines is the honest edu's: a shared line is everybody's, on real hosts too. */
const HOSTILE_DEVICES: readonly DeviceSpec[] = [
  { name: "h-nvme", model: "nvme", msixVectors: 17, msiVectors: 0 },
  { name: "h-edu", model: "edu", msixVectors: 0, msiVectors: 4 },
  { name: "h-e1000e", model: "e1000e", msixVectors: 5, msiVectors: 1 },
  { name: "h-rocker", model: "rocker", msixVectors: 16, msiVectors: 0 },
];
const DEVICES = [...HONEST_DEVICES, ...HOSTILE_DEVICES];
const HOSTILE_PATHS = HOSTILE_DEVICES.map(({ name }) => `/dev/vfio/${name}`);
const OTHER_PATHS = ["/dev/null", "/dev/vfio/rocker", "/dev/vfio/", "/dev/vfio/__proto__", ""];

export interface EpisodeResult {
  readonly slots: number;
  /** What the hostile guest was blamed for. */
  readonly hostile: Readonly<Record<string, number>>;
  readonly answers: number;
  readonly honestCalls: number;
  readonly honestInterrupts: number;
  /** What the heap grew by in the last three quarters, or null where it was not measured. */
  readonly grownBytes: number | null;
}

export interface EpisodeOptions {
  readonly slots?: number;
  readonly plant?: Plant;
  /** Collects garbage twice and compares what is left. */
  readonly weigh?: boolean;
}

/** One machine from power-on to the last exit. Throws a Finding, or whatever the host threw. */
class Episode {
  readonly #random: Prng;
  readonly #bed: FuzzBed;
  readonly #honest: HonestGuest;
  readonly #hostile: HostileGuest;
  readonly #boot: string;

  constructor(seed: number, episode: number, plant: Plant | undefined) {
    const random = Prng.stream(seed, `episode ${episode}`);
    this.#random = random;
    this.#bed = new FuzzBed(hostOf(random), DEVICES, plant);
    this.#boot = poolState(this.#bed.host, this.#bed.spec);
    this.#honest = new HonestGuest(this.#bed, this.#bed.attach("honest", HONEST_DEVICES));
    const guest = this.#bed.attach("hostile", HOSTILE_DEVICES, 40);
    const requests = new HostileRequests(random, HOSTILE_PATHS, OTHER_PATHS);
    this.#hostile = new HostileGuest(guest, random, requests);
  }

  run(slots: number, weigh: boolean): EpisodeResult {
    this.#honest.setUp();
    this.#torment(slots / 4);
    const before = weigh ? heldBytes() : 0;
    this.#torment(slots);
    const grownBytes = weigh ? heldBytes() - before : null;
    const { hostile } = this.#report(HOSTILE);
    this.#end();
    return {
      slots: this.#hostile.slots,
      hostile,
      answers: this.#hostile.answers,
      honestCalls: this.#honest.answered,
      honestInterrupts: this.#honest.interrupts,
      grownBytes,
    };
  }

  #torment(slots: number): void {
    for (let batch = 1; this.#hostile.slots < slots; batch++) {
      this.#batch();
      if (batch % AUDIT_EVERY === 0) this.#audit();
    }
    this.#audit();
  }

  #batch(): void {
    const hostile = this.#hostile;
    hostile.send();
    this.#bed.poll();
    // The honest one works while the hostile one's calls are under way.
    this.#honest.work(this.#random);
    this.#bed.runUntil(
      () => {
        hostile.listen();
        return hostile.heard;
      },
      ACTIVATIONS_MAX,
      () => "slots are not taken",
    );
  }

  #audit(): void {
    const hostile = this.#hostile;
    this.#bed.runUntil(
      () => {
        hostile.drain();
        if (this.#bed.host.busy()) return false;
        return hostile.outstanding(this.#report(HOSTILE).hostile) <= 0;
      },
      ACTIVATIONS_MAX,
      () => "requests are neither answered nor counted",
    );
    hostile.lieAboutTail();
    this.#bed.poll();
    this.#bed.poll();
    hostile.audit(this.#report(HOSTILE).hostile);
    this.#honest.audit(this.#report(HONEST));
  }

  /** The hostile one dies in the middle of things, the honest one goes on and ends in order. */
  #end(): void {
    const { host } = this.#bed;
    this.#hostile.send();
    this.#bed.poll();
    host.exit(HOSTILE, "killed");
    this.#rest();
    expectThat(!this.#report(HOSTILE).alive, () => "the hostile guest outlives its exit");
    for (let i = 0; i < 20; i++) this.#honest.work(this.#random);
    this.#honest.audit(this.#report(HONEST));
    host.exit(HONEST, "done");
    this.#rest();
    // Some kernels keep a block of LPIs for a device until its driver goes.
    for (const { name } of DEVICES) host.unbind(name);
    this.#bed.sleep(UNBIND_NS);
    checkAsAtBoot(host, this.#bed.spec, DEVICES, this.#boot);
  }

  #rest(): void {
    const { host } = this.#bed;
    const until = this.#bed.clock.now() + 60e9;
    while (host.busy() && this.#bed.step(until)) this.#hostile.drain();
    expectThat(!host.busy(), () => "a process that exits never ends");
  }

  #report(guest: number): HostReport["guests"][number] {
    return this.#bed.host.report().guests[guest]!;
  }
}

function hostOf(random: Prng): HostSpec {
  const pick = <T>(...from: readonly T[]): T => from[random.nextBelow(from.length)]!;
  const platform = pick("x86-vtd", "x86-vtd", "x86-amd", "x86-flat", "arm64-its", "arm64-v2m");
  return {
    kernel: pick("linux-6.1", "linux-6.12", "linux-7.2"),
    platform,
    cpus: pick(1, 2),
    irtes: platform === "x86-amd" ? 512 : 65_536,
    vectorsPerCpu: 201,
    retention: "cache",
    nointxmask: random.nextBelow(4) === 0,
  };
}

/** Where a finding came from, and the line that shows it again. */
export function replayLine(seed: number, episode: number): string {
  return `npm run fuzz -- --seed ${seed} --episode ${episode}`;
}

/** Runs one episode; what it finds is told with its replay line. */
export function runEpisode(
  seed: number,
  episode: number,
  { slots = EPISODE_SLOTS, plant, weigh = false }: EpisodeOptions = {},
): EpisodeResult {
  try {
    const result = new Episode(seed, episode, plant).run(slots, weigh);
    const grown = result.grownBytes ?? 0;
    expectThat(grown < GROWTH_MAX_BYTES, () => `the host's memory grew by ${grown} bytes`);
    return result;
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    throw new Error(`${what}\nreplay: ${replayLine(seed, episode)}`, { cause: error });
  }
}
