/** The two kinds of failure that reach a user: their input is wrong, or the model is. */

/** Where in a user's input something is wrong; lines and columns count from 1. */
export interface InputPlace {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** Wrong user input (scenario, flag, recording): names the place and the remedy; exit code 2. */
export class UsageError extends Error {
  readonly place: InputPlace;
  readonly hint: string | undefined;

  constructor(message: string, options: { place?: InputPlace; hint?: string } = {}) {
    super(message);
    this.name = "UsageError";
    this.place = options.place ?? {};
    this.hint = options.hint;
  }

  /** `file:line:column: message` and, on a second line, what to do. */
  format(): string {
    const { file, line, column } = this.place;
    const at = [file, line, column].filter((part) => part !== undefined).join(":");
    const head = at === "" ? this.message : `${at}: ${this.message}`;
    return this.hint === undefined ? head : `${head}\n  hint: ${this.hint}`;
  }
}

/** A broken invariant of the model: a bug of ours, never of the user's; exit code 3. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "InvariantError";
  }
}
