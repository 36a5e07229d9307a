/** Logs of real VMMs' calls: the kernel model answers as the real kernel did. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { conformFiles } from "../../src/conform/conform.ts";
import { parseIoctlLog } from "../../src/conform/replay/log-parser.ts";
import { replayLog } from "../../src/conform/replay/replay.ts";
import { entryText } from "../../src/conform/replay/rows.ts";

const LOGS = fileURLToPath(new URL("./logs", import.meta.url));
const FILES = readdirSync(LOGS).filter((name) => name.endsWith(".log.jsonl"));

/** What the shim of those recordings wrote down is a log, too, of devices that nobody describes. */
const RECORDINGS = fileURLToPath(new URL("./vmm-recordings", import.meta.url));
const RECORDED = readdirSync(RECORDINGS).filter((name) => name.endsWith(".jsonl"));

describe("the recording of a VMM, taken for a log,", () => {
  it.each(RECORDED)("%s is answered as recorded", (name) => {
    const log = parseIoctlLog(readFileSync(join(RECORDINGS, name), "utf8"), name);
    const { calls, divergences, pool, host } = replayLog(log, { createHost }, entryText);
    expect(divergences).toEqual([]);
    expect(calls).toBeGreaterThan(50);
    expect(pool.exit).toEqual(pool.first);
    expect(host.kernel).toBe(name.includes("l1k61") ? "linux-6.1" : "linux-6.12");
  });
});

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

it("the example in the README is a log, and answered as it says", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const lines = readme.split("\n").filter((line) => line.startsWith('    {"'));
  expect(lines).toHaveLength(5);
  const log = parseIoctlLog(`${lines.join("\n")}\n`, "README.md");
  expect(replayLog(log, { createHost }, entryText).divergences).toEqual([]);
});
