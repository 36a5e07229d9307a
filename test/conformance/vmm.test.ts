/** Real QEMU, call for call, on the kernel model: driver to VMM, VMM to kernel, kernel to pool. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createVmm } from "../../guest/vmm/create.ts";
import { createHost } from "../../host/host.ts";
import { conformVmmRecording } from "../../src/conform/vmm/conform.ts";

const RECORDINGS = fileURLToPath(new URL("./vmm-recordings", import.meta.url));
const FILES = readdirSync(RECORDINGS).filter((name) => name.endsWith(".jsonl"));

describe("the VMM and the kernel do what was recorded of real ones", () => {
  it("in 30 recordings", () => {
    expect(FILES).toHaveLength(30);
  });

  it.each(FILES)("in %s", (name) => {
    const { ops, divergences } = conformVmmRecording(join(RECORDINGS, name), {
      createHost,
      createVmm,
    });
    expect(divergences).toEqual([]);
    expect(ops).toBeGreaterThan(75);
  });
});
