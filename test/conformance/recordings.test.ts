import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";

const RECORDINGS = fileURLToPath(new URL("./recordings", import.meta.url));

/** Folder, recordings in it, and operations that must have been compared at least. */
const FOLDERS: readonly [string, number, number][] = [
  ["nointxmask", 24, 1900],
  ["noremap", 28, 1800],
  ["pool", 32, 3500],
  ["random", 295, 17_500],
  ["random-pool", 47, 2800],
];

describe("the host answers as the recorded kernels did", () => {
  it.each(FOLDERS)("in %s", (folder, scripts, ops) => {
    const result = conformFiles([`${RECORDINGS}/${folder}`], { createHost });
    expect(result.divergences).toEqual([]);
    expect(result.totals.scripts).toBe(scripts);
    expect(result.totals.ops).toBeGreaterThanOrEqual(ops);
  });
});
