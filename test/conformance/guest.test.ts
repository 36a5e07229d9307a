/** Real Linux guests, write for write: kernel and drivers against what recordings hold of them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createReplayGuest } from "../../guest/kernel/replay.ts";
import { conformGuestRecording, type GuestConformance } from "../../src/conform/guest/conform.ts";
import { guestWrites } from "../../src/conform/vmm/calls.ts";
import { parseVmmRecording, type RecordedLine } from "../../src/conform/vmm/recording.ts";

const RECORDINGS = fileURLToPath(new URL("./vmm-recordings", import.meta.url));
const FILES = readdirSync(RECORDINGS).filter((name) => name.endsWith(".jsonl"));

function linesOf(name: string): RecordedLine[] {
  return parseVmmRecording(readFileSync(join(RECORDINGS, name), "utf8"), name);
}

describe("the guest's kernel and drivers write what was recorded of real ones", () => {
  it.each(FILES)("in %s, and every write is compared or said not to be", (name) => {
    const found = conformGuestRecording(join(RECORDINGS, name), createReplayGuest);
    expect(found.divergences).toEqual([]);
    const left = found.notCompared.reduce((sum, { writes }) => sum + writes, 0);
    expect(found.ops + left).toBe(guestWrites(linesOf(name)).size);
  });

  it("compares most of it: nvme and igb by their drivers, others by the kernel's rules", () => {
    let compared = 0;
    let left = 0;
    for (const name of FILES) {
      const found = conformGuestRecording(join(RECORDINGS, name), createReplayGuest);
      compared += found.ops;
      left += found.notCompared.reduce((sum, { writes }) => sum + writes, 0);
    }
    expect(compared).toBeGreaterThanOrEqual(13_920);
    expect(compared / (compared + left)).toBeGreaterThan(0.84);
  });
});

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "guest-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function run(name: string, lines: readonly RecordedLine[]): GuestConformance {
  const path = join(root, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return conformGuestRecording(path, createReplayGuest);
}

const LIFE = "q10-kvm-nvme-lifecycle-smp4.jsonl";
const IGB = "q10-kvm-igb-smp4.jsonl";

/** A write of the recording's middle, by what it wrote. */
function placeOf(lines: readonly RecordedLine[], match: Partial<RecordedLine>): number {
  const at = lines.findIndex((line) =>
    Object.entries(match).every(([key, value]) => line[key] === value),
  );
  expect(at).toBeGreaterThan(0);
  return at;
}

describe("a changed recording", () => {
  it.each([
    ["a message", LIFE, { op: "g_tblw", vector: 2, field: "data", val: "0x22" }, "0x122"],
    ["an address", LIFE, { op: "g_tblw", vector: 2, field: "addr_lo" }, "0xfee00004"],
    ["a mask bit", IGB, { op: "g_tblw", vector: 4, field: "ctrl", val: "0x0" }, "0x1"],
    ["MSI-X control", IGB, { op: "g_cfgw", off: "0x72", val: "0x8009" }, "0xc009"],
    ["the command register", LIFE, { op: "g_cfgw", off: "0x4", val: "0x507" }, "0x107"],
  ])("is found in %s", (_what, name, match, val) => {
    const lines = linesOf(name);
    const at = placeOf(lines, match);
    lines[at] = { ...lines[at]!, val };
    const { divergences } = run(name, lines);
    expect(divergences.length).toBeGreaterThan(0);
    expect(Math.abs(divergences[0]!.line - lines[at]!.i)).toBeLessThan(4);
  });

  it("is found in a write that is missing, and in one too many", () => {
    const lines = linesOf(IGB);
    const at = placeOf(lines, { op: "g_tblw", vector: 3, field: "addr_hi" });
    const missing = run(IGB, lines.toSpliced(at, 1)).divergences;
    expect(missing[0]).toMatchObject({ expected: undefined, got: "entry 3 addr_hi = 0x0" });
    const many = run(IGB, lines.toSpliced(at, 0, lines[at]!)).divergences;
    expect(many[0]).toMatchObject({ expected: "entry 3 addr_hi = 0x0", got: undefined });
  });

  it("says which vCPU a managed vector may not go to", () => {
    const lines = linesOf(LIFE);
    const at = placeOf(lines, { op: "g_tblw", vector: 3, field: "addr_lo", val: "0xfee02000" });
    // Both messages of the start: an I/O queue of vCPU 2 on vCPU 1.
    for (const i of [at, at + 3]) lines[i] = { ...lines[i]!, val: "0xfee01000" };
    const { divergences } = run(LIFE, lines);
    expect(divergences[0]).toMatchObject({
      expected: "entry 3 addr_lo = 0xfee01000",
      got: "entry 3 addr_lo = 0xfee02000",
    });
  });
});

describe("a session that does something unknown", () => {
  it("is not compared from there to the next boot, and says so", () => {
    const lines = linesOf(LIFE).map((line) =>
      line.op === "note" && String(line.text).startsWith("L2> rmmod nvme")
        ? { ...line, text: "L2> frobnicate nvme" }
        : line,
    );
    const { divergences, notCompared } = run(LIFE, lines);
    expect(divergences).toEqual([]);
    expect(notCompared.find(({ why }) => why.includes("frobnicate"))!.writes).toBeGreaterThan(200);
  });
});
