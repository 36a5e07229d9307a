/**
 * Changes that no test can notice, because the program does the same with them; each with the
 * reason. They are not tried. An entry that matches nothing any more is an error.
 */
export interface Equivalent {
  readonly file: string;
  /** The source line, trimmed, before and after the change. */
  readonly before: string;
  readonly after: string;
  readonly why: string;
}

export const EQUIVALENTS: readonly Equivalent[] = [];
