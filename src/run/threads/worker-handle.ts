/** Main's handle on one worker: control calls that are heard, and a death that is noticed. */
import { Worker } from "node:worker_threads";
import * as Comlink from "comlink";
import type { Attention, Waker } from "../../shm/waker.ts";
import { nodeEndpoint } from "../../wire/control.ts";

/** Time a worker has to answer a control call before it counts as hung, ms. */
const ANSWER_MS = 15_000;

/** Small heaps: a worker holds one VM, and there may be 64 of them. */
const LIMITS = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256, stackSizeMb: 2 };

export class WorkerHandle<Api> {
  readonly name: string;
  readonly #worker: Worker;
  readonly #remote: Comlink.Remote<Api>;
  readonly #attention: Attention;
  readonly #waker: Waker;
  readonly #died: Promise<never>;
  #onDeath: (reason: string) => void = () => {};
  #dead: string | null = null;
  #ending = false;

  constructor(name: string, url: URL, attention: Attention, waker: Waker) {
    this.name = name;
    this.#attention = attention;
    this.#waker = waker;
    this.#worker = new Worker(url, { name, resourceLimits: LIMITS });
    this.#remote = Comlink.wrap<Api>(nodeEndpoint(this.#worker));
    this.#died = new Promise((_, reject) => {
      const die = (reason: string): void => {
        if (this.#dead !== null) return;
        this.#dead = reason;
        reject(new Error(`${name}: ${reason}`));
        if (!this.#ending) this.#onDeath(reason);
      };
      this.#worker.on("error", (error) => die(error instanceof Error ? error.message : `${error}`));
      this.#worker.on("exit", (code) => die(`worker exited with code ${code}`));
    });
    // Nobody may be waiting for an answer when it dies; onDeath tells what happened.
    this.#died.catch(() => {});
  }

  /** Why the worker is gone, or null. */
  get dead(): string | null {
    return this.#dead;
  }

  /** Called once if the worker dies before `end`. */
  onDeath(listener: (reason: string) => void): void {
    this.#onDeath = listener;
    if (this.#dead !== null && !this.#ending) listener(this.#dead);
  }

  /**
   * Calls into the worker. The message is posted first and the attention word raised after it, so
   * that a worker that leaves its loop for the word finds the message.
   */
  async call<T>(
    invoke: (remote: Comlink.Remote<Api>) => Promise<T>,
    limitMs = ANSWER_MS,
  ): Promise<T> {
    const answer = invoke(this.#remote);
    this.#attention.raise();
    this.#waker.wake();
    return await this.#within(answer, limitMs);
  }

  /** Like `call`, for an answer that comes only when the worker's loop ends. */
  start<T>(invoke: (remote: Comlink.Remote<Api>) => Promise<T>): Promise<T> {
    const answer = invoke(this.#remote);
    const ended = Promise.race([answer, this.#died]);
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

  async #within<T>(answer: Promise<T>, limitMs: number): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name}: no answer within ${limitMs} ms`)),
        limitMs,
      );
    });
    try {
      return await Promise.race([answer, this.#died, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
