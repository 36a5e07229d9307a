/** `report` and `compare` as a user meets them, and the forms of `run`. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Io } from "../../../../src/cli/io.ts";
import { runCli } from "../../../../src/cli/program.ts";
import { canonicalJson } from "../../../../src/report/json.ts";
import { MATRIX } from "../../../support/sample-matrix.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "vfio-cosim-report-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

const SMALL = join(DIRECTORY, "small.yaml");
const OUT = join(DIRECTORY, "out");

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const io: Io = {
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    outIsTty: false,
    errIsTty: false,
    onInterrupt: () => () => {},
    exitNow: () => {},
  };
  const code = await runCli(args, io);
  return { code, out, err };
}

async function run(...args: string[]) {
  return await cli("run", SMALL, "--engine", "virtual", ...args);
}

beforeAll(async () => {
  writeFileSync(
    SMALL,
    `devices: [{ name: nvme0, model: nvme, msixVectors: 3 }]
guests: [{ name: g1, vcpus: 2, device: nvme0, workload: { rate: 5k/s, per: device } }]
duration: 400ms
`,
  );
  await run("--out", OUT);
});

describe("report", () => {
  it("gives what the run gave, in every form", async () => {
    for (const form of ["json", "html", "markdown", "csv", "hgrm"]) {
      const again = await cli("report", OUT, "-o", form);
      expect([again.code, again.err], form).toEqual([0, ""]);
      expect(again.out, form).toBe((await run("-o", form)).out);
    }
    expect((await cli("report", OUT)).out).toBe(readFileSync(join(OUT, "report.txt"), "utf8"));
  });

  it("finds the page that --out wrote to be the same", async () => {
    const page = readFileSync(join(OUT, "report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect((await cli("report", join(OUT, "result.json"), "-o", "html")).out).toBe(page);
  });

  it("shows comparisons of policies, too", async () => {
    const file = join(DIRECTORY, "matrix.json");
    writeFileSync(file, canonicalJson(MATRIX));
    expect((await cli("report", file)).out).toContain("Under qemu the policies do not differ.");
    expect((await cli("report", file, "-o", "hgrm")).code).toBe(2);
  });

  it("gives the distribution of one stage", async () => {
    const handler = await cli("report", OUT, "-o", "hgrm", "--stage", "raised->handler");
    expect(handler.out).toMatch(/^ +Value +Percentile/);
    const unknown = await cli("report", OUT, "-o", "hgrm", "--stage", "handler");
    expect([unknown.code, unknown.out]).toEqual([2, ""]);
    expect(unknown.err).toContain("stages: raised->handler");
    expect((await cli("report", OUT, "--stage", "total")).err).toContain("--stage is for -o hgrm");
  });

  it("refuses what it cannot read, with exit code 2", async () => {
    const newer = join(DIRECTORY, "newer.json");
    writeFileSync(newer, '{"schema":"vfio-cosim/run/99"}');
    const { code, out, err } = await cli("report", newer);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("is of a newer version");
    expect(err).toContain("this version reads vfio-cosim/run/1: update vfio-cosim");
    expect((await cli("report", join(DIRECTORY, "gone"))).err).toContain("there is no result");
  });
});

describe("compare", () => {
  it("sets two results side by side and says that the seed differs", async () => {
    const other = join(DIRECTORY, "other");
    await run("--seed", "9", "--out", other);
    const { code, out, err } = await cli("compare", OUT, other);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/\n {2}seed +\d+ +9\n/);
    expect(out).toMatch(/\n {2}raised /);
    const { figures } = JSON.parse((await cli("compare", OUT, other, "-o", "json")).out);
    expect(figures.length).toBeGreaterThan(20);
    expect((await cli("compare", OUT, other, "-o", "html")).out).toMatch(/^<!doctype html>/);
  });

  it("finds a result equal to itself", async () => {
    expect((await cli("compare", OUT, OUT)).out).toMatch(/All \d+ figures are the same\.\n$/);
  });
});

it("a form that a run cannot have leaves its files whole", async () => {
  const out = join(DIRECTORY, "idle");
  const args = ["--set", "guests.g1.workload.rate=1/s", "--set", "duration=50ms"];
  const { code, err } = await run(...args, "--out", out, "-o", "hgrm");
  expect(code).toBe(2);
  expect(err).toContain("no histogram: no interrupt reached an ISR");
  expect(JSON.parse(readFileSync(join(out, "result.json"), "utf8")).schema).toContain("run/1");
});
