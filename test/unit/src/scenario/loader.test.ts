/** Scenario errors: where exactly, what is wrong, what to do. */
import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import {
  type LoadOptions,
  loadScenarioText,
  scenarioFromData,
} from "../../../../src/scenario/loader.ts";
import { scenarioYaml } from "../../../../src/scenario/to-yaml.ts";

const BASE = `devices:
  - { name: nvme0, model: nvme, msixVectors: 65 }
  - { name: edu0, model: edu }
guests:
  - name: g1
    device: nvme0
    workload: { rate: 20k/s }
duration: 1s
`;

/** Small, but 121 aliases when spelled out. */
const ALIASES = `a: &a [1]
b: &b [${"*a,".repeat(11)}]
c: [${"*b,".repeat(11)}]
`;

/** The formatted error of loading `text`, or "" if it loads. */
function errorOf(text: string, options: LoadOptions = {}): string {
  try {
    loadScenarioText(text, { file: "t.yaml", ...options });
  } catch (error) {
    if (error instanceof UsageError) return error.format();
    throw error;
  }
  return "";
}

function changed(from: string | RegExp, to: string): string {
  const text = BASE.replace(from, to);
  expect(text).not.toBe(BASE);
  return text;
}

describe("a scenario that is right", () => {
  it("gets every default, in nanoseconds and events a second", () => {
    expect(loadScenarioText(BASE, { file: "dir/small.yaml" })).toEqual({
      name: "small",
      seed: 1,
      host: {
        kernel: "linux-6.12",
        platform: "x86-vtd",
        cpus: 4,
        irtes: 65_536,
        vectorsPerCpu: 201,
        retention: "cache",
        nointxmask: false,
      },
      devices: [
        { name: "nvme0", model: "nvme", msixVectors: 65, msiVectors: 0 },
        { name: "edu0", model: "edu", msixVectors: 0, msiVectors: 1 },
      ],
      guests: [
        {
          name: "g1",
          vmm: "qemu",
          vmmVersion: "10.0",
          vcpus: 1,
          devices: ["nvme0"],
          driver: "nvme",
          path: "irqfd",
          workload: { arrivals: "poisson", rate: 20_000, per: "queue", depth: 1 },
          timeline: [{ at: 0, do: "boot" }],
        },
      ],
      duration: 1_000_000_000,
      run: { wait: "adaptive", stages: "full", limit: 60_000_000_000 },
      costs: {},
      expect: [],
    });
  });

  it("spells out counts: each guest takes the device with its own number", () => {
    const { devices, guests } = loadScenarioText(`
devices: [{ name: nvme, count: 3, model: nvme, msixVectors: 9 }]
guests: [{ name: g, count: 3, device: nvme }]
duration: 1s`);
    expect(devices.map(({ name }) => name)).toEqual(["nvme0", "nvme1", "nvme2"]);
    expect(guests.map(({ name, devices: [device] }) => [name, device])).toEqual([
      ["g0", "nvme0"],
      ["g1", "nvme1"],
      ["g2", "nvme2"],
    ]);
  });

  it("spells out repetitions and puts the timeline in order", () => {
    const { guests } = loadScenarioText(
      changed(
        "device: nvme0",
        `device: nvme0
    timeline:
      - { at: 0ms, do: boot }
      - { at: 400ms, do: crash, every: 200ms, times: 3 }
      - { at: 500ms, do: mode, to: intx }`,
      ),
    );
    expect(guests[0]!.timeline).toEqual([
      { at: 0, do: "boot" },
      { at: 400e6, do: "crash" },
      { at: 500e6, do: "mode", to: "intx" },
      { at: 600e6, do: "crash" },
      { at: 800e6, do: "crash" },
    ]);
  });

  it("takes an unquoted QEMU version, which YAML reads as a number", () => {
    const text = changed("device: nvme0", "device: nvme0\n    vmmVersion: 10.0");
    expect(loadScenarioText(text).guests[0]!.vmmVersion).toBe("10.0");
  });

  it("survives being written to a file and loaded again", () => {
    const scenario = loadScenarioText(
      `${BASE}costs: { syscall: 200ns }\nexpect: [lost == 0]\nseed: 9\nname: again\n`,
    );
    expect(loadScenarioText(scenarioYaml(scenario))).toEqual(scenario);
  });
});

describe("places", () => {
  it("of impossible values are exact", () => {
    expect(errorOf(changed("65", "2049"))).toBe(
      "t.yaml:2:46: devices[0].msixVectors: 2049 is impossible: at most 2048\n" +
        "  hint: an MSI-X table holds 1 to 2048 vectors, 0 means no MSI-X",
    );
    expect(errorOf(changed("device: nvme0", "device: nvme0\n    vcpus: 33"))).toBe(
      "t.yaml:7:12: guests[0].vcpus: 33 is impossible: at most 32\n" +
        "  hint: a guest has 1 to 32 vCPUs",
    );
    expect(errorOf(changed("device: nvme0", "vcpus: 0\n    device: nvme0"))).toMatch(
      /^t\.yaml:6:12: guests\[0\]\.vcpus: 0 is impossible: at least 1\n/,
    );
  });

  it("of unknown keys are those of the key, with the nearest known one", () => {
    expect(errorOf(`${BASE}exepct: []\n`)).toBe(
      't.yaml:9:1: unknown key "exepct"\n  hint: did you mean expect?',
    );
    expect(errorOf(changed("rate:", "rtae:"))).toBe(
      't.yaml:7:17: unknown key "rtae" in guests[0].workload\n  hint: did you mean rate?',
    );
    expect(errorOf(`${BASE}costs: { sycall: 1us }\n`)).toBe(
      't.yaml:9:10: unknown key "sycall" in costs\n  hint: did you mean syscall?',
    );
  });

  it("of missing keys are those of what lacks them", () => {
    expect(errorOf(changed("name: g1\n    ", ""))).toMatch(
      /^t\.yaml:5:5: guests\[0\]\.name is missing/,
    );
  });

  it("of YAML errors are those of the parser", () => {
    expect(errorOf(`${BASE}seed: [1\n`)).toMatch(/^t\.yaml:10:1: not YAML: /);
    expect(errorOf(`${BASE}duration: 2s\n`)).toBe(
      "t.yaml:9:1: not YAML: Map keys must be unique\n  hint: keep one of the two",
    );
  });

  it("are found through anchors and aliases", () => {
    const text = changed("{ rate: 20k/s }", "&w { rate: 20k/s }").replace(
      "duration",
      "  - { name: g2, device: edu0, workload: *w }\nduration",
    );
    expect(errorOf(text.replace("20k/s", "20k"))).toMatch(
      /^t\.yaml:7:26: guests\[0\]\.workload\.rate/,
    );
    expect(loadScenarioText(text).guests[1]!.workload.rate).toBe(20_000);
  });

  it("come in the order of the file, one error a line", () => {
    const text = changed("65", "-1").replace("1s", "0ms");
    expect(errorOf(text).match(/^t\.yaml:\d+/gm)).toEqual(["t.yaml:2"]);
    expect(errorOf(changed("nvme0\n", "nvme7\n").replace("1s", "0ms")).match(/^t\S+/gm)).toEqual([
      "t.yaml:6:13:",
      "t.yaml:8:11:",
    ]);
  });
});

describe("what cannot be is refused in clear words", () => {
  it.each([
    [
      "a missing device",
      changed("device: nvme0", "device: nmve0"),
      "no device nmve0\n  hint: did you mean nvme0?",
    ],
    [
      "a device of two guests",
      changed("duration", "  - { name: g2, device: nvme0 }\nduration"),
      "guest g2: device nvme0 belongs to guest g1 already",
    ],
    [
      "a device twice",
      changed("device: nvme0", "devices: [nvme0, nvme0]"),
      "nvme0 is listed twice",
    ],
    [
      "no device at all",
      changed("    device: nvme0\n", ""),
      "guest g1 needs either device: or devices:",
    ],
    ["two names", changed("edu0", "nvme0"), "two devices are named nvme0"],
    ["a rate of zero", changed("20k/s", "0/s"), "the rate must be above zero"],
    ["a negative rate", changed("20k/s", "-5/s"), '"-5/s" is not a rate'],
    ["a rate without unit", changed("20k/s", "20000"), "needs a unit: 20000/s"],
    [
      "arrivals without a rate",
      changed("rate: 20k/s", "arrivals: fixed"),
      "fixed arrivals need a rate",
    ],
    [
      "a rate of a closed loop",
      changed("{ rate", "{ arrivals: closed, rate"),
      "closed arrivals have no rate",
    ],
    ["a duration without unit", changed("1s", "1"), "duration: 1 needs a unit: 1ms or 1us"],
    ["no duration", changed("1s", "0ms"), "duration must be above zero"],
    [
      "another driver",
      changed("device: nvme0", "device: nvme0\n    driver: edu"),
      "driver edu cannot drive nvme0",
    ],
    [
      "an edu with MSI-X",
      changed("model: edu", "model: edu, msixVectors: 4"),
      "edu has 0 MSI-X vectors",
    ],
    [
      "odd MSI",
      changed("model: edu", "model: nec-usb-xhci, msiVectors: 3"),
      "a power of two, not 3",
    ],
    ["an unknown kernel", `${BASE}host: { kernel: linux-6.2 }\n`, "did you mean linux-6.1?"],
    ["a list for a map", "- 1\n", "the scenario must be a map of keys and values"],
    ["nothing", "# empty\n", "the scenario is empty"],
    ["a fraction", changed("65", "6.5"), "must be a whole number"],
    ["too many aliases", ALIASES, "not usable YAML"],
  ])("%s", (_what, text, words) => {
    expect(errorOf(text)).toContain(words);
  });

  it.each([
    ["after the end", "{ at: 2s, do: reboot }", "reboot is planned for after the end of the run"],
    ["repeated past the end", "{ at: 0ms, do: boot, every: 600ms, times: 3 }", "the last boot"],
    ["before boot", "{ at: 1ms, do: reboot }", "reboot before the guest has booted"],
    [
      "after kill",
      "{ at: 0ms, do: boot }, { at: 1ms, do: kill }, { at: 2ms, do: boot }",
      "process is gone",
    ],
    ["a mode without to", "{ at: 0ms, do: boot }, { at: 1ms, do: mode }", "mode needs to:"],
    [
      "a mode the device lacks",
      "{ at: 0ms, do: boot }, { at: 1ms, do: mode, to: msi }",
      "has no msi",
    ],
    [
      "a vCPU that is not there",
      "{ at: 0ms, do: boot }, { at: 1ms, do: cpu-offline, cpu: 1 }",
      "no vCPU 1",
    ],
    ["times without every", "{ at: 0ms, do: boot, times: 2 }", "times needs every:"],
  ])("a timeline: %s", (_what, entries, words) => {
    expect(
      errorOf(changed("device: nvme0", `device: nvme0\n    timeline: [${entries}]`)),
    ).toContain(words);
  });

  it("more guests than threads can be, but only there", () => {
    const text = `
devices: [{ name: n, count: 65, model: nvme, msixVectors: 2 }]
guests: [{ name: g, count: 65, device: n }]
duration: 1s`;
    expect(errorOf(text, { engine: "threads" })).toContain(
      "65 guests are too many for the threads",
    );
    expect(errorOf(text, { engine: "virtual" })).toBe("");
  });

  it("a run that threads would never end, unless somebody has set the limit", () => {
    const text = `
devices: [{ name: n, model: nvme }]
guests: [{ name: g, device: n }]
duration: 24h`;
    expect(errorOf(text, { engine: "threads" })).toBe(
      "t.yaml:4:11: on threads this takes 86400 seconds, and runs end at 60s\n" +
        "  hint: use --engine virtual, a shorter duration, or a longer run.limit",
    );
    expect(errorOf(text, { engine: "virtual" })).toBe("");
    expect(errorOf(`${text}\nrun: { limit: 5s }`, { engine: "threads" })).toBe("");
    expect(errorOf(text.replace("24h", "60s"), { engine: "threads" })).toBe("");
  });

  it("expectations that are none, or about figures that are not there", () => {
    expect(errorOf(`${BASE}expect: [lots == 0]\n`)).toBe(
      't.yaml:9:10: expectation "lots == 0": there is no figure lots\n  hint: did you mean lost?',
    );
    expect(errorOf(`${BASE}expect: [lost]\n`)).toContain("there is no comparison");
    expect(errorOf(`${BASE}expect: [guests.g9.interrupts > 0]\n`)).toContain("no figure guests.g9");
    expect(errorOf(`${BASE}expect: [guests.g1.latency.p99 < 1ms]\n`)).toBe("");
  });
});

describe("--set", () => {
  it("changes values by number and by name, and makes sections that are left out", () => {
    const { guests, host, run } = loadScenarioText(BASE, {
      set: ["guests.0.vcpus=8", "guests.g1.path=userspace", "host.irtes=256", "run.wait=park"],
    });
    expect([guests[0]!.vcpus, guests[0]!.path, host.irtes, run.wait]).toEqual([
      8,
      "userspace",
      256,
      "park",
    ]);
  });

  it("names the flag where the flag is to blame, and the line where the file is", () => {
    expect(errorOf(BASE, { set: ["guests.0.vcpus=99"] })).toBe(
      "--set guests.0.vcpus=99: guests[0].vcpus: 99 is impossible: at most 32\n" +
        "  hint: a guest has 1 to 32 vCPUs",
    );
    expect(errorOf(changed("65", "2049"), { set: ["guests.0.vcpus=2"] })).toMatch(/^t\.yaml:2:46/);
  });

  it.each([
    ["guests.7.vcpus=1", "guests has no entry 7"],
    ["guests.g2.vcpus=1", "guests has no entry g2\n  hint: guests has 0 to 0: g1"],
    [
      "host.irtse=1",
      '--set host.irtse=1: unknown key "irtse" in host\n  hint: did you mean irtes?',
    ],
    ["vcpus", "there is no path=value"],
    ["duration.x=1", "duration is a single value"],
    ["__proto__.x=1", '"__proto__" is not a key'],
  ])("refuses %s", (set, words) => {
    expect(errorOf(BASE, { set: [set] })).toContain(words);
  });
});

it("a scenario built by a program is validated like a file", () => {
  expect(() => scenarioFromData({ duration: "1s", devices: [], guests: [] })).toThrow(
    "devices: needs at least 1 entry",
  );
});
