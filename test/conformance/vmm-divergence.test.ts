/** Recordings that are changed: each change has to be found, where it is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createVmm } from "../../guest/vmm/create.ts";
import { createHost } from "../../host/host.ts";
import { layersText } from "../../src/cli/layers-text.ts";
import { conformVmmRecording, type VmmConformance } from "../../src/conform/vmm/conform.ts";
import { vmmRows } from "../../src/conform/vmm/layers.ts";
import { parseVmmRecording, type RecordedLine } from "../../src/conform/vmm/recording.ts";

const RECORDINGS = fileURLToPath(new URL("./vmm-recordings", import.meta.url));

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "vmm-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function linesOf(name: string): RecordedLine[] {
  return parseVmmRecording(readFileSync(join(RECORDINGS, name), "utf8"), name);
}

function run(name: string, lines: readonly RecordedLine[]): VmmConformance {
  const path = join(root, name);
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return conformVmmRecording(path, { createHost, createVmm }, true);
}

const BOOT = "q10-kvm-nvme-boot-smp1.jsonl";

/** The boot with line `i` changed. */
function changed(find: (line: RecordedLine) => boolean, change: object): [number, VmmConformance] {
  const lines = linesOf(BOOT);
  const at = lines.findIndex(find);
  expect(at).toBeGreaterThanOrEqual(0);
  lines[at] = { ...lines[at]!, ...change };
  return [lines[at]!.i, run(BOOT, lines)];
}

const isUse = ({ op, index, start }: RecordedLine): boolean =>
  op === "set_irqs" && index === "MSIX" && start === 1;
const isAssign = ({ op, act, gsi }: RecordedLine): boolean =>
  op === "kvm_irqfd" && act === "assign" && gsi === 24;

describe("a changed recording of a boot", () => {
  it.each([
    ["fds", isUse, { fds: ["e0"] }],
    ["ret", isUse, { ret: -1, errno: 22 }],
    ["msi_irqs", isUse, { msi_irqs: [2, 2] }],
    ["call", isUse, { flags: "NONE|TRIGGER" }],
    ["gsi", isAssign, { gsi: 25 }],
    ["msi_irqs", ({ op }: RecordedLine) => op === "reset", { msi_irqs: 1 }],
    ["routes", ({ op }: RecordedLine) => op === "kvm_routing", { gone: [30] }],
  ])("diverges in %s", (field, find, change) => {
    const [line, { divergences }] = changed(find, change);
    expect(divergences[0]).toMatchObject({ line, field });
    expect(divergences.length).toBeLessThan(6);
  });

  it("lacks a call that was not recorded, and shows it in its place", () => {
    const lines = linesOf(BOOT);
    const found = run(
      BOOT,
      lines.filter((line) => !isUse(line)),
    );
    expect(found.divergences).not.toEqual([]);
    expect(layersText(vmmRows(found), { width: 120 })).toContain(
      "too many: MSIX 1 1 EVENTFD|TRIGGER",
    );
  });

  it("needs the guest's writes", () => {
    const lines = linesOf(BOOT).filter(({ op }) => op !== "g_tblw");
    const { divergences } = run(BOOT, lines);
    expect(divergences[0]).toMatchObject({ field: "call", got: undefined });
  });
});

describe("MSI turned on while MSI-X is on", () => {
  it("aborts the VMM at the end of MSI-X, and what it had is closed", () => {
    const lines = linesOf("q10-kvm-igb-raw.jsonl");
    const enabled = lines.findIndex(({ op, val }) => op === "g_cfgw" && val === "0x8009");
    const start = lines.slice(0, enabled + 1);
    const { i } = start.at(-1)!;
    const write = (n: number, off: string, val: string): RecordedLine[] => [
      { i: i + n, t: 0, op: "g_cfgw", dev: "igb", off, len: 2, val },
      { i: i + n + 1, t: 0, op: "cfgw", dev: "igb", off, len: 2, val, thr: "cpu0" },
    ];
    const found = run("q10-kvm-igb-msi-over-msix.jsonl", [
      ...start,
      ...write(1, "0x72", "0x8009"),
      ...write(3, "0x52", "0x1"),
      ...write(5, "0x52", "0x0"),
      ...write(7, "0x72", "0x9"),
    ]);
    expect(found.aborted).toContain("msix_unset_vector_notifiers: Assertion");
    expect(layersText(vmmRows(found), { width: 120 })).toContain(
      "the VMM aborted: msix_unset_vector_notifiers",
    );
    const calls = found.steps.map(({ got }) => got?.what);
    expect(calls.filter((what) => what === "MSI 0 1 EVENTFD|TRIGGER")).toHaveLength(1);
    expect(found.divergences.filter(({ op }) => op === "exit")).toEqual([]);
  });
});
