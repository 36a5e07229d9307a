/** Lists of policies, VMMs and topologies, and what each makes of a scenario. */
import { describe, expect, it } from "vitest";
import { RECORDED_ARM64_BOOT_USE, RECORDED_BOOT_USE } from "../../../../host/irq/platform.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { gridCells, loadGridBase } from "../../../../src/sweep/grid.ts";
import { DEFAULT_POLICIES, parsePolicies } from "../../../../src/sweep/policies.ts";
import {
  applyTopology,
  DEFAULT_TOPOLOGIES,
  ITS_BOOT_LPIS,
  parseTopologies,
  TOPOLOGIES,
  VTD_BOOT_IRTES,
} from "../../../../src/sweep/topologies.ts";
import { applyVmm, DEFAULT_VMMS, parseVmms } from "../../../../src/sweep/vmms.ts";

function usageOf(work: () => unknown): UsageError {
  try {
    work();
  } catch (error) {
    if (error instanceof UsageError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a list of policies", () => {
  it("has all built-in ones by default, the kernel's own first", () => {
    expect(parsePolicies(DEFAULT_POLICIES).map(({ name }) => name)).toEqual([
      "cache",
      "free-on-teardown",
      "free-on-unset",
      "free-dynamic",
      "bounded",
    ]);
  });

  it("takes bounded with its keys, and each entry once", () => {
    const text = "cache, bounded:cap=8:idleTimeout=50ms:watermark=5%:reclaim=false,cache";
    expect(parsePolicies(text).map(({ retention }) => retention)).toEqual([
      "cache",
      { policy: "bounded", cap: 8, idleTimeout: "50ms", watermark: "5%", reclaim: false },
    ]);
  });

  it("finds a file of one's own from here", () => {
    const [policy] = parsePolicies("./mine.js");
    expect(policy?.name).toBe("./mine.js");
    expect(policy?.retention).toMatch(/^file:.*\/mine\.js$/);
  });

  it("says what a wrong name may have meant", () => {
    expect(usageOf(() => parsePolicies("cahce")).hint).toBe("did you mean cache?");
    expect(usageOf(() => parsePolicies("cache,,bounded")).message).toContain("empty");
    expect(usageOf(() => parsePolicies("bounded:cpa=1")).hint).toBe("did you mean cap?");
  });
});

describe("a list of VMMs", () => {
  it("has six by default, two of them versions of QEMU", () => {
    expect(parseVmms(DEFAULT_VMMS).map(({ name }) => name)).toEqual([
      "qemu 10.0",
      "qemu 7.2",
      "cloud-hypervisor",
      "crosvm",
      "dpdk",
      "minimal",
    ]);
  });

  it("takes a version after a blank, a colon or a hyphen", () => {
    for (const text of [
      "cloud-hypervisor 51.0",
      "cloud-hypervisor:51.0",
      "cloud-hypervisor-51.0",
    ]) {
      expect(parseVmms(text)).toEqual([
        { name: "cloud-hypervisor 51.0", vmm: "cloud-hypervisor", version: "51.0" },
      ]);
    }
  });

  it("says what a wrong name may have meant", () => {
    expect(usageOf(() => parseVmms("quemu 7.2")).hint).toBe("did you mean qemu?");
  });

  it("takes away what only QEMU knows, and DPDK's choice of a path", () => {
    const guests = [{ name: "g", vmmVersion: "7.2", irqchip: "split", path: "posted" }];
    applyVmm(guests, parseVmms("crosvm")[0]!);
    expect(guests).toEqual([{ name: "g", vmm: "crosvm", path: "posted" }]);
    applyVmm(guests, parseVmms("dpdk")[0]!);
    expect(guests).toEqual([{ name: "g", vmm: "dpdk" }]);
    applyVmm(guests, parseVmms("as-is")[0]!);
    expect(guests).toEqual([{ name: "g", vmm: "dpdk" }]);
  });
});

describe("a topology", () => {
  const byName = (name: string) => TOPOLOGIES.find((topology) => topology.name === name)!;

  function hostOf(name: string, host: Record<string, unknown>): Record<string, unknown> {
    const copy = { ...host };
    applyTopology(copy, [], byName(name));
    return copy;
  }

  it("gives small tables the size that the scenario's has", () => {
    expect(hostOf("vtd-small", { irtes: 85 })).toEqual({ platform: "x86-vtd", irtes: 85 });
    expect(hostOf("vtd", { irtes: 85, lpis: 70 })).toEqual({ platform: "x86-vtd" });
  });

  it("leaves devices the same number of entries in each small table", () => {
    expect(VTD_BOOT_IRTES).toBe(RECORDED_BOOT_USE.irtes);
    expect(ITS_BOOT_LPIS).toBe(RECORDED_ARM64_BOOT_USE.irtes);
    expect(hostOf("amd-bridge", { irtes: 128 })).toEqual({ platform: "x86-amd", irtes: 107 });
    expect(hostOf("its", { irtes: 128 })).toEqual({ platform: "arm64-its", lpis: 110 });
    for (const name of ["vtd-small", "amd-bridge", "its"]) {
      expect(byName(name).about(128)).toContain(": 107 ");
    }
    expect(hostOf("amd-bridge", { irtes: 60_000 })).toMatchObject({ irtes: 2048 });
  });

  it("puts all devices behind one bridge, or takes their bridges away", () => {
    const devices = [{ name: "a", bridge: "x" }, { name: "b" }];
    applyTopology({}, devices, byName("amd-bridge"));
    expect(devices.map(({ bridge }) => bridge)).toEqual(["bridge0", "bridge0"]);
    applyTopology({}, devices, byName("amd"));
    expect(devices).toEqual([{ name: "a" }, { name: "b" }]);
  });

  it("leaves the host as it is, if asked to", () => {
    expect(hostOf("as-is", { irtes: 85, cpus: 2 })).toEqual({ irtes: 85, cpus: 2 });
  });

  it("says what a wrong name may have meant", () => {
    expect(usageOf(() => parseTopologies("vdt")).hint).toBe("did you mean vtd?");
  });
});

describe("a grid", () => {
  const axes = {
    policies: parsePolicies(DEFAULT_POLICIES),
    vmms: parseVmms(DEFAULT_VMMS),
    topologies: parseTopologies(DEFAULT_TOPOLOGIES),
  };

  it("has a scenario for each policy, VMM and topology", () => {
    const cells = gridCells(loadGridBase("retention-pressure", []), axes);
    expect(cells).toHaveLength(5 * 6 * 6);
    expect(cells.every(({ scenario }) => scenario !== null)).toBe(true);
    const { policy, vmm, topology, scenario } = cells.find(
      (cell) => cell.policy === "bounded" && cell.vmm === "qemu 7.2" && cell.topology === "its",
    )!;
    expect([policy, vmm, topology]).toEqual(["bounded", "qemu 7.2", "its"]);
    expect(scenario!.host).toMatchObject({ platform: "arm64-its", lpis: 67 });
    expect(scenario!.host.retention).toEqual({ policy: "bounded", reclaim: true });
    expect(scenario!.guests.map((guest) => guest.vmmVersion)).toContain("7.2");
  });

  it("is of the scenario as --set changes it", () => {
    const cells = gridCells(loadGridBase("retention-pressure", ["host.irtes=200", "seed=3"]), {
      ...axes,
      topologies: parseTopologies("vtd-small"),
    });
    expect(cells[0]!.scenario).toMatchObject({ seed: 3, host: { irtes: 200 } });
  });

  it("keeps cells that can be run beside those that cannot", () => {
    const base = loadGridBase("retention-pressure", ["guests.db.path=posted"]);
    const cells = gridCells(base, { ...axes, topologies: parseTopologies("vtd-small,its") });
    const wrong = cells.filter(({ scenario }) => scenario === null);
    expect(wrong.length).toBeGreaterThan(0);
    expect(wrong.every(({ topology }) => topology === "its")).toBe(true);
    expect(wrong[0]!.wrong).toContain("cannot post");
  });

  it("says why if none can", () => {
    const base = loadGridBase("retention-pressure", ["guests.db.path=posted"]);
    const its = { ...axes, vmms: parseVmms("qemu"), topologies: parseTopologies("its") };
    expect(usageOf(() => gridCells(base, its)).message).toContain("qemu on its with cache: ");
  });
});
