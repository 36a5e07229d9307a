/** Scenarios about the irq pool: who holds what, who fails, and what is lost by that. */
import { expect, test } from "vitest";
import { textReport } from "../../src/report/text.ts";
import { failed, runLibrary, suite } from "../support/library.ts";

suite("irte-pressure", [
  {
    cause: "with a policy that frees what has no eventfd",
    set: ["host.retention=free-on-unset"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
  {
    cause: "with an idle timeout",
    set: ["host.retention={ policy: bounded, idleTimeout: 20ms }"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
  {
    cause: "with reclaim under pressure",
    set: ["host.retention={ policy: bounded, reclaim: true }"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
  {
    cause: "with the whole table of VT-d",
    set: ["host.irtes=65536"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
]);

suite("irte-pressure-amd", [
  {
    cause: "with one table for all",
    set: ["host.platform=x86-vtd"],
    fails: ["allocationFailures == 0", "lost == 0"],
  },
]);

suite("irte-pressure-bridge", [
  {
    cause: "without the bridge between them",
    set: ["devices.0.bridge=a"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
  {
    cause: "with a policy that frees what has no eventfd",
    set: ["host.retention=free-on-unset"],
    fails: ["failuresCausedByIdle > 0", "guests.newcomer.lost > 0"],
  },
]);

suite(
  "lpi-pressure",
  [
    {
      cause: "with all LPIs that an ITS has",
      set: ["host.lpis=57344"],
      fails: ["allocationFailures > 0", "lost > 0"],
    },
    {
      cause: "on VT-d, where devices take what they use",
      set: ["host={ platform: x86-vtd, irtes: 512 }"],
      fails: ["allocationFailures > 0", "lost > 0"],
    },
  ],
  {
    more: () => {
      test("no policy changes a figure: an ITS cannot free single vectors", async () => {
        const cache = await runLibrary("lpi-pressure");
        const other = await runLibrary("lpi-pressure", ["host.retention=free-on-teardown"]);
        expect(other.ledger).toEqual(cache.ledger);
        expect(other.retention.failures).toEqual(cache.retention.failures);
        expect(other.warnings[other.warnings.length - 1]!.text).toContain("has no effect");
      });
    },
  },
);

suite("silent-loss", [
  {
    cause: "with room in the table",
    set: ["host.irtes=65536"],
    fails: ["silentLosses > 0", "refused > 0", "lost > 100"],
  },
  {
    cause: "with guests that ask for less",
    set: ["guests.vm.vcpus=2"],
    fails: ["silentLosses > 0", "lost > 100"],
  },
]);

suite("whole-table", [
  {
    cause: "with a VMM that asks for what the guest unmasks",
    set: ["guests.vm.vmm=qemu"],
    fails: ["allocationFailures > 0", "silentLosses > 0", "lost > 0"],
  },
  {
    cause: "with room for all tables",
    set: ["host.irtes=65536"],
    fails: ["allocationFailures > 0", "silentLosses > 0", "lost > 0"],
  },
]);

suite("kvm-routes", [
  {
    cause: "with GSIs at first use",
    set: ['guests.g.vmmVersion="52.0"'],
    fails: ["unrouted > 0", "silentLosses == 1", "pending > 0"],
  },
  {
    cause: "with tables of half the size",
    set: ["devices.0.msixVectors=1024"],
    fails: ["unrouted > 0", "silentLosses == 1", "pending > 0"],
  },
]);

suite("dpdk-hoard", [
  {
    cause: "with a VMM that takes what it uses",
    set: ["guests.dpdk.vmm=qemu"],
    fails: ["devices.port.failuresCaused > 0", "devices.late.failuresSuffered > 0"],
  },
  {
    cause: "with reclaim under pressure",
    set: ["host.retention={ policy: bounded, reclaim: true }"],
    fails: ["devices.port.failuresCaused > 0", "devices.late.failuresSuffered > 0"],
  },
]);

test("free-on-unset is no help against DPDK: what never had an eventfd is not unset", async () => {
  expect(failed(await runLibrary("dpdk-hoard", ["host.retention=free-on-unset"]))).toEqual([]);
});

suite("same-eventfd", [
  {
    cause: "with irqs freed with every eventfd",
    set: ["host.retention=free-on-teardown"],
    fails: ["rearm.count > allocations"],
  },
  {
    cause: "with a guest that never turns MSI-X off",
    set: ["guests.g.timeline=[{ at: 0ms, do: boot }]"],
    fails: ["rearm.count > allocations"],
  },
]);

suite("add-queue", [
  {
    cause: "with a QEMU that regrows all vectors",
    set: ['guests.g.vmmVersion="7.2"'],
    fails: ["lost == 0", "allocations == 18"],
  },
  {
    cause: "with a kernel that cannot add a vector",
    set: ["host.kernel=linux-6.1"],
    fails: ["lost == 0", "allocations == 18"],
  },
]);

suite("short-msi", [
  {
    cause: "with room for an aligned row",
    set: ["host.irtes=128"],
    fails: ["guests.late.refused == 1", "devices.msi.failures == 1"],
  },
  {
    cause: "with a guest that asks for one vector, as all do without interrupt remapping",
    set: ["guests.late.intremap=false"],
    fails: ["guests.late.refused == 1", "devices.msi.failures == 1"],
  },
]);

suite(
  "greedy-driver",
  [
    {
      cause: "with 32 CPUs more",
      set: ["host.cpus=512"],
      fails: ["devices.vf.failures > 0", "guests.vm.lost > 0", "failures.largestShare > 0.99"],
    },
    {
      cause: "with a driver that asks for what it uses",
      set: ["guests.driver.vmm=qemu"],
      fails: ["devices.vf.failures > 0", "guests.vm.lost > 0", "failures.largestShare > 0.99"],
    },
  ],
  {
    more: () => {
      test("the report names the cause", async () => {
        const result = await runLibrary("greedy-driver");
        expect(result.retention.shortages.length).toBeGreaterThan(0);
        for (const shortage of result.retention.shortages) {
          expect(shortage).toMatchObject({
            table: "CPU vectors",
            got: -28,
            most: "greedy0 0000:00:01.0",
            mostEntries: 480,
            mostOwner: "driver",
            mostOwnerEntries: 15 * 480 + 465,
          });
        }
        const words = textReport(result).replace(/\s+/g, " ");
        expect(words).toContain("7,680 of 7,680 used, driver has 7,665 of them, most by greedy0");
      });
    },
  },
);
