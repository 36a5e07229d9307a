import { describe, expect, test } from "vitest";
import { VmProcess } from "../../../guest/vm-process.ts";
import type { TimelineEntry } from "../../../src/scenario/types.ts";
import { CONTROL_HEARTBEAT, interruptsOf } from "../../../src/shm/border.ts";
import { MessageReceiver } from "../../../src/wire/channel.ts";
import { Bench, type BenchOptions } from "./kernel/bench.ts";

const MS = 1e6;

function started(timeline: readonly TimelineEntry[], options: BenchOptions = {}) {
  const bench = new Bench({ ...options, timeline });
  const guest = new VmProcess(bench.env, bench.plan, bench.guest, bench.vm);
  guest.start();
  return { bench, guest };
}

describe("the timeline of a VM process", () => {
  test("actions run one after another, a late one when the previous has ended", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: 0, do: "reboot" },
      { at: MS, do: "mode", to: "intx" },
    ]);
    bench.advance(0.9 * MS);
    expect(guest.busy()).toBe(false);
    bench.advance(2 * MS);
    expect(bench.points()).toEqual([
      "guest_power_on",
      "guest_firmware",
      "guest_kernel_boot",
      "guest_driver_probe",
      "guest_mode",
      "guest_io_start",
      "guest_reboot",
      "guest_driver_remove",
      "guest_firmware",
      "guest_kernel_boot",
      "guest_driver_probe",
      "guest_mode",
      "guest_io_start",
      "guest_driver_remove",
      "guest_driver_probe",
      "guest_mode",
      "guest_io_start",
    ]);
    expect(guest.report().state).toBe("running");
    expect(guest.report().counters.boots).toBe(2);
  });

  test("times are relative to the start, and a timeline without boot boots right away", () => {
    const { bench, guest } = started([{ at: 5 * MS, do: "crash" }]);
    bench.advance(4 * MS);
    expect(guest.report().state).toBe("running");
    bench.advance(6 * MS);
    expect(bench.env.tracer.events.find(({ point }) => point === "guest_crash")!.at).toBe(5 * MS);
    expect(guest.report().state).toBe("running");
  });

  test("a kill does not wait: in the middle of a boot everything stops", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: 200, do: "kill" },
    ]);
    bench.advance(100);
    expect(guest.busy()).toBe(true);
    bench.advance(MS);
    expect(guest.alive()).toBe(false);
    expect(guest.busy()).toBe(false);
    expect(guest.poll()).toBe(0);
    expect(guest.report().state).toBe("killed");
    expect(bench.points()).toEqual(["guest_power_on", "guest_firmware", "guest_killed"]);
    const writes = bench.vm.log.length;
    bench.advance(2 * MS);
    expect(bench.vm.log.length).toBe(writes);
  });

  test("a dead process settles nothing: its tokens are the engine's", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: MS, do: "kill" },
    ]);
    bench.advance(2 * MS);
    bench.inject(3, 0x23);
    guest.settle();
    expect(bench.vm.log).not.toContain("settle");
    expect(Array.from(bench.guest.guestFates).every((n) => n === 0)).toBe(true);
  });

  test("a VMM that cannot start ends the process, and says why", () => {
    const { bench, guest } = started([{ at: 0, do: "boot" }]);
    bench.vm.realizeError = "vfio 0000:01:00.0: failed to open";
    bench.advance(MS);
    expect(guest.alive()).toBe(false);
    expect(guest.report().state).toBe("vfio 0000:01:00.0: failed to open");
    expect(bench.points()).toEqual(["guest_power_on", "guest_stopped"]);
  });

  test("when the host wants a device back the driver lets go of it, and it stays away", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: 2 * MS, do: "reboot" },
    ]);
    bench.advance(MS);
    bench.vm.onUnplugRequest!(bench.vm.functions[0]!);
    bench.advance(1.5 * MS);
    expect(bench.vm.log.slice(-2)).toEqual(["cfg 4 103", "eject n64"]);
    bench.vm.log.length = 0;
    bench.advance(3 * MS);
    expect(bench.vm.log).toEqual(["reset", "reset"]);
    expect(guest.report().state).toBe("running");
  });

  test("shutdown ends the process in good order", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: MS, do: "shutdown" },
    ]);
    bench.advance(2 * MS);
    expect(guest.alive()).toBe(false);
    expect(guest.report().state).toBe("off");
    expect(bench.vm.log.at(-1)).toBe("quit");
  });
});

describe("what befalls a VM process", () => {
  test("while it is stalled it looks at nothing, and then at everything", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: 2 * MS, do: "stall", for: MS },
    ]);
    bench.advance(2.5 * MS);
    bench.inject(3, 0x23);
    expect(guest.poll()).toBe(0);
    expect(bench.guest.interrupts.pending()).toBe(true);
    bench.advance(3.1 * MS);
    expect(bench.guest.interrupts.pending()).toBe(false);
    expect(bench.points()).toContain("guest_stall");
  });

  test("corrupted slots reach the host, one by one, and hold no message", () => {
    const { bench } = started([
      { at: 0, do: "boot" },
      { at: 2 * MS, do: "corrupt", slots: 5 },
    ]);
    bench.advance(3 * MS);
    const bad: string[] = [];
    const receiver = new MessageReceiver(bench.host.requests, (why) => bad.push(why));
    receiver.receive((message) => expect(message).toBe(null));
    expect(bad).toHaveLength(5);
    expect(["not-msgpack", "slot-length"]).toEqual(expect.arrayContaining([...new Set(bad)]));
  });
});

describe("what an engine asks of a VM process", () => {
  test("inject takes actions by name, and refuses what it does not know", () => {
    const { bench, guest } = started([{ at: 0, do: "boot" }]);
    bench.advance(MS);
    guest.inject("mode intx");
    guest.inject("cpu-offline 1");
    bench.advance(2 * MS);
    expect(bench.points().slice(-2)).toEqual(["guest_io_start", "guest_cpu_offline"]);
    expect(() => guest.inject("explode")).toThrow(/unknown guest action/);
    expect(() => guest.inject("mode fast")).toThrow(/mode to what/);
    expect(() => guest.inject("cpu-online x")).toThrow(/which CPU/);
  });

  test("quiesce drops the rest of the timeline and stops the workload", () => {
    const { bench, guest } = started(
      [
        { at: 0, do: "boot" },
        { at: 9 * MS, do: "reboot" },
      ],
      { workload: { arrivals: "closed", depth: 1 } },
    );
    bench.advance(MS);
    expect(guest.busy()).toBe(false);
    guest.quiesce();
    expect(guest.busy()).toBe(true);
    bench.advance(20 * MS);
    expect(guest.busy()).toBe(false);
    expect(bench.points()).not.toContain("guest_reboot");
    expect(bench.points().at(-1)).toBe("guest_io_stop");
    expect(bench.vm.log.at(-1)).toBe("reg f00 0");
  });

  test("interrupts and progress are visible to main, and settle counts what is left", () => {
    const { bench, guest } = started([{ at: 0, do: "boot" }]);
    bench.advance(MS);
    const msix1 = 1 + 1 + 1;
    // Vector 1 is vCPU 0's queue, at 0x23 in this machine.
    bench.inject(msix1, 0x23);
    expect(guest.busy()).toBe(true);
    expect(guest.poll()).toBe(1);
    expect(interruptsOf(bench.guest.memory)).toBe(1);
    expect(bench.guest.control[CONTROL_HEARTBEAT]).toBe(1);
    expect(guest.report().interrupts).toBe(1);
    bench.inject(msix1, 0x23);
    guest.settle();
    expect(bench.count(msix1, "pending-guest")).toBe(1);
  });

  test("a token that waits when the machine is reset is dropped by the reset", () => {
    const { bench, guest } = started([
      { at: 0, do: "boot" },
      { at: 2 * MS, do: "reset" },
    ]);
    const msix1 = 1 + 1 + 1;
    bench.vm.onAccess = (line) => {
      if (line === "reset" && bench.vm.log.filter((l) => l === "reset").length === 1) {
        bench.inject(msix1, 0x23);
      }
    };
    bench.advance(4 * MS);
    guest.poll();
    expect(bench.count(msix1, "dropped-guest-reset")).toBe(1);
    expect(bench.count(msix1, "delivered")).toBe(0);
  });
});
