/** Scenarios about the lives of guests: stages of a boot, crashes, growth, sleep, sudden ends. */
import { expect, test } from "vitest";
import { runLibrary, suite } from "../support/library.ts";

suite(
  "boot-stages",
  [
    {
      cause: "with an orderly kexec",
      set: ["guests.g.timeline.1={ at: 600ms, do: kexec }"],
      fails: ["fates.droppedGuestUnhandled > 0"],
    },
    {
      cause: "with a reset after the crash",
      set: ["guests.g.timeline.1={ at: 600ms, do: crash }"],
      fails: ["fates.droppedGuestUnhandled > 0"],
    },
  ],
  () => {
    test("interrupts are taken in every mode", async () => {
      const { ledger, guests } = await runLibrary("boot-stages");
      const kinds = ledger.rows.filter(({ fates }) => (fates.delivered ?? 0) > 0);
      const modes = kinds.map(({ source }) => source.replace(/\[.*/, ""));
      expect([...new Set(modes)].sort()).toEqual(["nic0 intx", "nic0 msi", "nic0 msix"]);
      const modeItems = guests[0]!.timeline.filter(({ event }) => event === "guest_mode");
      expect(modeItems.map(({ detail }) => detail.split("mode ")[1])).toEqual([
        "intx",
        "msi",
        "msix",
        "intx",
        "intx",
        "msi",
        "msix",
        "msix",
      ]);
    });
  },
);
