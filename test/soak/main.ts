/**
 * `npm run soak:threads -- --minutes 10`: runs with chaos, one after the other, for so long.
 * `npm run soak:threads -- --kills 1000`: until so many guests' threads were killed.
 *
 *   --minutes 10      how long        --guests 16      of each run (at most 64)
 *   --cycle 10s       of each run     --rate 2k/s      interrupts of each device
 *   --wait adaptive   spin, park      --seed 1         of the first run, the next has the next
 *   --each 2          killed in each run; default: one guest in 8
 *   --growth 2        MiB a minute    --json FILE      the result (default: stdout)
 *
 * Exit code 0 if all is well, 1 if memory or threads grow, 3 if the model broke a rule, 130 if
 * interrupted: then the verdict is of what there is.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { UsageError } from "../../src/base/errors.ts";
import { formatCount, parseDurationNs, parseRatePerSecond } from "../../src/base/units.ts";
import { canonicalJson } from "../../src/report/json.ts";
import type { Progress } from "../../src/run/result.ts";
import { WallClock } from "../../src/time/wall-clock.ts";
import { type Cycle, runCycle } from "./cycle.ts";
import { type MemorySample, memoryVerdict } from "./memory.ts";

const SCHEMA = "vfio-cosim/soak/1";
const MIB = 2 ** 20;
const MINUTE_NS = 60e9;
const GUESTS_MAX = 64;
/** One guest in so many loses its thread, if nobody says how many. */
const GUESTS_PER_KILL = 8;
const KILLS_MAX = 1e6;
const MINUTES_MAX = 60 * 24 * 7;
/** Time in which ended threads give their memory back. */
const PAUSE_MS = 200;
/** Threads of the process beyond those after the first run: Node starts some of its own late. */
const THREADS_MORE = 4;

function options() {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string" },
      kills: { type: "string" },
      each: { type: "string" },
      guests: { type: "string", default: "16" },
      cycle: { type: "string", default: "10s" },
      rate: { type: "string", default: "2k/s" },
      wait: { type: "string", default: "adaptive" },
      seed: { type: "string", default: "1" },
      growth: { type: "string", default: "2" },
      json: { type: "string" },
    },
  });
  const number = (flag: keyof typeof values, most: number, otherwise = Number.NaN): number => {
    const text = values[flag];
    const value = text === undefined ? otherwise : Number(text);
    if (text !== "" && value >= 0 && value <= most) return value;
    throw new UsageError(`--${flag} ${text}: not a number up to ${most}`);
  };
  const guests = number("guests", GUESTS_MAX);
  if (!Number.isInteger(guests) || guests < 2) {
    throw new UsageError(`--guests ${values.guests}: not a whole number from 2 on`);
  }
  const each = number("each", guests - 1, Math.max(1, Math.floor(guests / GUESTS_PER_KILL)));
  const kills = number("kills", KILLS_MAX, 0);
  if (!Number.isInteger(each) || (kills > 0 && each === 0)) {
    throw new UsageError(`--each ${values.each}: not a whole number of guests`);
  }
  return {
    // Whichever is given; both: what is reached first.
    minutes: number("minutes", MINUTES_MAX, kills > 0 ? MINUTES_MAX : 10),
    kills: kills > 0 ? kills : Number.POSITIVE_INFINITY,
    each,
    guests,
    durationNs: parseDurationNs(values.cycle),
    rate: parseRatePerSecond(values.rate),
    wait: values.wait,
    seed: Math.floor(number("seed", Number.MAX_SAFE_INTEGER)),
    growth: number("growth", 1e6),
    json: values.json,
  };
}

type Options = ReturnType<typeof options>;

/** Threads of this process; null where nobody tells. */
function threads(): number | null {
  try {
    return readdirSync("/proc/self/task").length;
  } catch {
    return null;
  }
}

class Soak {
  readonly #options: Options;
  readonly #clock = new WallClock();
  readonly #startNs = this.#clock.now();
  readonly #abort = new AbortController();
  readonly #cycles: Cycle[] = [];
  /** After each run; and within runs, where there are too few of them. */
  readonly #between: MemorySample[] = [];
  readonly #within: MemorySample[] = [];
  readonly #threads: (number | null)[] = [];
  #lines = 0;

  constructor(given: Options) {
    this.#options = given;
  }

  get #minute(): number {
    return (this.#clock.now() - this.#startNs) / MINUTE_NS;
  }

  async run(): Promise<number> {
    const stop = (): void => {
      if (this.#abort.signal.aborted) process.exit(130);
      process.stderr.write("stopping; Ctrl-C again to leave at once\n");
      this.#abort.abort();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    const { seed } = this.#options;
    for (let run = 0; !this.#done(); run++) await this.#cycle(seed + run);
    const report = this.#report();
    const text = canonicalJson(report);
    if (this.#options.json === undefined) process.stdout.write(text);
    else writeFileSync(this.#options.json, text);
    process.stderr.write(`${report.verdict}\n`);
    return exitCode(report);
  }

  #done(): boolean {
    const { minutes, kills } = this.#options;
    const enough = this.#minute >= minutes || this.#sums().killed >= kills;
    return enough || this.#abort.signal.aborted;
  }

  async #cycle(seed: number): Promise<void> {
    const { guests, rate, wait, minutes, each } = this.#options;
    const leftNs = Math.max(1e9, (minutes - this.#minute) * MINUTE_NS);
    const durationNs = Math.round(Math.min(this.#options.durationNs, leftNs) / 1e6) * 1e6;
    const cycle = await runCycle({
      seed,
      guests,
      durationNs,
      rate,
      wait,
      kills: each,
      signal: this.#abort.signal,
      onProgress: (progress) => this.#look(progress),
    });
    this.#cycles.push(cycle);
    for (const failure of cycle.failures) process.stderr.write(`seed ${seed}: ${failure}\n`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    (globalThis as { gc?: () => void }).gc?.();
    this.#between.push(this.#sample());
    this.#threads.push(threads());
  }

  #sample(): MemorySample {
    return { minute: this.#minute, mib: process.memoryUsage.rss() / MIB };
  }

  /** Within a run: a line a minute, and memory about once a second. */
  #look({ interrupts, guests }: Progress): void {
    const minute = this.#minute;
    if (minute - (this.#within.at(-1)?.minute ?? 0) >= 1 / 60) this.#within.push(this.#sample());
    if (minute < this.#lines + 1) return;
    this.#lines = Math.floor(minute);
    const { killed, ended, failures, delivered } = this.#sums();
    const living = guests.filter(({ state }) => state !== "dead").length;
    process.stderr.write(
      `minute ${this.#lines}, run ${this.#cycles.length + 1}: ` +
        `${formatCount(delivered + interrupts)} delivered, ${living} of ${guests.length} alive, ` +
        `before ${killed} threads killed, ${ended} VMs ended; ` +
        `${Math.round(process.memoryUsage.rss() / MIB)} MiB, ` +
        `${failures === 0 ? "ledger exact, nothing leaked" : `${failures} FAILURES`}\n`,
    );
  }

  #sums() {
    const sum = (of: (cycle: Cycle) => number): number =>
      this.#cycles.reduce((total, cycle) => total + of(cycle), 0);
    return {
      runs: this.#cycles.length,
      raised: sum(({ raised }) => raised),
      delivered: sum(({ delivered }) => delivered),
      killed: sum(({ killed }) => killed),
      ended: sum(({ ended }) => ended),
      failures: sum(({ failures }) => failures.length),
    };
  }

  #report() {
    const { guests, growth, wait, rate, durationNs, seed } = this.#options;
    // Several runs: what is there between them. One long run: what is there within it.
    const several = this.#cycles.length > 2;
    const samples = several ? this.#between : this.#within;
    const memory = memoryVerdict(samples, growth);
    const counts = this.#threads.filter((count) => count !== null);
    const threadsGrow = Math.max(0, ...counts) > (counts[0] ?? 0) + THREADS_MORE;
    const sums = this.#sums();
    const interrupted = this.#abort.signal.aborted;
    const failed = this.#cycles.flatMap((cycle) =>
      cycle.failures.map((failure) => ({ seed: cycle.seed, failure })),
    );
    return {
      schema: SCHEMA,
      settings: { guests, wait, rate, cycleNs: durationNs, seed },
      minutes: this.#minute,
      interrupted,
      ...sums,
      memory: { ...memory, measured: several ? "between runs" : "within the run" },
      threads: { first: counts[0] ?? null, last: counts.at(-1) ?? null, grow: threadsGrow },
      samples: samples.map(({ minute, mib }) => [round(minute), round(mib)]),
      failed,
      verdict: verdictOf({ sums, memory, threadsGrow, interrupted, again: this.#again(failed) }),
    };
  }

  /** The line that repeats the first failure's load. */
  #again(failed: readonly { seed: number }[]): string {
    const { guests, wait, rate, durationNs } = this.#options;
    const seed = failed[0]?.seed ?? 0;
    const time = `--duration ${durationNs / 1e6}ms --rate ${rate}/s --wait ${wait}`;
    return `vfio-cosim stress --seed ${seed} --guests ${guests} ${time}`;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

interface Found {
  readonly sums: { readonly runs: number; readonly failures: number; readonly raised: number };
  readonly memory: ReturnType<typeof memoryVerdict>;
  readonly threadsGrow: boolean;
  readonly interrupted: boolean;
  readonly again: string;
}

function verdictOf({ sums, memory, threadsGrow, interrupted, again }: Found): string {
  const so = interrupted ? " (interrupted: so far)" : "";
  if (sums.failures > 0) {
    return `BROKEN${so}: ${sums.failures} failures in ${sums.runs} runs; its load again: ${again}`;
  }
  if (threadsGrow) return `LEAK${so}: threads outlive their runs`;
  const slope = memory.slope === null ? "" : ` (${memory.slope.toFixed(2)} MiB a minute)`;
  if (memory.flat === false) return `LEAK${so}: memory grows${slope}, allowed ${memory.limit}`;
  const exact = `${formatCount(sums.raised)} interrupts in ${sums.runs} run(s), ledger exact`;
  if (memory.flat === null) return `SOUND${so}: ${exact}; too short to tell whether memory grows`;
  return `SOUND${so}: ${exact}, memory flat${slope}`;
}

interface Report extends Omit<Found["sums"], "raised"> {
  readonly interrupted: boolean;
  readonly memory: { readonly flat: boolean | null };
  readonly threads: { readonly grow: boolean };
}

function exitCode({ failures, memory, threads: { grow }, interrupted }: Report): number {
  if (failures > 0) return 3;
  if (memory.flat === false || grow) return 1;
  return interrupted ? 130 : 0;
}

async function main(): Promise<number> {
  try {
    return await new Soak(options()).run();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!(error instanceof UsageError) && !code.startsWith("ERR_PARSE_ARGS")) throw error;
    process.stderr.write(`error: ${(error as Error).message}\n`);
    return 2;
  }
}

process.exitCode = await main();
