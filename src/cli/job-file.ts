/** DIR/jobs.jsonl of `--out DIR`: a line for each finished run, so that a killed one goes on. */
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { JobStore } from "../sweep/resumed-queue.ts";
import { makeDirectory } from "./execute.ts";

export const JOB_FILE = "jobs.jsonl";

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "unknown";
}

/** Each line is on the disk when append returns; one that cannot be written ends the keeping. */
export class JobFile implements JobStore {
  readonly text: string;
  readonly #file: string;
  #trouble: string | null = null;

  /** `isFresh` forgets what is there. Throws UsageError where nothing can be kept. */
  constructor(dir: string, isFresh: boolean) {
    this.#file = join(dir, JOB_FILE);
    makeDirectory(dir);
    try {
      writeFileSync(this.#file, "", { flag: isFresh ? "w" : "a" });
      this.text = this.#whole();
    } catch (error) {
      throw new UsageError(`--out ${dir}: ${JOB_FILE} cannot be written (${codeOf(error)})`, {
        hint: "name a directory in which files can be made",
      });
    }
  }

  /** Why lines are missing, or null. */
  get trouble(): string | null {
    return this.#trouble;
  }

  append(line: string): void {
    if (this.#trouble !== null) return;
    try {
      appendFileSync(this.#file, line, { flush: true });
    } catch (error) {
      this.#trouble = `${this.#file} cannot be written (${codeOf(error)})`;
    }
  }

  /** Whole lines only: what comes next must not go on with half a line. */
  #whole(): string {
    const bytes = readFileSync(this.#file);
    const end = bytes.lastIndexOf("\n") + 1;
    if (end < bytes.length) truncateSync(this.#file, end);
    return bytes.toString("utf8", 0, end);
  }
}
