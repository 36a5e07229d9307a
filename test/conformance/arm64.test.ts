import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";
import type { CreateHost } from "../../src/run/contract.ts";
import type { HostSpec } from "../../src/scenario/types.ts";

const RECORDINGS = fileURLToPath(new URL("./recordings-arm64", import.meta.url));

/** Folder, recordings in it, and operations that must have been compared at least. */
const FOLDERS: readonly [string, number, number][] = [
  ["gicv2m", 9, 560],
  ["handwritten", 36, 4700],
  ["newer", 22, 2280],
  ["nointxmask", 12, 980],
  ["older", 5, 470],
  ["pool", 22, 2720],
  ["pool-x86", 8, 880],
  ["random", 45, 2700],
  ["random-pool", 15, 670],
];

describe("the host answers as the recorded arm64 kernels did", () => {
  it.each(FOLDERS)("in %s", (folder, scripts, ops) => {
    const result = conformFiles([`${RECORDINGS}/${folder}`], { createHost });
    expect(result.divergences).toEqual([]);
    expect(result.totals.scripts).toBe(scripts);
    expect(result.totals.ops).toBeGreaterThanOrEqual(ops);
  });
});

describe("a host that is another one is found out", () => {
  /** Divergences of one recording on a host that differs in `change`. */
  function divergences(recording: string, change: Partial<HostSpec>): number {
    const other: CreateHost = (env, host, devices) => {
      return createHost(env, { ...host, ...change }, devices);
    };
    const path = `${RECORDINGS}/${recording}.jsonl`;
    return conformFiles([path], { createHost: other }).totals.divergences;
  }

  it("without the leak of MSI 3", () => {
    const fixed = ["its-msi-frees-part", "its-prepare-marks-shared"] as const;
    expect(divergences("pool/q11-msi-leak-03.6.12-arm64", { fixed })).toBeGreaterThan(20);
    expect(divergences("pool/q14-msi-short.6.12-arm64", { fixed: [fixed[1]] })).toBeGreaterThan(5);
  });

  it("with another kernel's blocks of LPIs", () => {
    const q01 = "pool/q01-lpi-cost-msix.6.12-arm64";
    expect(divergences(q01, { kernel: "linux-6.1" })).toBeGreaterThan(5);
    expect(divergences(q01, { kernel: "linux-7.2" })).toBeGreaterThan(5);
  });

  it("with one LPI less", () => {
    const q13 = "pool/q13-nothing-left.6.12-arm64";
    expect(divergences(q13, { lpis: 57_343 })).toBeGreaterThan(0);
  });
});
