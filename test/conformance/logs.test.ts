/** Logs of real VMMs' calls: the kernel model answers as the real kernel did. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";

const LOGS = fileURLToPath(new URL("./logs", import.meta.url));
const FILES = readdirSync(LOGS).filter((name) => name.endsWith(".log.jsonl"));

describe("a log of calls", () => {
  it.each(FILES)("%s is answered as recorded", (name) => {
    const { totals, divergences } = conformFiles([join(LOGS, name)], { createHost });
    expect(divergences).toEqual([]);
    expect(totals.ops).toBeGreaterThan(50);
  });

  it("is left out if it is another kernel's", () => {
    const { totals } = conformFiles([LOGS], { createHost, kernel: "linux-7.2" });
    expect(totals.scripts).toBe(0);
  });
});
