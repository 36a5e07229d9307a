/**
 * Remapping tables at their limits (recordings-irte/README.md): VT-d filled to its last entry,
 * AMD-Vi's tables, five devices that share one behind a bridge; and wrong recordings, which must
 * not pass.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";

const RECORDINGS = fileURLToPath(new URL("./recordings-irte", import.meta.url));

/** Folder, recordings in it, and operations that must have been compared, at least. */
const FOLDERS: readonly [string, number, number][] = [
  ["irte", 19, 1414],
  ["random-irte", 62, 3844],
  ["amd", 44, 3128],
  ["amd-alias", 4, 276],
];

describe("the host's remapping tables answer as the recorded kernels' did", () => {
  it.each(FOLDERS)("in %s", { timeout: 240_000 }, (folder, scripts, ops) => {
    const result = conformFiles([join(RECORDINGS, folder)], { createHost });
    expect(result.divergences).toEqual([]);
    expect(result.totals.scripts).toBeGreaterThanOrEqual(scripts);
    expect(result.totals.ops).toBeGreaterThanOrEqual(ops);
  });
});

describe("a recording that is wrong is found", () => {
  let folder = "";
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), "irte-")), "irte");
    mkdirSync(folder);
    const prefill = "prefill-2048.script";
    copyFileSync(join(RECORDINGS, "irte", prefill), join(folder, prefill));
  });
  afterEach(() => rmSync(join(folder, ".."), { recursive: true }));

  /** Runs `name` with the first line that has `from` changed; returns the fields that differ. */
  function fieldsOf(name: string, from: string, to: string): string[] {
    const text = readFileSync(join(RECORDINGS, "irte", name), "utf8");
    expect(text).toContain(from);
    const path = join(folder, name);
    writeFileSync(path, text.replace(from, to));
    return conformFiles([path], { createHost }).divergences.map(({ field }) => field);
  }

  it.each([
    ["q08-pairs.6.12.jsonl", '"free_at":"2086', '"free_at":"2085', "irte"],
    ["q04-fragment.6.12.jsonl", '"4":15', '"4":16', "irte"],
    ["q06-intx.6.12.jsonl", '"reserve":6143', '"reserve":6142', "matrix"],
    ["q07-both.6.12.jsonl", '"alloc_fail":2', '"alloc_fail":1', "matrix"],
    ["q07-both.6.12.jsonl", '"irqdescs":65438', '"irqdescs":65437', "irqdescs"],
    ["q06-intx.6.12.jsonl", "0000:00:19.0: PCI INT A", "0000:00:1a.0: PCI INT A", "log"],
    ["q02-first-enable.6.12.jsonl", '"ret":10', '"ret":9', "ret"],
    ["q09-open.6.12.jsonl", '"errno":"ENOMEM"', '"errno":"ENOSPC"', "errno"],
    ["q03-growth.6.12.jsonl", '"idx":"0-2,10-11"', '"idx":"0-2,10-12"', "st"],
    ["q03-growth.6.12.jsonl", '"irqfile":"20"', '"irqfile":"21"', "irqfile"],
  ])("%s with %s as %s", (name, from, to, field) => {
    expect(fieldsOf(name, from, to)).toEqual([field]);
  });
});
