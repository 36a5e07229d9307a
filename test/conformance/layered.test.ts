/** Recordings in layers: what is right is shown, and what is changed is marked where it is. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { layersText } from "../../src/cli/layers-text.ts";
import { loadSides } from "../../src/conform/file-worker.ts";
import { type LayeredRecording, layeredRecordings } from "../../src/conform/layered.ts";

const CONFORMANCE = fileURLToPath(new URL(".", import.meta.url));
const DIRECTORY = mkdtempSync(join(tmpdir(), "layered-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

const SIDES = await loadSides();

function layered(path: string): LayeredRecording {
  const [found] = layeredRecordings([path], SIDES);
  return found!;
}

const pageOf = (found: LayeredRecording): string =>
  layersText(found.rows, { width: 100, ...found });

describe("a boot of QEMU's guest", () => {
  const BOOT = "q10-kvm-nvme-boot-smp1.jsonl";
  const text = readFileSync(join(CONFORMANCE, "vmm-recordings", BOOT), "utf8");

  it("shows writes, calls, answers and the pool, nothing marked", () => {
    const page = pageOf(layered(join(CONFORMANCE, "vmm-recordings", BOOT)));
    expect(page).toMatch(/MSI-X on, all masked \(0xc03f\)\n/);
    expect(page).toMatch(/ MSIX 0 1 EVENTFD\|TRIGGER \[-1\] +0 +1 +22 +10\n/);
    expect(page).toMatch(/entries 0\.\.63 ctrl = 0x1\n/);
    expect(page).toMatch(/ irqfd assign e\d+ gsi 21, resample e\d+ +0\n/);
    expect(page).not.toContain("!!");
  });

  it("marks a write that the guest's kernel would have made otherwise, below it", () => {
    const path = join(DIRECTORY, BOOT);
    const at = text.indexOf('"msix_ctrl"');
    const line = text.lastIndexOf("\n", at) + 1;
    const wrong = text.slice(line).replace('"val":"0xc03f"', '"val":"0xc03e"');
    writeFileSync(path, text.slice(0, line) + wrong);
    const found = layered(path);
    expect(found.divergences.length).toBeGreaterThan(0);
    expect(pageOf(found)).toMatch(/MSI-X on, all masked \(0xc03e\)\n +!! /);
  });

  it("marks a call that the VMM would have made otherwise, below it", () => {
    const path = join(DIRECTORY, BOOT);
    writeFileSync(path, text.replaceAll('"start":1,"count":1', '"start":2,"count":1'));
    expect(pageOf(layered(path))).toMatch(
      /MSIX 2 1 EVENTFD\|TRIGGER \[e\d+\] .*\n +!! call: expected .*/,
    );
  });
});

describe("the recording of a kernel", () => {
  const FOLDER = join(DIRECTORY, "handwritten");
  mkdirSync(FOLDER);

  it("shows each operation with what it changed, recorded beside modelled", () => {
    const path = join(FOLDER, "h99.6.12.jsonl");
    writeFileSync(
      path,
      [
        { n: 1, op: "open", ret: 0 },
        { n: 2, op: "auto on", st: { held: 0 } },
        { n: 3, op: "set MSIX 0 2 EVENTFD|TRIGGER e0 e1", ret: -1, errno: "ENOSPC" },
      ]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join(""),
    );
    const page = pageOf(layered(path));
    expect(page).toMatch(/set MSIX 0 2 .*: held 2, kind +-ENOSPC +0 +2 +23 +12\n +msix/);
    expect(page).toContain('!! errno: expected "ENOSPC", got nothing\n');
  });

  it("of arm64 counts LPIs", () => {
    const arm = join(CONFORMANCE, "recordings-arm64/pool");
    const file = "q01-lpi-cost-msix.6.12-arm64.jsonl";
    expect(pageOf(layered(join(arm, file)))).toMatch(/^line +VMM asks .*LPIs/);
  });
});

it("a log has its rows, too", () => {
  const found = layered(join(CONFORMANCE, "logs/nvme-boot.log.jsonl"));
  expect([found.ops, found.divergences]).toEqual([84, []]);
  expect(pageOf(found)).toMatch(/recorded +model/);
});
