/** Recordings that a mutated host is held against: of each folder every so-many-th, for speed. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";

const CONFORMANCE = fileURLToPath(new URL("../conformance", import.meta.url));

/** Folder, and which of its recordings: every one, every second, ... */
const FOLDERS: readonly [string, number][] = [
  ["recordings/handwritten", 1],
  ["recordings/nointxmask", 2],
  ["recordings/noremap", 2],
  ["recordings/pool", 1],
  ["recordings/random", 9],
  ["recordings/random-pool", 6],
  ["recordings-irte/amd", 2],
  ["recordings-irte/amd-alias", 1],
  ["recordings-irte/irte", 6],
  ["recordings-irte/random-irte", 31],
  ["recordings-arm64/gicv2m", 1],
  ["recordings-arm64/handwritten", 2],
  ["recordings-arm64/newer", 6],
  ["recordings-arm64/pool", 6],
  ["recordings-arm64/random-pool", 5],
];

it.each(FOLDERS)("the host answers as recorded in %s", (folder, every) => {
  const names = readdirSync(join(CONFORMANCE, folder)).filter((name) => name.endsWith(".jsonl"));
  const chosen = names.sort().filter((_, i) => i % every === 0);
  const paths = chosen.map((name) => join(CONFORMANCE, folder, name));
  expect(conformFiles(paths, { createHost }).divergences).toEqual([]);
});
