/** Why a run ends before its time: the first who asks decides. */

export class StopRequest {
  #reason: string | null = null;
  #failure: Error | null = null;
  #resolve: () => void = () => {};
  /** Resolves when somebody has asked. */
  readonly made: Promise<void> = new Promise((resolve) => {
    this.#resolve = resolve;
  });

  /** Null: run on. */
  get reason(): string | null {
    return this.#reason;
  }

  /** The error that broke the run, if one did; then nothing of it can be trusted any more. */
  get failure(): Error | null {
    return this.#failure;
  }

  make(reason: string): void {
    this.#reason ??= reason;
    this.#resolve();
  }

  /** The model is broken, which is worth more than any other reason. */
  fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#reason = error.message;
    this.#resolve();
  }

  /** Waits until `work` is done or somebody has asked, whichever comes first. */
  async orUntil(work: Promise<unknown>): Promise<void> {
    await Promise.race([work, this.made]);
  }
}
