/** The command line as a user meets it: usage errors, exit codes, what goes to which stream. */
import { describe, expect, it } from "vitest";
import { exitCode } from "../../../../src/cli/execute.ts";
import type { Io } from "../../../../src/cli/io.ts";
import { runCli } from "../../../../src/cli/program.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function cli(...args: string[]): Promise<Outcome> {
  let out = "";
  let err = "";
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    outIsTty: false,
    errIsTty: false,
    onInterrupt: () => () => {},
    exitNow: () => {
      throw new Error("exitNow");
    },
  };
  const code = await runCli(args, io);
  return { code, out, err };
}

describe("wrong usage", () => {
  it.each([
    [["frob"], "unknown command 'frob'"],
    [["lits"], "(Did you mean list?)"],
    [["run"], "missing required argument 'scenario'"],
    [["run", "nvme-rebot"], "did you mean nvme-reboot?"],
    [["run", "nowhere.yaml"], "nowhere.yaml: there is no such file"],
    [["run", "nvme-reboot", "--engine", "foo"], "Allowed choices are threads, virtual"],
    [["run", "nvme-reboot", "--sed", "1"], "Did you mean one of --seed, --set?"],
    [["run", "nvme-reboot", "--seed", "-1"], "--seed -1: not a whole number"],
    [["run", "nvme-reboot", "--seed", "1e3"], "--seed 1e3: not a whole number"],
    [["run", "nvme-reboot", "--set", "guests.g1.vcpus=33"], "--set guests.g1.vcpus=33: "],
    [["run", "nvme-reboot", "--set", "vcpus"], "--set vcpus: there is no path=value"],
    [["run", "nvme-reboot", "-o", "xml"], "Allowed choices are text, json"],
    [["latency", "--vectors", "2049"], "--vectors 2049: devices[0].msixVectors"],
    [["latency", "--rate", "0/s"], "--rate 0/s: the rate must be above zero"],
    [["latency", "--rate", "fast"], '--rate fast: guests[0].workload.rate: "fast" is not a rate'],
    [["latency", "--guests", "65"], "65 guests are too many"],
    [["latency", "--wait", "doze"], "--wait doze: "],
    [["latency", "--vcpus", "many"], "--vcpus many: guests[0].vcpus must be a number"],
    [["conform"], "missing required argument 'paths'"],
    [["doctor", "now"], "too many arguments"],
  ])("%j is explained on stderr, with exit code 2", async (args, words) => {
    const { code, out, err } = await cli(...args);
    expect(err).toContain(words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/^error: /);
  });

  it("no command at all shows the help as an error", async () => {
    const { code, out, err } = await cli();
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: vfio-cosim");
  });
});

describe("information", () => {
  it("asked for is a result", async () => {
    const version = await cli("--version");
    expect(version).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: "" });
    const help = await cli("--help");
    expect([help.code, help.err]).toEqual([0, ""]);
    expect(help.out).toContain("Exit codes: 0 ok");
    expect((await cli("run", "--help")).out).toContain("--set <path=value>");
  });

  it("list shows scenarios, the schema, the figures", async () => {
    expect((await cli("list")).out).toMatch(/^crash-loop +A guest that crashes/m);
    const schema = JSON.parse((await cli("list", "--schema")).out);
    expect(schema.required).toEqual(["devices", "guests", "duration"]);
    expect(schema.properties.guests.items.properties.vcpus.maximum).toBe(32);
    expect((await cli("list", "--figures")).out).toMatch(/^lost +dropped ones/m);
  });
});

describe("the exit code", () => {
  const passed = { ...SAMPLE, expectations: [] };
  const broken = { check: "leaks", ok: false, detail: "" };

  it("tells what kind of end a run had, the worst first", () => {
    expect(exitCode(passed)).toBe(0);
    expect(exitCode(SAMPLE)).toBe(1);
    expect(exitCode({ ...passed, partial: "limit" })).toBe(1);
    expect(exitCode({ ...SAMPLE, partial: "interrupted" })).toBe(130);
    expect(exitCode({ ...SAMPLE, partial: "interrupted", checks: [broken] })).toBe(3);
    const ledger = { ...SAMPLE.ledger, violations: ["g1 nvme0 intx: 1 vanished"] };
    expect(exitCode({ ...passed, ledger })).toBe(3);
  });

  it("does not count an expectation that decides nothing", () => {
    const text = "ratio.p50 < 2";
    expect(exitCode({ ...passed, expectations: [{ text, ok: null, left: null, right: 2 }] })).toBe(
      0,
    );
  });
});
