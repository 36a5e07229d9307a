/** Whatever a scenario file or a flag says, the loader answers with a scenario or a UsageError. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/base/errors.ts";
import { loadScenarioText } from "../../src/scenario/loader.ts";

const LIBRARY = new URL("../../src/scenario/library/nvme-reboot.yaml", import.meta.url);
const TEXT = readFileSync(LIBRARY, "utf8");

/** True if the text loads; anything but a UsageError is a bug. */
function loads(text: string, set: readonly string[] = []): boolean {
  try {
    loadScenarioText(text, { file: "f.yaml", set });
    return true;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.format()).not.toMatch(/undefined|\[object/);
    return false;
  }
}

describe("the scenario loader", () => {
  it("survives a file with a piece replaced by another", () => {
    const piece = fc.oneof(
      fc.constantFrom("", "-", ":", "[", "}", "null", "&a", "*a", "!!x", "0", "-1", "1e99", "\n"),
      fc.string({ maxLength: 8 }),
      fc.nat(TEXT.length - 30).map((at) => TEXT.slice(at, at + 30)),
    );
    fc.assert(
      fc.property(fc.nat(TEXT.length), fc.nat(12), piece, (at, length, replacement) => {
        loads(TEXT.slice(0, at) + replacement + TEXT.slice(at + length));
      }),
      { seed: 20_261_122, numRuns: 500 },
    );
  });

  it("survives any value at any known place", () => {
    const path = fc.constantFrom(
      "name",
      "seed",
      "host",
      "host.cpus",
      "devices",
      "devices.0",
      "devices.0.count",
      "devices.nvme0.msiVectors",
      "guests",
      "guests.g1",
      "guests.0.count",
      "guests.0.device",
      "guests.0.devices",
      "guests.0.workload",
      "guests.0.timeline",
      "guests.0.timeline.1.every",
      "duration",
      "run.limit",
      "costs.syscall",
      "expect",
    );
    fc.assert(
      fc.property(path, fc.jsonValue({ maxDepth: 2 }), (place, value) => {
        loads(TEXT, [`${place}=${JSON.stringify(value)}`]);
      }),
      { seed: 20_261_122, numRuns: 500 },
    );
  });

  it("is not always in error here: the unchanged file loads", () => {
    expect(loads(TEXT)).toBe(true);
    expect(loads(TEXT, ["guests.g1.vcpus=2"])).toBe(true);
  });
});
