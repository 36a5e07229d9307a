/** Scenarios about the lives of guests: stages of a boot, crashes, growth, sleep, sudden ends. */
import { expect, test } from "vitest";
import { expectationValue } from "../../src/scenario/expect-names.ts";
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
  {
    more: () => {
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
  },
);

suite("mask-per-interrupt", [
  {
    cause: "with irqs freed at each teardown",
    set: ["host.retention=free-on-teardown"],
    fails: ["allocations < 10", "rearm.p50 < 12us"],
  },
  {
    cause: "with a guest that masks nothing",
    set: ["guests.rhel5.kernel=linux-6.12"],
    fails: ["rearm.count > 2000"],
  },
]);

test("a VMM that removes eventfds shows what free-on-unset costs, QEMU does not", async () => {
  const allocations = async (vmm: string): Promise<number> => {
    const set = [`guests.rhel5.vmm=${vmm}`, "host.retention=free-on-unset"];
    return (await runLibrary("mask-per-interrupt", set)).retention.totals.allocations;
  };
  expect(await allocations("qemu")).toBeLessThan(10);
  expect(await allocations("minimal")).toBeGreaterThan(1000);
});

/** A fifteenth of the fleet, and of its table what it leaves to one of the night's guests. */
const SMALL_FLEET = [
  ...Object.entries({ web: 4, db: 2, vf: 2, cell: 3, port: 1, dsa: 1, old: 1, night: 2 }).flatMap(
    ([name, count]) => [`devices.${name}.count=${count}`, `guests.${name}.count=${count}`],
  ),
  "host.irtes=440",
];
const NIGHT_FAILS = [
  "failuresCausedByIdle > 0",
  "guests.night.delivered < 0.9 * guests.night.raised",
];

suite(
  "fleet",
  [
    {
      cause: "with reclaim under pressure",
      set: ["host.retention={ policy: bounded, reclaim: true }"],
      fails: NIGHT_FAILS,
    },
    { cause: "with the whole table of VT-d", set: ["host.irtes=65536"], fails: NIGHT_FAILS },
    { cause: "with QEMU in crosvm's place", set: ["guests.cell.vmm=qemu"], fails: NIGHT_FAILS },
  ],
  { set: SMALL_FLEET },
);

suite("reboot-loop", [
  {
    cause: "without the reboots",
    set: ["guests.g.timeline=[{ at: 0ms, do: boot }]"],
    fails: ["boots == 6"],
  },
  {
    cause: "with crashes in their place: what is in flight then is not waited for",
    set: ["guests.g.timeline.1.do=crash", "guests.g.workload.rate=20k/s"],
    fails: ["lost == 0"],
  },
]);

suite("its-leak", [
  {
    cause: "without the kernel's bug",
    set: ["host.fixed=[its-prepare-marks-shared]"],
    fails: ["leaked > 0"],
  },
  {
    cause: "with LPIs enough, so that QEMU does not try again",
    set: ["host.lpis=1024"],
    fails: ["guests.late.refused > 0", "leaked > 0"],
  },
]);

suite("noisy-neighbour", [
  {
    cause: "without the storm",
    set: ["guests.storm.workload={ rate: 2k/s }"],
    fails: ["guests.storm.raised > guests.storm.delivered + 1000"],
  },
  {
    cause: "with a neighbour whose VMM injects by itself",
    set: ["guests.calm.path=userspace"],
    fails: ["guests.calm.latency.p99 < 8us"],
  },
]);

test("a storm costs the neighbour no interrupt, nothing in the median, little beyond", async () => {
  const calm = async (set: readonly string[]) => {
    const { latency, ledger } = await runLibrary("noisy-neighbour", set);
    const { stages } = latency.guests.find(({ name }) => name === "calm")!;
    const { p50, max } = stages.find(({ stage }) => stage === "total")!;
    return { rows: ledger.rows.filter(({ guest }) => guest === "calm"), p50, max };
  };
  const quiet = await calm(["guests.storm.workload={ rate: 2k/s }"]);
  expect(quiet.rows.length).toBeGreaterThan(0);
  const { max, ...beside } = await calm([]);
  expect(beside).toEqual({ rows: quiet.rows, p50: quiet.p50 });
  // As long as the few interrupts take that the storm raises in the same turn of the host.
  expect(max - quiet.max).toBeLessThan(5_000);
});

suite("killed-in-call", [
  {
    cause: "killed between two calls",
    set: ["guests.victim.timeline.1.at=400ms"],
    fails: ["callsCutShort > 0"],
  },
  {
    cause: "without the kill",
    set: ["guests.victim.timeline=[{ at: 0ms, do: boot }]"],
    fails: ["callsCutShort > 0", "pool.irqs == 3"],
  },
]);

suite("nic-channels", [
  {
    cause: "without the host's unbind",
    set: ["host.timeline=[{ at: 1199ms, do: bind, device: nic0 }]"],
    fails: ["pool.irqs == 0", "allocations == frees"],
  },
  {
    cause: "without other channels",
    set: ["guests.g.timeline=[{ at: 0ms, do: boot }]"],
    fails: ["allocations > 18"],
  },
]);

suite("nobody-cared", [
  {
    cause: "without the self test",
    set: ["guests.tester.timeline=[{ at: 0ms, do: boot }]"],
    fails: [
      "linesSwitchedOff == 1",
      "guests.neighbour.delivered < 0.7 * guests.neighbour.raised",
      "guests.tester.delivered < 0.7 * guests.tester.raised",
    ],
  },
  {
    cause: "with lines of their own",
    set: ["devices.spare.count=2"],
    fails: ["linesSwitchedOff == 1", "guests.neighbour.delivered < 0.7 * guests.neighbour.raised"],
  },
]);

suite("intx-race", [
  { cause: "without the bug", set: ["host.bugs=[]"], fails: ["oopses > 0"] },
  {
    cause: "with a quiet line",
    set: ["guests.g.workload.rate=500/s"],
    fails: ["oopses > 0"],
  },
]);

test("what the kernel's log would say is a warning", async () => {
  const texts = async (name: string): Promise<string> =>
    (await runLibrary(name)).warnings.map(({ text }) => text).join();
  expect(await texts("nobody-cared")).toContain("nobody cared: the host's kernel switched");
  expect(await texts("intx-race")).toContain("followed a null pointer once");
});

suite(
  "migration-routes",
  [
    {
      cause: "with routes in one call for each device",
      set: ["guests.g.defersRoutes=true"],
      fails: ["migrationTime > 200ms"],
    },
  ],
  {
    more: () => {
      test("a call costs in proportion to the irqfds there are, all by the square", async () => {
        const time = async (devices: number, deferred: boolean): Promise<number> => {
          const names = Array.from({ length: devices }, (_, i) => `nvme${i}`);
          const result = await runLibrary("migration-routes", [
            `devices.nvme.count=${devices}`,
            `guests.g.devices=[${names}]`,
            `guests.g.defersRoutes=${deferred}`,
          ]);
          return expectationValue("migrationTime", result)!;
        };
        const [two, four, eight] = [
          await time(2, false),
          await time(4, false),
          await time(8, false),
        ];
        const second = eight - 2 * four - (2 * four - 4 * two);
        // t(n) = a n + b n^2: doubling n twice leaves b alone, and it is most of it.
        const b = (eight - 2 * four) / 32;
        expect(four - 2 * two).toBeCloseTo(8 * b, -5);
        expect(second).toBeCloseTo(16 * b, -5);
        expect(64 * b).toBeGreaterThan(0.6 * eight);
        expect(await time(8, true)).toBeLessThan(eight / 7);
      });
    },
  },
);
