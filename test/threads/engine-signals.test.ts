/** The command line and real signals, whenever they come: a result, exit code 130, no hang. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { PROGRAM } from "../support/program.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "vfio-cosim-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

const LONG = join(DIRECTORY, "long.yaml");
writeFileSync(
  LONG,
  `devices: [{ name: nvme, count: 2, model: nvme, msixVectors: 3 }]
guests: [{ name: g, count: 2, vcpus: 1, device: nvme, workload: { rate: 1k/s, per: device } }]
duration: 60s
`,
);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
}

/** Runs a long scenario and sends it signals, `afterMs` from its first words and each other. */
async function runAndSignal(signals: readonly NodeJS.Signals[], afterMs: number): Promise<Ended> {
  const child = spawn(process.execPath, [...PROGRAM, "run", LONG]);
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    if (stdout === "") {
      for (const [i, signal] of signals.entries()) {
        setTimeout(() => child.kill(signal), (i + 1) * afterMs);
      }
    }
    stdout += text;
  });
  child.stderr.resume();
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout };
}

it.concurrent("SIGINT while the workers start ends with a partial result and 130", async () => {
  const { code, stdout } = await runAndSignal(["SIGINT"], 1);
  expect(stdout).toMatch(/\nPARTIAL: ended after .*: interrupted\n/);
  expect(code).toBe(130);
});

it.concurrent("SIGTERM in the run does the same", async () => {
  const { code, stdout } = await runAndSignal(["SIGTERM"], 2_500);
  expect(stdout).toMatch(/\nPARTIAL: ended after .*: interrupted\n/);
  expect(code).toBe(130);
});

it.concurrent("a second SIGINT ends it at once, with threads in every state", async () => {
  const { code } = await runAndSignal(["SIGINT", "SIGINT"], 1);
  expect(code).toBe(130);
});
