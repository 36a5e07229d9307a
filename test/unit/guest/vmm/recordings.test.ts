/** Real QEMU, call for call: what it was given goes into the model, what it asked must come out. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseRecording, replay } from "./replay.ts";
import type { RigOptions } from "./rig.ts";

const DIRECTORY = join(import.meta.dirname, "recordings");
const VERSIONS = { q72: "7.2", q10: "10.0", q11: "11.1" } as const;

/** Recordings are named QEMU-mode-device-workload-vCPUs. */
function optionsOf(name: string): RigOptions {
  return {
    version: VERSIONS[name.slice(0, 3) as keyof typeof VERSIONS],
    path: name.includes("nobypass") ? "userspace" : "irqfd",
  };
}

describe("the model of QEMU", () => {
  const files = readdirSync(DIRECTORY).filter((name) => name.endsWith(".jsonl"));

  it("is held against recordings of all three versions", () => {
    expect(new Set(files.map((name) => name.slice(0, 3)))).toEqual(new Set(["q72", "q10", "q11"]));
  });

  it.each(files)("makes the calls of %s", (name) => {
    const lines = parseRecording(readFileSync(join(DIRECTORY, name), "utf8"));
    const { modelled, recorded } = replay(lines, optionsOf(name));
    expect(recorded.length).toBeGreaterThan(40);
    expect(modelled).toEqual(recorded);
  });
});
