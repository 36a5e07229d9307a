/** A copy of the tree in which one file at a time is changed, compiled and tested. */
import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";

/** Others on the machine go first. */
const NICENESS = 10;
/** A mutant hangs if it takes so many times what the tests take without a change; at least, ms. */
const PATIENCE = 4;
const LIMIT_MIN_MS = 60_000;
const REPORT = "mutation-report.json";

export type Verdict =
  /** A test failed. */
  | "killed"
  | "survived"
  /** The tests came to no end, which a person would notice too. */
  | "timed out"
  /** The compiler refuses the change: it is no program, another one is tried in its place. */
  | "invalid";

export interface Trial {
  readonly verdict: Verdict;
  readonly seconds: number;
  /** The test that failed; empty if none did. */
  readonly by: string;
}

interface Run {
  /** Null: it had to be killed. */
  readonly code: number | null;
  readonly output: string;
}

/** What Vitest's JSON reporter writes, as far as it is read here. */
interface VitestReport {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

export class ScratchTree {
  /** Where the copy is; the tree may change meanwhile. */
  readonly path: string;
  readonly #root: string;
  /** What the compiler says without a change: nothing, normally. */
  #complaints = "";
  #limitMs = Number.POSITIVE_INFINITY;
  #running: (() => void) | null = null;

  /** Copies what the tests need from `root`, whose packages are used where they are. */
  constructor(root: string) {
    this.#root = root;
    this.path = mkdtempSync(join(tmpdir(), "mutants-"));
    for (const name of ["src", "host", "guest", "test", "package.json", "tsconfig.json"]) {
      cpSync(join(root, name), join(this.path, name), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(this.path, "node_modules"));
  }

  /** The tests without any change: they have to pass, else every mutant would be killed. */
  async expectSound(): Promise<Trial> {
    this.#complaints = await this.#compile();
    const start = performance.now();
    const code = await this.#test("");
    const ms = performance.now() - start;
    if (code !== 0) throw new Error(`the tests fail without any change: ${this.#failedTest()}`);
    this.#limitMs = Math.max(LIMIT_MIN_MS, PATIENCE * ms);
    return { verdict: "survived", seconds: seconds(ms), by: "" };
  }

  /** Runs the tests with `file` as `text`; the file is put back. */
  async try(file: string, text: string): Promise<Trial> {
    const path = join(this.path, file);
    const original = readFileSync(path);
    const start = performance.now();
    writeFileSync(path, text);
    try {
      const compiled = (await this.#compile()) === this.#complaints;
      const verdict = compiled ? verdictOf(await this.#test(file)) : "invalid";
      const by = verdict === "killed" ? this.#failedTest() : "";
      return { verdict, seconds: seconds(performance.now() - start), by };
    } finally {
      writeFileSync(path, original);
    }
  }

  /** Ends what runs, and takes the copy away. */
  remove(): void {
    this.#running?.();
    rmSync(this.path, { recursive: true, force: true });
  }

  /** What the compiler says; a variable that nobody uses any more is no error here. */
  async #compile(): Promise<string> {
    const unused = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
    const args = ["-p", "tsconfig.json", "--noEmit", "--pretty", "false", ...unused];
    const { output } = await this.#run("typescript/bin/tsc", args, {});
    return output.split("\n").sort().join("\n");
  }

  /** Exit code; null: it had to be killed. */
  async #test(mutated: string): Promise<number | null> {
    rmSync(join(this.path, REPORT), { force: true });
    const config = ["--config", "test/mutation/vitest.config.ts"];
    const reporter = ["--reporter=json", `--outputFile=${REPORT}`];
    const args = ["run", ...config, ...reporter];
    return (await this.#run("vitest/vitest.mjs", args, { MUTATED_FILE: mutated })).code;
  }

  #run(tool: string, args: readonly string[], env: Record<string, string>): Promise<Run> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, [join(this.#root, "node_modules", tool), ...args], {
        cwd: this.path,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "ignore"],
      });
      let output = "";
      child.stdout.on("data", (part: Buffer) => {
        output += part.toString();
      });
      if (child.pid !== undefined) setPriority(child.pid, NICENESS);
      this.#running = () => child.kill("SIGKILL");
      const timer = setTimeout(() => child.kill("SIGKILL"), Math.min(this.#limitMs, 2 ** 31 - 1));
      child.on("close", (code) => {
        clearTimeout(timer);
        this.#running = null;
        resolve({ code, output });
      });
    });
  }

  /** Name of the first test that failed, or the error that let none begin. */
  #failedTest(): string {
    const path = join(this.path, REPORT);
    if (!existsSync(path)) return "";
    const { testResults } = JSON.parse(readFileSync(path, "utf8")) as VitestReport;
    // Tests that were not tried any more count as failed too, but have nothing to say.
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    const failed = tests.find(({ failureMessages }) => failureMessages.length > 0);
    const broken = testResults.find(({ message }) => message !== "");
    return failed?.fullName ?? broken?.message.split("\n")[0] ?? "";
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}

function verdictOf(code: number | null): Verdict {
  if (code === null) return "timed out";
  return code === 0 ? "survived" : "killed";
}
