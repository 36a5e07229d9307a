/** Spans and marks of a guest's life, and names in natural order. */
import { describe, expect, it } from "vitest";
import { stateMarks, stateSpans, words } from "../../../../src/report/guest-states.ts";
import { naturalOrder } from "../../../../src/report/natural-order.ts";
import type { GuestResult } from "../../../../src/run/result.ts";

function guest(...events: [at: number, event: string, detail?: string][]): GuestResult {
  const timeline = events.map(([at, event, detail = ""]) => ({ at, event, detail }));
  return { name: "g", state: "running", counters: {}, interrupts: 0, timeline };
}

const REBOOTED = guest(
  [5, "guest_power_on"],
  [20, "guest_mode", "device nvme0, mode msix"],
  [50, "guest_mode", "device nvme0, mode intx"],
  [70, "guest_reboot"],
  [90, "guest_mode", "device nvme0, mode msi"],
);

describe("spans of a guest", () => {
  it("follow each other without gaps from the start to the end", () => {
    expect(stateSpans(REBOOTED, 100).map(({ text, fromNs, toNs }) => [text, fromNs, toNs])).toEqual(
      [
        ["off", 0, 5],
        ["booting", 5, 20],
        ["MSI-X", 20, 50],
        ["INTx", 50, 70],
        ["booting", 70, 90],
        ["MSI", 90, 100],
      ],
    );
  });

  it("end with the run, whatever the timeline says after it", () => {
    expect(stateSpans(REBOOTED, 60).at(-1)).toMatchObject({ text: "INTx", toNs: 60 });
    expect(stateMarks(REBOOTED, 60)).toEqual([]);
  });

  it("leave out what took no time", () => {
    const quick = guest([0, "guest_power_on"], [0, "guest_mode", "mode msix"]);
    expect(stateSpans(quick, 10).map(({ text }) => text)).toEqual(["MSI-X"]);
  });

  it("have marks where something happened at once", () => {
    const crashed = guest([30, "guest_crash"], [40, "guest_reset"]);
    expect(stateMarks(crashed, 100).map(({ atNs, sign }) => [atNs, sign])).toEqual([
      [30, "\u2715"],
      [40, "\u21ba"],
    ]);
    expect(words({ at: 0, event: "guest_mode", detail: "mode msix" })).toBe("mode: mode msix");
  });
});

it("natural order counts digits as numbers", () => {
  const names = ["nvme10", "nvme2", "nic1", "nvme2p10", "nvme2p9", "nvme", "nvme02"];
  expect(names.sort(naturalOrder)).toEqual([
    "nic1",
    "nvme",
    "nvme02",
    "nvme2",
    "nvme2p9",
    "nvme2p10",
    "nvme10",
  ]);
});
