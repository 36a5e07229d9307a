/** Whole runs through the command line, on the virtual clock: streams, files, interruption. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Io } from "../../../../src/cli/io.ts";
import { runCli } from "../../../../src/cli/program.ts";
import type { RunResult } from "../../../../src/run/result.ts";
import { loadScenario } from "../../../../src/scenario/loader.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "vfio-cosim-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

const SMALL = join(DIRECTORY, "small.yaml");
writeFileSync(
  SMALL,
  `devices: [{ name: nvme0, model: nvme, msixVectors: 3 }]
guests: [{ name: g1, vcpus: 2, device: nvme0, workload: { rate: 5k/s, per: device } }]
duration: 400ms
expect: [lost == 0, delivered > 100]
`,
);

class TestIo implements Io {
  stdout = "";
  stderr = "";
  readonly outIsTty = false;
  readonly errIsTty: boolean;
  readonly exits: number[] = [];
  readonly #interrupts: number;

  /** Presses Ctrl-C so many times as soon as somebody listens. */
  constructor(interrupts = 0, errIsTty = false) {
    this.#interrupts = interrupts;
    this.errIsTty = errIsTty;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
  }

  onInterrupt(handler: () => void): () => void {
    for (let i = 0; i < this.#interrupts; i++) handler();
    return () => {};
  }

  exitNow(code: number): void {
    this.exits.push(code);
  }
}

async function run(io: TestIo, ...args: string[]): Promise<number> {
  return await runCli(["run", SMALL, "--engine", "virtual", ...args], io);
}

describe("run", () => {
  it("prints seed and options first, then the result, and nothing on stderr", async () => {
    const io = new TestIo();
    expect(await run(io, "--seed", "7")).toBe(0);
    expect(io.stdout).toMatch(/^small\n {2}seed 7, engine virtual, kernel linux-6\.12, /);
    expect(io.stdout).toContain("\nPASSED: ");
    expect(io.stderr).toBe("");
  });

  it("prints JSON that is the same for the same seed, and another for another", async () => {
    const ios = [new TestIo(), new TestIo(), new TestIo()];
    await run(ios[0]!, "-o", "json", "--seed", "7");
    await run(ios[1]!, "-o", "json", "--seed", "7");
    await run(ios[2]!, "-o", "json", "--seed", "8");
    const result: RunResult = JSON.parse(ios[0]!.stdout);
    expect([result.schema, result.provenance.seed]).toEqual(["vfio-cosim/run/1", 7]);
    expect(result.provenance.machine).toBeNull();
    expect(ios[1]!.stdout).toBe(ios[0]!.stdout);
    expect(ios[2]!.stdout).not.toBe(ios[0]!.stdout);
  });

  it("fails with 1 if an expectation does, and says what was found", async () => {
    const io = new TestIo();
    expect(await run(io, "--set", "expect=[delivered == 0]")).toBe(1);
    expect(io.stdout).toMatch(/FAILED {2}delivered == 0 {2}\([\d,]+ against 0\)/);
  });

  it("writes result, report and a scenario that loads to the same one", async () => {
    const out = join(DIRECTORY, "deep", "out");
    const io = new TestIo();
    await run(io, "--out", out, "-o", "json", "--set", "guests.g1.vcpus=1");
    expect(readFileSync(join(out, "result.json"), "utf8")).toBe(io.stdout);
    expect(readFileSync(join(out, "report.txt"), "utf8")).toContain("\nPASSED: ");
    const again = loadScenario(join(out, "scenario.yaml"));
    expect(again).toEqual(loadScenario(SMALL, { set: ["guests.g1.vcpus=1"] }));
  });

  it("refuses an --out that cannot be", async () => {
    const io = new TestIo();
    expect(await run(io, "--out", join(SMALL, "below"))).toBe(2);
    expect(io.stderr).toContain("cannot be made");
    // In /proc nobody can make a directory, whoever they are.
    expect(await run(io, "--out", "/proc/none/below")).toBe(2);
    expect(io.stderr).toContain("--out /proc/none/below: cannot be made");
    expect(io.stdout).toBe("");
  });

  it("shows progress on stderr if that is a terminal, and wipes it", async () => {
    const io = new TestIo(0, true);
    await run(io, "--set", "duration=8s");
    expect(io.stderr).toContain(" of 8.00 s, ");
    expect(io.stderr.endsWith("\r\u001b[K")).toBe(true);
    expect(io.stdout).not.toContain("\u001b");
  });
});

describe("Ctrl-C", () => {
  it("stops cleanly: the partial result, exit code 130", async () => {
    const io = new TestIo(1);
    expect(await run(io, "--set", "duration=60s")).toBe(130);
    expect(io.stdout).toContain("PARTIAL: ended after");
    expect(io.exits).toEqual([]);
  });

  it("twice leaves at once", async () => {
    const io = new TestIo(2);
    await run(io, "--set", "duration=60s");
    expect(io.exits).toEqual([130]);
  });
});

describe("conform", () => {
  it.each([
    ["nowhere", "no such file or directory"],
    [DIRECTORY, "no recordings in it"],
    [SMALL, "small.yaml"],
  ])("%s is refused with exit code 2", async (path, words) => {
    const io = new TestIo();
    expect(await runCli(["conform", path], io)).toBe(2);
    expect(io.stderr).toContain(words);
  });

  it("a recording that is cut off is refused with its line", async () => {
    const cut = join(DIRECTORY, "cut.6.12.jsonl");
    writeFileSync(cut, '{"n":1,"op":"@n8 open","ret":0}\n{"n":2,"op":"inf');
    const io = new TestIo();
    expect(await runCli(["conform", cut], io)).toBe(2);
    expect(io.stderr).toContain(`${cut}:2`);
  });
});
