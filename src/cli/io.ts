/** What a command may touch of the process, so that tests can stand in for it. */

export interface Io {
  /** Results only. */
  out(text: string): void;
  /** Errors, and progress if it is a terminal. */
  err(text: string): void;
  readonly outIsTty: boolean;
  readonly errIsTty: boolean;
  /** Columns of the terminal, or what the user says there are; unknown if not there. */
  readonly outColumns?: number;
  /** The user wants no colours. */
  readonly noColor?: boolean;
  /** Calls `handler` at every SIGINT and SIGTERM until the returned function is called. */
  onInterrupt(handler: () => void): () => void;
  /** Ends the process at once. */
  exitNow(code: number): void;
}

export const EXIT_OK = 0;
/** An expectation or threshold failed. */
export const EXIT_FAILED = 1;
/** Wrong flags, scenario or recording. */
export const EXIT_USAGE = 2;
/** The model broke its own rules. */
export const EXIT_INVARIANT = 3;
export const EXIT_INTERRUPTED = 130;

/** Ctrl-C, and what timeout(1) and service managers send: both want a result, and soon. */
const INTERRUPTS = ["SIGINT", "SIGTERM"] as const;

/** The terminal's own number, or COLUMNS where stdout is none. */
function outColumns(): { outColumns?: number } {
  const columns = process.stdout.columns ?? Number(process.env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? { outColumns: columns } : {};
}

/** The real process. */
export function processIo(): Io {
  // A reader that has seen enough (head) is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_OK);
    process.stderr.write(`error: stdout cannot be written: ${error.message}\n`);
    process.exit(EXIT_USAGE);
  });
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    outIsTty: process.stdout.isTTY === true,
    errIsTty: process.stderr.isTTY === true,
    ...outColumns(),
    noColor: (process.env.NO_COLOR ?? "") !== "",
    onInterrupt(handler) {
      for (const signal of INTERRUPTS) process.on(signal, handler);
      return () => {
        for (const signal of INTERRUPTS) process.off(signal, handler);
      };
    },
    exitNow: (code) => process.exit(code),
  };
}
