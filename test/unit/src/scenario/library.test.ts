/** Every scenario of the library loads on its engines and says what it is. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { listLibrary, resolveScenario } from "../../../../src/scenario/library.ts";
import { loadScenario } from "../../../../src/scenario/loader.ts";

/** More guests than there can be threads. */
const VIRTUAL_ONLY = ["fleet", "full-table"];

describe("the library", () => {
  it.each(listLibrary().map(({ name }) => name))(
    "%s loads, expects something, is named",
    (name) => {
      const engine = VIRTUAL_ONLY.includes(name) ? "virtual" : "threads";
      const scenario = loadScenario(name, { engine });
      expect(scenario.name).toBe(name);
      expect(scenario.expect.length).toBeGreaterThan(0);
      const { text } = resolveScenario(name);
      // `list` has it in one line.
      expect(text).toMatch(/^# .{20,76}\n#\n# Source: [\s\S]*\n# Expectation: /);
    },
  );

  it("holds the scenarios of the documentation", () => {
    expect(listLibrary().map(({ name }) => name)).toEqual([
      "add-queue",
      "boot-stages",
      "crash-loop",
      "dpdk-hoard",
      "edu-intx",
      "fleet",
      "full-table",
      "greedy-driver",
      "intx-race",
      "irte-pressure",
      "irte-pressure-amd",
      "irte-pressure-bridge",
      "its-leak",
      "killed-in-call",
      "kvm-routes",
      "latency",
      "lpi-pressure",
      "mask-per-interrupt",
      "migration-routes",
      "nic-channels",
      "nobody-cared",
      "noisy-neighbour",
      "nvme-irqfd",
      "nvme-reboot",
      "nvme-userspace",
      "reboot-loop",
      "retention-pressure",
      "same-eventfd",
      "short-msi",
      "silent-loss",
      "stress-64",
      "vector-growth",
      "whole-table",
    ]);
  });

  it("compares the two paths with nothing else changed", () => {
    const irqfd = loadScenario("nvme-irqfd");
    const userspace = loadScenario("nvme-userspace");
    const [guest] = userspace.guests;
    expect({ ...userspace, name: "x", guests: [{ ...guest!, path: "irqfd" }] }).toEqual({
      ...irqfd,
      name: "x",
    });
  });
});

describe("a scenario that is not there", () => {
  const hint = (name: string): string => {
    try {
      resolveScenario(name);
    } catch (error) {
      return (error as UsageError).format();
    }
    return "";
  };

  it("brings up the nearest name, or the file", () => {
    expect(hint("nvme-rebot")).toContain("did you mean nvme-reboot?");
    expect(hint("./nowhere.yaml")).toContain("./nowhere.yaml: there is no such file");
    expect(hint("src/")).toContain("src/ is a directory");
    expect(() => resolveScenario("zzz")).toThrow(UsageError);
  });
});
