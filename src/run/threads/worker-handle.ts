/** Main's handle on one worker: control calls that are heard, and a death that is noticed. */
import { Worker } from "node:worker_threads";
import * as Comlink from "comlink";
import type { Attention, Waker } from "../../shm/waker.ts";
import { nodeEndpoint } from "../../wire/control.ts";
import { errorOf } from "./failure.ts";

/** Time a worker has to answer a control call before it counts as hung, in ticks. */
const ANSWER_TICKS = 15;
const TICK_MS = 1_000;

/** Small heaps: a worker holds one VM, and there may be 64 of them. */
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256, stackSizeMb: 2 };

/** How a worker came to its end. */
export interface Death {
  readonly reason: string;
  /** What the model did wrong: threw, or hung. Null: it was killed, or had no memory left. */
  readonly error: Error | null;
}

export class WorkerHandle<Api> {
  readonly name: string;
  readonly #worker: Worker;
  readonly #remote: Comlink.Remote<Api>;
  readonly #attention: Attention;
  readonly #waker: Waker;
  readonly #died: Promise<never>;
  #reject: (error: Error) => void = () => {};
  #onDeath: (death: Death) => void = () => {};
  #death: Death | null = null;
  #ending = false;

  constructor(name: string, url: URL, attention: Attention, waker: Waker) {
    this.name = name;
    this.#attention = attention;
    this.#waker = waker;
    this.#worker = new Worker(url, { name, resourceLimits: LIMITS });
    this.#remote = Comlink.wrap<Api>(nodeEndpoint(this.#worker));
    this.#died = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Nobody may be waiting for an answer when it dies; onDeath tells what happened.
    this.#died.catch(() => {});
    this.#worker.on("error", (thrown) => {
      const outOfMemory = (thrown as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY";
      const error = outOfMemory ? null : errorOf(thrown, name);
      this.#die({ reason: error?.message ?? "worker ran out of memory", error });
    });
    this.#worker.on("exit", (code) => {
      this.#die({ reason: `worker exited with code ${code}`, error: null });
    });
  }

  /** Why the worker is gone, or null. */
  get dead(): string | null {
    return this.#death?.reason ?? null;
  }

  /** Called once if the worker dies before `end`. */
  onDeath(listener: (death: Death) => void): void {
    this.#onDeath = listener;
    if (this.#death !== null && !this.#ending) listener(this.#death);
  }

  #die(death: Death): void {
    if (this.#death !== null) return;
    this.#death = death;
    this.#reject(death.error ?? new Error(`${this.name}: ${death.reason}`));
    if (!this.#ending) this.#onDeath(death);
  }

  /**
   * Calls into the worker. The message is posted first and the attention word raised after it, so
   * that a worker that leaves its loop for the word finds the message.
   */
  async call<T>(invoke: (remote: Comlink.Remote<Api>) => Promise<T>): Promise<T> {
    const answer = invoke(this.#remote);
    this.#attention.raise();
    this.#waker.wake();
    return await this.#within(this.#answered(answer));
  }

  /** Like `call`, for an answer that comes only when the worker's loop ends. */
  start<T>(invoke: (remote: Comlink.Remote<Api>) => Promise<T>): Promise<T> {
    const ended = this.#answered(invoke(this.#remote));
    ended.catch(() => {});
    return ended;
  }

  /** Kills the thread where it stands. */
  async end(): Promise<void> {
    this.#ending = true;
    this.#remote[Comlink.releaseProxy]();
    await this.#worker.terminate();
  }

  /** As a crash would: the thread dies and `onDeath` is told. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  /** The answer, or what the worker threw, or its death. */
  #answered<T>(answer: Promise<T>): Promise<T> {
    const known = answer.catch((thrown: unknown) => {
      throw errorOf(thrown, this.name);
    });
    return Promise.race([known, this.#died]);
  }

  /**
   * The answer; a worker that gives none counts as hung, and as dead. The limit is counted in ticks
   * of this thread, so that time in which the whole process was stopped (Ctrl-Z, a suspended
   * machine) does not count against the worker.
   */
  async #within<T>(answer: Promise<T>): Promise<T> {
    let ticks = 0;
    const timer = setInterval(() => {
      if (++ticks < ANSWER_TICKS) return;
      const reason = `no answer within ${(ANSWER_TICKS * TICK_MS) / 1_000} s`;
      this.#die({ reason, error: new Error(`${this.name}: ${reason}`) });
    }, TICK_MS);
    try {
      return await answer;
    } finally {
      clearInterval(timer);
    }
  }
}
