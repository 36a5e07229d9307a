/** compare-policies on real runs: where policies have to differ, where not; the command. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/program.ts";
import { readStored } from "../../src/report/stored.ts";
import { comparePolicies, type PolicyComparison } from "../../src/sweep/compare-policies.ts";
import { type Place, placesOf } from "../../src/sweep/comparison.ts";
import { loadGridBase } from "../../src/sweep/grid.ts";
import { runJob } from "../../src/sweep/job.ts";
import { SerialQueue } from "../../src/sweep/job-queue.ts";
import { LATE_NS } from "../../src/sweep/metrics.ts";
import { DEFAULT_POLICIES, parsePolicies } from "../../src/sweep/policies.ts";
import { parseTopologies } from "../../src/sweep/topologies.ts";
import { parseVmms } from "../../src/sweep/vmms.ts";

function comparisonOf(
  scenario: string,
  vmms: string,
  topologies: string,
  seeds: number,
  set: readonly string[] = [],
): Promise<PolicyComparison> {
  const options = {
    base: loadGridBase(scenario, [...set]),
    policies: parsePolicies(DEFAULT_POLICIES),
    vmms: parseVmms(vmms),
    topologies: parseTopologies(topologies),
    seeds,
    jitterNs: 20e6,
    lateNs: LATE_NS,
    costs: {},
    sensitivity: null,
  };
  return comparePolicies(options, new SerialQueue((job) => runJob(job, "virtual")));
}

describe("retention-pressure", () => {
  let found: PolicyComparison;
  let places: readonly Place[] = [];
  const place = (vmm: string, topology: string): Place =>
    places.find((one) => one.vmm === vmm && one.topology === topology)!;
  const mean = (vmm: string, topology: string, metric: string, policy: string): number =>
    place(vmm, topology).estimate(metric, policy)!.mean;

  beforeAll(async () => {
    const vmms = "qemu 10.0,crosvm,dpdk,minimal";
    found = await comparisonOf("retention-pressure", vmms, "vtd-small,amd,its", 1);
    places = placesOf(found.cells);
  }, 240_000);

  it("runs without a failure, and nothing leaks in any of its runs", () => {
    expect([found.failed, found.bugs, found.isInterrupted]).toEqual([0, 0, false]);
    expect(found.matrix.warnings).toEqual([]);
  });

  it("under QEMU, which only swaps eventfds, makes policies equal but free-on-teardown", () => {
    for (const topology of ["vtd-small", "amd"]) {
      expect(place("qemu 10.0", topology).groups()).toEqual([
        ["cache", "free-on-unset", "free-dynamic", "bounded"],
        ["free-on-teardown"],
      ]);
      // Each swap frees, allocates, and flushes twice more.
      const rearm = (policy: string) => mean("qemu 10.0", topology, "rearmP50", policy);
      expect(rearm("free-on-teardown")).toBeGreaterThan(1.2 * rearm("cache"));
    }
  });

  it("under minimal makes cache harm the late comer, and no policy that gives back", () => {
    const caused = (policy: string) => mean("minimal", "vtd-small", "failuresCaused", policy);
    expect(caused("cache")).toBeGreaterThan(0);
    for (const policy of ["free-on-teardown", "free-on-unset", "free-dynamic"]) {
      expect(caused(policy), policy).toBeLessThan(caused("cache"));
    }
    const idle = (policy: string) => mean("minimal", "vtd-small", "idleIrteSeconds", policy);
    expect(idle("free-on-unset")).toBeLessThan(0.01 * idle("cache"));
    expect(idle("free-dynamic")).toBeLessThan(0.5 * idle("cache"));
    const rearm = (policy: string) => mean("minimal", "vtd-small", "rearmP50", policy);
    expect(rearm("cache")).toBeLessThan(rearm("free-on-unset"));
    expect(place("minimal", "vtd-small").groups()).toContainEqual([
      "free-on-teardown",
      "free-on-unset",
    ]);
    expect(place("minimal", "vtd-small").groups().length).toBeGreaterThan(
      place("qemu 10.0", "vtd-small").groups().length,
    );
  });

  it("under crosvm, which never uses what it took, only bounded helps", () => {
    const caused = (policy: string) => mean("crosvm", "vtd-small", "failuresCaused", policy);
    expect(caused("cache")).toBeGreaterThan(10);
    expect(caused("free-on-unset")).toBe(caused("cache"));
    expect(caused("bounded")).toBe(0);
  });

  it("on AMD-Vi's tables of each device harms nobody, under whatever policy", () => {
    for (const vmm of ["qemu 10.0", "crosvm", "minimal"]) {
      for (const { name } of parsePolicies(DEFAULT_POLICIES)) {
        expect(mean(vmm, "amd", "failures", name)).toBe(0);
      }
    }
  });

  it("on an ITS, which gives no single LPI back, has no effect", () => {
    for (const vmm of ["qemu 10.0", "crosvm", "minimal"]) {
      expect(place(vmm, "its").groups(), vmm).toHaveLength(1);
      expect(place(vmm, "its").isEffective).toBe(false);
    }
    const verdict = found.matrix.verdict.join("\n");
    expect(verdict).toContain("On its the choice has no effect, whatever the VMM: single irqs");
    const short = found.matrix.short!.join("\n");
    expect(short).toMatch(/Nobody's idle irqs harmed another where no table ran short .*on amd/);
  });

  it("names who pays: the late comer with cache, the others without", () => {
    const sentence = found.matrix.verdict.find((text) =>
      text.startsWith("Under minimal on vtd-s"),
    )!;
    expect(sentence).toMatch(/with cache \(late pays\)/);
    expect(sentence).toMatch(/there failed .* with .*free-on-unset.* \((?:disk|nic)/);
  });

  it("under DPDK freeing on unset moves the harm to those that freed, and bounded ends it", () => {
    const { runs } = place("dpdk", "vtd-small").cell("cache");
    expect(Object.keys(runs[0]!.victims)).toEqual(["late"]);
    const caused = (policy: string) => mean("dpdk", "vtd-small", "failuresCaused", policy);
    for (const policy of ["free-on-teardown", "free-on-unset"]) {
      // Links go down: their vectors' irqs go back, and the late comer takes them. What the disk
      // prepared and never armed stays idle, since nothing of it was ever unset.
      const [run] = place("dpdk", "vtd-small").cell(policy).runs;
      const victims = Object.keys(run!.victims);
      expect(victims.length).toBeGreaterThan(1);
      expect(victims.every((name) => name.startsWith("nic"))).toBe(true);
      expect(Object.keys(run!.holders)).toEqual(["disk"]);
      expect(run!.figures.refusedAgain).toBe(run!.figures.failures);
      expect(caused(policy)).toBeGreaterThan(caused("cache"));
    }
    expect([mean("dpdk", "vtd-small", "refusedAgain", "cache"), caused("bounded")]).toEqual([0, 0]);
    const text = found.matrix.short!.join("\n");
    expect(text).toMatch(/given back were refused: with free-on-teardown and free-on-unset .*dpdk/);
  });
});

describe("irte-pressure, with tables that leave devices the same number of entries", () => {
  const harm: Record<string, number[]> = {};
  let found: PolicyComparison;
  const policies = parsePolicies(DEFAULT_POLICIES).map(({ name }) => name);

  beforeAll(async () => {
    // Who holds what does not depend on how often it interrupts.
    const set = ["guests.tenant.workload.rate=50/s", "guests.newcomer.workload.rate=50/s"];
    const places = "vtd-small,amd,amd-bridge,its";
    found = await comparisonOf("irte-pressure", "dpdk,minimal", places, 1, set);
    for (const place of placesOf(found.cells)) {
      harm[`${place.vmm} on ${place.topology}`] = policies.map(
        (policy) => place.estimate("failuresCaused", policy)!.mean,
      );
    }
  }, 240_000);

  it.each(["dpdk", "minimal"])("under %s harms others where a table is shared, if kept", (vmm) => {
    for (const topology of ["vtd-small", "amd-bridge"]) {
      const [cache, teardown, unset, , bounded] = harm[`${vmm} on ${topology}`]!;
      expect(cache).toBeGreaterThan(5);
      expect([teardown, unset, bounded]).toEqual([0, 0, 0]);
    }
    // How a table is shared is all that differs between the two.
    expect(harm[`${vmm} on amd-bridge`]).toEqual(harm[`${vmm} on vtd-small`]);
  });

  it.each(["dpdk", "minimal"])("under %s harms nobody where each device has a table", (vmm) => {
    expect(harm[`${vmm} on amd`]).toEqual([0, 0, 0, 0, 0]);
  });

  it.each(["dpdk", "minimal"])("under %s on an ITS harms others whatever the policy", (vmm) => {
    const [cache, ...others] = harm[`${vmm} on its`]!;
    expect(cache).toBeGreaterThan(5);
    expect(new Set(others)).toEqual(new Set([cache]));
  });

  it("says so in short, and what speaks for which", () => {
    const [first, ...others] = found.matrix.short!;
    expect(first).toMatch(/with cache .* under every VMM on vtd-small and amd-bridge/);
    expect(others.join("\n")).toMatch(
      /what speaks for free-on-teardown, free-on-unset and bounded is a table that runs short/,
    );
    expect(others.join("\n")).toMatch(/on its, where no single irq can be given back/);
  });
});

class TestIo implements Io {
  stdout = "";
  stderr = "";
  readonly outIsTty = false;
  readonly errIsTty: boolean;
  /** What Ctrl-C does, once somebody listens. */
  interrupt: () => void = () => {};

  constructor(errIsTty = false) {
    this.errIsTty = errIsTty;
  }

  out(text: string): void {
    this.stdout += text;
  }

  err(text: string): void {
    this.stderr += text;
    // Progress: presses Ctrl-C after the third run.
    if (/ 3 of \d+ runs/.test(text)) this.interrupt();
  }

  onInterrupt(handler: () => void): () => void {
    this.interrupt = handler;
    return () => {};
  }

  exitNow(): void {}
}

describe("the command", () => {
  const directory = mkdtempSync(join(tmpdir(), "vfio-cosim-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const small = join(directory, "small.yaml");
  writeFileSync(
    small,
    `host: { irtes: 64 }
devices: [{ name: n, count: 2, model: nic, msixVectors: 6 }]
guests:
  - name: g
    count: 2
    vcpus: 2
    device: n
    workload: { rate: 500/s, per: device }
    timeline: [{ at: 0ms, do: boot }, { at: 250ms, do: link-down }, { at: 280ms, do: link-up }]
duration: 300ms
`,
  );
  const command = (...args: string[]): string[] => [
    "compare-policies",
    small,
    ...["--vmms", "minimal", "--topologies", "vtd-small", "--seeds", "2"],
    ...args,
  ];

  it("prints the same bytes on one thread and on two", async () => {
    const [one, two] = [new TestIo(), new TestIo()];
    expect(await runCli(command("-j", "1"), one)).toBe(0);
    expect(await runCli(command("-j", "2", "--out", directory), two)).toBe(0);
    expect(two.stdout).toBe(one.stdout);
    expect(one.stdout).toContain(
      "vtd-small: VT-d, one table: 43 of its 64 entries for all devices",
    );
    expect(one.stderr).toBe("");
    expect(readStored(directory)).toMatchObject({ scenario: "small", seeds: [1, 2] });
    expect(readFileSync(join(directory, "report.html"), "utf8")).toContain("<svg");
    expect(readFileSync(join(directory, "runs.csv"), "utf8").split("\r\n")).toHaveLength(12);
  });

  it("prints what there is when it is interrupted", async () => {
    const io = new TestIo(true);
    expect(await runCli(command("-j", "1"), io)).toBe(130);
    expect(io.stdout).toContain("it was interrupted: some cells have fewer seeds");
    expect(io.stdout).toContain("What this does not say");
  });

  it("takes costs from a file, and names those that there are", async () => {
    const costs = join(directory, "costs.yaml");
    writeFileSync(costs, "irqAlloc: 1ms\n");
    const io = new TestIo();
    const flags = ["--policies", "cache,free-on-unset", "--seeds", "1", "--costs", costs];
    expect(await runCli(command(...flags, "-o", "json"), io)).toBe(0);
    const { cells } = JSON.parse(io.stdout);
    expect(cells[1].figures.rearmP50.mean).toBeGreaterThan(1e6);
    expect(cells[0].figures.rearmP50.mean).toBeLessThan(1e6);
    writeFileSync(costs, "irqAlocc: 1ms\n");
    const wrong = new TestIo();
    expect(await runCli(command("--costs", costs), wrong)).toBe(2);
    expect(wrong.stderr).toContain("did you mean irqAlloc? known: syscall,");
  });

  it("reports a policy of one's own that breaks for its cells, and keeps the others", async () => {
    const own = join(directory, "broken.js");
    const broken = 'freesAfterTeardown() { throw new Error("oh no"); }';
    writeFileSync(own, `export const policy = { name: "broken", ${broken} };\n`);
    const io = new TestIo();
    const flags = ["--policies", `cache,${own}`, "--seeds", "1"];
    expect(await runCli(command(...flags), io)).not.toBe(0);
    expect(io.stdout).toContain("1 of 2 cells lacks runs");
    expect(io.stdout).toMatch(/minimal {2}cache +0 +0/);
  });

  it("refuses what it does not know", async () => {
    for (const flags of [
      ["--vmms", "xen"],
      ["--seeds", "0"],
      ["--jitter", "1"],
    ]) {
      const io = new TestIo();
      expect(await runCli(command(...flags), io), flags.join(" ")).toBe(2);
      expect(io.stderr).toContain(flags[0]);
    }
  });
});
