/** Arguments of timeline actions: which action takes which, and what a wrong one is told. */
import { describe, expect, test } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { scenarioFromData } from "../../../../src/scenario/loader.ts";
import type { TimelineEntry } from "../../../../src/scenario/types.ts";

function timeline(entry: object): readonly TimelineEntry[] {
  return scenarioFromData({
    devices: [{ name: "nvme0", model: "nvme" }],
    guests: [{ name: "g", device: "nvme0", timeline: [{ at: "0ms", do: "boot" }, entry] }],
    duration: "1s",
  }).guests[0]!.timeline;
}

function refusal(entry: object): string {
  try {
    timeline(entry);
  } catch (error) {
    if (error instanceof UsageError) return error.format();
    throw error;
  }
  throw new Error("taken");
}

describe("stall", () => {
  test("says how long", () => {
    expect(timeline({ at: "5ms", do: "stall", for: "20ms" })[1]).toEqual({
      at: 5e6,
      do: "stall",
      for: 20e6,
    });
  });

  test("has to, and nobody else may", () => {
    expect(refusal({ at: "5ms", do: "stall" })).toContain("stall needs for:, above zero");
    expect(refusal({ at: "5ms", do: "stall", for: "0ms" })).toContain("above zero");
    expect(refusal({ at: "5ms", do: "reset", for: "1ms" })).toContain("reset takes no for:");
  });
});

describe("corrupt", () => {
  test("may say how many slots", () => {
    expect(timeline({ at: "5ms", do: "corrupt" })[1]).toEqual({ at: 5e6, do: "corrupt" });
    expect(timeline({ at: "5ms", do: "corrupt", slots: 9 })[1]!.slots).toBe(9);
  });

  test("and nobody else", () => {
    expect(refusal({ at: "5ms", do: "crash", slots: 9 })).toContain("crash takes no slots:");
  });
});

describe("work queues and RDMA", () => {
  const on = (model: string, entry: object): readonly TimelineEntry[] =>
    scenarioFromData({
      devices: [{ name: "d", model }],
      guests: [{ name: "g", device: "d", timeline: [{ at: "0ms", do: "boot" }, entry] }],
      duration: "1s",
    }).guests[0]!.timeline;

  test("a work queue has a number", () => {
    expect(on("idxd", { at: "5ms", do: "wq-enable", queue: 3 })[1]).toEqual({
      at: 5e6,
      do: "wq-enable",
      queue: 3,
    });
    expect(() => on("idxd", { at: "5ms", do: "wq-disable" })).toThrow("wq-disable needs queue:");
    expect(() => on("idxd", { at: "5ms", do: "wq-enable", queue: 8 })).toThrow("queue");
    expect(refusal({ at: "5ms", do: "reset", queue: 1 })).toContain("reset takes no queue:");
  });

  test("they belong to devices that have them", () => {
    expect(refusal({ at: "5ms", do: "wq-enable", queue: 1 })).toContain("the guest has no idxd");
    expect(refusal({ at: "5ms", do: "rdma-up" })).toContain("give it a device of model ice-vf");
    expect(on("ice-vf", { at: "5ms", do: "rdma-down" })[1]!.do).toBe("rdma-down");
    expect(on("ice-vf", { at: "5ms", do: "rdma-up", vectors: 9 })[1]!.vectors).toBe(9);
    expect(() => on("ice-vf", { at: "5ms", do: "rdma-up", vectors: 1 })).toThrow("vectors");
    expect(refusal({ at: "5ms", do: "reset", vectors: 9 })).toContain("reset takes no vectors:");
    expect(on("ice-vf", { at: "5ms", do: "ethtool-l", channels: 2 })[1]!.channels).toBe(2);
  });

  test("neither has INTx", () => {
    for (const model of ["idxd", "ice-vf"]) {
      expect(() => on(model, { at: "5ms", do: "mode", to: "intx" })).toThrow("has no intx");
    }
  });
});

describe("kexec, sleep and firmware", () => {
  const guest = (more: object, model = "nic"): readonly TimelineEntry[] =>
    scenarioFromData({
      devices: [{ name: "d", model }],
      guests: [{ name: "g", device: "d", ...more }],
      duration: "1s",
    }).guests[0]!.timeline;
  const life = (...entries: object[]): readonly TimelineEntry[] =>
    guest({ timeline: [{ at: "0ms", do: "boot" }, ...entries] });

  test("a crash kernel may choose its mode, one that the device has", () => {
    expect(life({ at: "5ms", do: "crash-kexec", to: "msi" })[1]!.to).toBe("msi");
    expect(life({ at: "5ms", do: "crash-kexec" })[1]!.to).toBe(undefined);
    expect(() => life({ at: "5ms", do: "kexec", to: "msi" })).toThrow("kexec takes no to:");
    const entry = { at: "5ms", do: "crash-kexec" };
    const timeline = [{ at: "0ms", do: "boot" }, entry];
    expect(() => guest({ timeline }, "idxd")).toThrow("device d (idxd) has no intx");
  });

  test("who sleeps is woken or reset before anything else", () => {
    const suspend = { at: "5ms", do: "suspend" };
    expect(life(suspend, { at: "6ms", do: "resume" }, { at: "7ms", do: "reboot" })).toHaveLength(4);
    const again = { at: "8ms", do: "suspend" };
    expect(life(suspend, { at: "6ms", do: "reset" }, again)).toHaveLength(4);
    expect(() => life(suspend, { at: "6ms", do: "reboot" })).toThrow(
      "reboot while the guest sleeps",
    );
    expect(() => life({ at: "6ms", do: "resume" })).toThrow("a guest that does not sleep");
  });

  test("firmware is QEMU's, and uses what the device has", () => {
    expect(guest({ firmware: ["intx", "msi"] })).toHaveLength(1);
    expect(() => guest({ firmware: ["msi"] }, "nvme")).toThrow("device d (nvme) has no msi");
    expect(() => guest({ firmware: ["intx"], vmm: "crosvm" })).toThrow("crosvm has no firmware");
  });
});

describe("what only some can be asked", () => {
  const on = (device: object, guest: object, action: string): readonly TimelineEntry[] =>
    scenarioFromData({
      devices: [{ name: "d", model: "edu", ...device }],
      guests: [
        {
          name: "g",
          device: "d",
          timeline: [
            { at: "0ms", do: "boot" },
            { at: "5ms", do: action },
          ],
          ...guest,
        },
      ],
      duration: "1s",
    }).guests[0]!.timeline;

  test("a self test needs a device that has one", () => {
    expect(on({ bist: true }, {}, "bist")[1]!.do).toBe("bist");
    expect(() => on({}, {}, "bist")).toThrow("no device of the guest has a self test");
  });

  test("INTx's eventfd is swapped by the minimal VMM alone", () => {
    expect(on({}, { vmm: "minimal" }, "intx-swap")[1]!.do).toBe("intx-swap");
    expect(() => on({}, {}, "intx-swap")).toThrow("qemu never swaps the eventfd of INTx");
  });

  test("only QEMU's migration is modelled", () => {
    expect(on({}, {}, "migrate")[1]!.do).toBe("migrate");
    expect(() => on({}, { vmm: "dpdk" }, "migrate")).toThrow("migration of dpdk is not modelled");
  });
});

describe("an action with every:", () => {
  const times = (entries: object[], duration = "100ms"): number[] =>
    scenarioFromData({
      devices: [{ name: "nvme0", model: "nvme" }],
      guests: [{ name: "g", device: "nvme0", timeline: [{ at: "0ms", do: "boot" }, ...entries] }],
      duration,
    }).guests[0]!.timeline.map(({ at }) => at / 1e6);

  test("comes as often as times says", () => {
    expect(times([{ at: "10ms", do: "reset", every: "5ms", times: 3 }])).toEqual([0, 10, 15, 20]);
  });

  test("without times it comes until the run ends", () => {
    expect(times([{ at: "10ms", do: "reset", every: "30ms" }])).toEqual([0, 10, 40, 70]);
    expect(times([{ at: "10ms", do: "reset", every: "30ms" }], "101ms")).toEqual([
      0, 10, 40, 70, 100,
    ]);
    expect(times([{ at: "10ms", do: "reset", every: "1h" }])).toEqual([0, 10]);
  });

  test("or until the guest does", () => {
    const kill = { at: "70ms", do: "kill" };
    expect(times([{ at: "10ms", do: "reset", every: "30ms" }, kill])).toEqual([0, 10, 40, 70]);
  });

  test("but not for ever", () => {
    expect(refusal({ at: "0ms", do: "reset", every: "1us" })).toContain(
      "reset is repeated 1000000 times until the end, more than 100000",
    );
    expect(refusal({ at: "0ms", do: "reset", every: "0ms" })).toContain("above zero");
  });
});

describe("a stagger", () => {
  const staggered = (guest: object, timeline?: object[], duration = "100ms") =>
    scenarioFromData({
      devices: [{ name: "d", count: 3, model: "nvme" }],
      guests: [{ name: "g", count: 3, device: "d", ...guest, ...(timeline && { timeline }) }],
      duration,
    }).guests.map((one) => one.timeline.map(({ at }) => at / 1e6));

  test("puts each guest's life so much later than the last one's", () => {
    const life = [
      { at: "0ms", do: "boot" },
      { at: "20ms", do: "reset", every: "30ms" },
      { at: "70ms", do: "kill" },
    ];
    expect(staggered({ stagger: "10ms" }, life)).toEqual([
      [0, 20, 50, 70],
      [10, 30, 60, 80],
      [20, 40, 70, 90],
    ]);
    expect(staggered({ stagger: "10ms" })).toEqual([[0], [10], [20]]);
  });

  test("may not put it past the end of the run", () => {
    const late = (): unknown => staggered({ stagger: "60ms" }, [{ at: "0ms", do: "boot" }]);
    expect(late).toThrow("boot is planned for after the end of the run");
  });

  test("is of guests with a count", () => {
    const alone = (): unknown =>
      scenarioFromData({
        devices: [{ name: "d", model: "nvme" }],
        guests: [{ name: "g", device: "d", stagger: "1ms" }],
        duration: "1s",
      });
    expect(alone).toThrow("stagger is of a guest with a count");
  });
});
