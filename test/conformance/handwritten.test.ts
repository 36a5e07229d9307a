import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";

const RECORDINGS = fileURLToPath(new URL("./recordings", import.meta.url));

describe("the host answers every handwritten script as the recorded kernel did", () => {
  it.each(["linux-6.1", "linux-6.12"])("%s", (kernel) => {
    const result = conformFiles([`${RECORDINGS}/handwritten`], { createHost, kernel });
    expect(result.divergences).toEqual([]);
    // 35 scripts: a lower number means that files were not found.
    expect(result.totals.scripts).toBe(35);
    expect(result.totals.ops).toBeGreaterThan(4500);
  });
});
