/** The replay command: streams, exit codes, and what it takes for a log. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { Io } from "../../../../src/cli/io.ts";
import { runCli } from "../../../../src/cli/program.ts";
import { parseDeviceFlag } from "../../../../src/cli/replay.ts";
import { styleFor, widthOf } from "../../../../src/cli/terminal.ts";
import { COLOURED, PLAIN } from "../../../../src/report/style.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "replay-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));
const CONFORMANCE = fileURLToPath(new URL("../../../conformance", import.meta.url));
const BOOT = join(CONFORMANCE, "logs/nvme-boot.log.jsonl");

interface Terminal {
  readonly outIsTty?: boolean;
  readonly outColumns?: number;
  readonly noColor?: boolean;
}

async function cli(args: readonly string[], terminal: Terminal = {}) {
  let [out, err] = ["", ""];
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
    exitNow: () => {},
    ...terminal,
  };
  const code = await runCli(["replay", ...args], io);
  return { code, out, err };
}

function logOf(...lines: (object | string)[]): string {
  const path = join(DIRECTORY, `${lines.length}-${JSON.stringify(lines).length}.jsonl`);
  const texts = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line)));
  writeFileSync(path, texts.map((text) => `${text}\n`).join(""));
  return path;
}

const CALL = { device: "nic", index: 2, start: 0, count: 1, flags: 36, fds: ["e0"], ret: 0 };

describe("replay", () => {
  it("of a real boot finds no divergence, in text and JSON", async () => {
    const text = await cli([BOOT]);
    expect([text.code, text.err]).toEqual([0, ""]);
    expect(text.out).toContain(
      "  linux-6.12, x86-vtd, 2 CPUs\n  0000:03:00.0: nvme, 64 MSI-X, INTx\n",
    );
    expect(text.out).toMatch(/MSIX 2 1 EVENTFD\|TRIGGER \[e15\] +0 +0 +3 +24 +13\n/);
    expect(text.out).toMatch(/\n84 calls: 0 divergences\n$/);
    const json = JSON.parse((await cli([BOOT, "-o", "json"])).out);
    expect(json).toMatchObject({
      schema: "vfio-cosim/replay/1",
      totals: { calls: 84, divergences: 0 },
      assumed: [],
      pool: { exit: { irqs: 0, irtes: 21, vectors: 10 } },
    });
    expect(json.rows).toHaveLength(readFileSync(BOOT, "utf8").split("\n").length - 2);
  });

  it("ends with 1 where an answer differs, and shows it in its place", async () => {
    const { code, out } = await cli([logOf(CALL, { ...CALL, ret: -28 })]);
    expect(code).toBe(1);
    expect(out).toMatch(/-ENOSPC +0 .*\n +!! ret: expected -ENOSPC, got 0\n/);
    expect(out).toMatch(/\n2 calls: 1 divergence\n$/);
    expect(out).toContain("assumed: linux-6.12 (--kernel), x86-vtd (--platform), 4 CPUs");
    expect(out).toContain("nic: 1 MSI-X; the smallest that fits the log (--device nic=MODEL");
  });

  it("of another kernel answers as that does", async () => {
    const growth = [CALL, { ...CALL, start: 1, ret: -1, errno: "EINVAL" }];
    const path = logOf({ devices: [{ name: "nic", msixVectors: 4 }] }, ...growth);
    expect((await cli([path])).code).toBe(1);
    expect((await cli([path, "--kernel", "linux-6.1"])).code).toBe(0);
    expect((await cli([path, "--platform", "arm64-its"])).code).toBe(0);
  });

  it("folds what repeats itself, unless it is told not to", async () => {
    const calls = Array.from({ length: 9 }, (_, i) => ({ ...CALL, start: i, fds: [`e${i}`] }));
    const path = logOf(...calls);
    expect((await cli([path])).out).toContain("MSIX 0..8 1 EVENTFD|TRIGGER [e0..e8] (9 calls)");
    expect((await cli([path, "-v"])).out).toContain("MSIX 7 1 EVENTFD|TRIGGER [e7]");
  });

  it("takes a VMM's recording too, and shows what its guest did", async () => {
    const path = join(CONFORMANCE, "vmm-recordings/q10-kvm-nvme-boot-smp1.jsonl");
    const { code, out } = await cli([path]);
    expect(code).toBe(0);
    expect(out).toMatch(/^line +s +guest +VMM asks +kernel +irqs +IRTEs +vectors\n/);
    expect(out).toMatch(/entries 0\.\.63 ctrl = 0x1\n/);
    const { rows } = JSON.parse((await cli([path, "-o", "json"])).out);
    expect(rows.length).toBeGreaterThan(300);
  });

  it.each([
    ["not JSON", ["{", JSON.stringify(CALL)], [], /:1:2: not JSON\n {2}hint: /],
    ["an unknown flag", [{ ...CALL, flags: "X" }], [], /:1:\d+: unknown flag "X"\n {2}hint: /],
    ["a bad device", [CALL], ["--device", "nic"], /--device nic: not NAME=MODEL:VECTORS/],
    ["a bad model", [CALL], ["--device", "nic=nvm"], /no model nvm\n {2}hint: did you mean nvme/],
    ["too many vectors", [CALL], ["--device", "nic=nvme:2049"], /2049 MSI-X vectors/],
  ])("refuses %s with 2", async (_, lines, flags, message) => {
    const { code, out, err } = await cli([logOf(...lines), ...flags]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });

  it("refuses a file that is not there, or is a directory", async () => {
    expect(await cli([join(DIRECTORY, "none")])).toMatchObject({ code: 2, out: "" });
    expect((await cli([DIRECTORY])).err).toContain("cannot be read (EISDIR)");
  });
});

describe("the --device flag", () => {
  it("names a model, its MSI-X and its MSI vectors, each of them optional", () => {
    expect(parseDeviceFlag("0000:03:00.0=nvme:65")).toMatchObject({
      name: "0000:03:00.0",
      model: "nvme",
      msixVectors: 65,
      msiVectors: null,
    });
    expect(parseDeviceFlag("x=nec-usb-xhci:16,8")).toMatchObject({ msiVectors: 8 });
    expect(parseDeviceFlag("nic=:10,8")).toMatchObject({ model: null, msixVectors: 10 });
    expect(parseDeviceFlag("nic=edu")).toMatchObject({ model: "edu", msixVectors: null });
  });
});

describe("the terminal", () => {
  it("says how wide a line is and whether it may be coloured", async () => {
    const wide = await cli([BOOT], { outIsTty: true, outColumns: 160 });
    expect(wide.out).toContain("\u001b[1m");
    const plain = await cli([BOOT], { outIsTty: true, noColor: true, outColumns: 80 });
    expect(plain.out).not.toContain("\u001b");
    expect(Math.max(...plain.out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("is 100 columns wide where nobody knows, and never less than 60", () => {
    const io = { outIsTty: true } as Io;
    expect(widthOf(io)).toBe(100);
    expect(widthOf({ ...io, outColumns: 20 })).toBe(60);
    expect([styleFor(io), styleFor({ ...io, noColor: true })]).toEqual([COLOURED, PLAIN]);
  });
});
