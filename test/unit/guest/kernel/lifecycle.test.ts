import { describe, expect, test } from "vitest";
import { Lifecycle } from "../../../../guest/kernel/lifecycle.ts";
import { Bench, NVME } from "./bench.ts";
import { compact } from "./fake-vm.ts";

/** q10-kvm-nvme-boot-smp2 of real QEMU 10.0 and Linux 6.12: config and table writes, in order. */
const FIRMWARE = `
cfg 10 ffffffff|cfg 10 4|cfg 14 ffffffff|cfg 14 0|cfg 18 ffffffff|cfg 18 0|cfg 1c ffffffff|cfg 1c 0
cfg 20 ffffffff|cfg 20 0|cfg 24 ffffffff|cfg 24 0|cfg 30 fffff800|cfg 30 0
cfg 10 fe600000|cfg 14 0|route 21|route a|cfg 3c a|cfg 4 103|cfg 4 103|cfg 4 107`;
const KERNEL = `
cfg 4 507|cfg 4 107|cfg 4 104|cfg 10 ffffffff|cfg 10 fe600004|cfg 14 ffffffff|cfg 14 0|cfg 4 107
cfg 4 104|cfg 18 ffffffff|cfg 18 0|cfg 4 107|cfg 4 104|cfg 1c ffffffff|cfg 1c 0|cfg 4 107
cfg 4 104|cfg 20 ffffffff|cfg 20 0|cfg 4 107|cfg 4 104|cfg 24 ffffffff|cfg 24 0|cfg 4 107
cfg 4 104|cfg 30 fffff800|cfg 30 0|cfg 4 107|cfg 88 100|cfg 90 0|cfg 90 0|route 21`;
const PROBE_ADMIN = `
cfg 42 c03f|msg 0 fee00000 ef|cfg 4 507|mask 0-63|cfg 42 803f
msg 0 fee01000 23|msg 0 fee01000 23|unmask 0
mask 0|msg 0 0 0|mask 0|cfg 42 3f|cfg 4 107`;
const PROBE_IO = `
cfg 42 c03f|msg 0 fee00000 ef|msg 1 fee00000 ef|msg 2 fee00000 ef|cfg 4 507|mask 0-63|cfg 42 803f
msg 0 fee01000 24|msg 0 fee01000 24|unmask 0
msg 1 fee00000 23|msg 1 fee00000 23|unmask 1
msg 2 fee01000 23|msg 2 fee01000 23|unmask 2`;
const OFF = `
mask 2|msg 2 0 0|mask 1|msg 1 0 0|mask 0|msg 0 0 0|mask 0-2|cfg 42 3f|cfg 4 107|cfg 4 103`;

const lines = (...texts: string[]): string[] =>
  texts
    .flatMap((text) => text.trim().split(/[|\n]/))
    .map((line) => line.replace(/^route a$/, "route 10"));

/** What the recordings show: config, table and routes, without the device's registers. */
const seen = (log: readonly string[]): string[] =>
  compact(log.filter((line) => !/^(reg|bell|ioapic|eoi) /.test(line)));

function living(options: ConstructorParameters<typeof Bench>[0] = {}) {
  const bench = new Bench(options);
  const interrupts = bench.interrupts();
  const life = new Lifecycle(bench.env, bench.plan, bench.vm, interrupts);
  return { bench, interrupts, life };
}

describe("the life of a guest, held against a recording of Linux 6.12 on QEMU 10.0", () => {
  test("a boot writes config space and the MSI-X table as the real guest did", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    expect(life.state).toBe("running");
    expect(seen(bench.vm.log)).toEqual(lines("realize", FIRMWARE, KERNEL, PROBE_ADMIN, PROBE_IO));
  });

  test("unbind masks the vectors from the last to the first and turns MSI-X off", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "unbind" }));
    expect(seen(bench.vm.log)).toEqual(lines(OFF));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "bind" }));
    expect(seen(bench.vm.log)).toEqual(lines("cfg 4 107", PROBE_ADMIN, PROBE_IO));
  });

  test("a reboot is the driver's off sequence, two system resets and a boot", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "reboot" }));
    // Routed to 21 by the first kernel, the firmware of the second boot moves it once only.
    const again = FIRMWARE.replace("route 21|", "");
    expect(seen(bench.vm.log)).toEqual(
      lines(OFF, "reset", "reset", again, KERNEL, PROBE_ADMIN, PROBE_IO),
    );
    expect(life.boots).toBe(2);
  });

  test("reset and crash leave the driver's registers alone before the two resets", () => {
    for (const action of ["reset", "crash"] as const) {
      const { bench, life } = living();
      bench.run(life.perform({ do: "boot" }));
      bench.vm.log.length = 0;
      bench.run(life.perform({ do: action }));
      expect(seen(bench.vm.log).slice(0, 2)).toEqual(["reset", "reset"]);
      expect(life.state).toBe("running");
      expect(bench.points()).toContain(`guest_${action}`);
    }
  });

  test("a vCPU that goes offline takes its queue's vector down; the other vectors move", () => {
    // q10-kvm-nvme-lifecycle-smp4: vector 0 leaves vCPU 3 in two steps, 4 is masked twice.
    const { bench, life } = living({ vcpus: 4 });
    bench.run(life.perform({ do: "boot" }));
    const placed = compact(bench.vm.log).filter((line) => /^msg 0 fee0[1-3]/.test(line));
    const [, , address, vector] = placed.at(-1)!.split(" ");
    const cpu = Number.parseInt(address!.slice(4, 5), 16);
    const queue = cpu + 1;
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "cpu-offline", cpu }));
    const moved = compact(bench.vm.log);
    const shut = moved.indexOf(`mask ${queue}`);
    expect(moved.slice(shut)).toEqual([`mask ${queue}`, `mask ${queue}`, `msg ${queue} 0 0`]);
    const [mask, ...rest] = moved.slice(0, shut);
    expect(mask).toBe("mask 0");
    expect(rest.at(-1)).toBe("unmask 0");
    const steps = rest.slice(0, -1).map((line) => line.split(" ").slice(2));
    expect(steps.at(-1)![0]).not.toBe(address);
    if (steps.at(-1)![1] !== vector) expect(steps[0]).toEqual([address, steps.at(-1)![1]]);
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "cpu-online", cpu }));
    const back = compact(bench.vm.log);
    expect(back).toHaveLength(3);
    expect(back[0]).toMatch(new RegExp(`^msg ${queue} fee0${cpu}000 `));
    expect(back[1]).toBe(back[0]);
    expect(back[2]).toBe(`unmask ${queue}`);
  });

  test("mode intx takes MSI-X off and programs the IOAPIC pin, level and active low", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "mode", to: "intx" }));
    expect(seen(bench.vm.log)).toEqual(lines(OFF, "cfg 4 107"));
    const pins = bench.vm.log.filter((line) => line.startsWith("ioapic"));
    expect(pins.at(-1)).toMatch(/^ioapic 21 a02\w 1000000$/);
    expect(pins.at(-2)).toMatch(/^ioapic 21 1a02\w 1000000$/);
    expect(bench.env.tracer.events.at(-2)!.args).toMatchObject({ mode: "intx" });
  });

  test("mode msi writes control, address and data before enabling, as ahci's recording", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.run(life.perform({ do: "unbind" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "mode", to: "msi" }));
    const writes = seen(bench.vm.log);
    const on = "cfg 52 80|cfg 52 80|cfg 54 fee01000|cfg 58 0|cfg 5c 23|cfg 4 507|cfg 52 81";
    const request = "cfg 52 81|cfg 54 fee01000|cfg 58 0|cfg 5c 23";
    const off = "cfg 52 81|cfg 54 0|cfg 58 0|cfg 5c 0|cfg 52 80|cfg 4 107";
    expect(writes).toEqual(lines("cfg 4 107", on, request, off, on, request));
  });

  test("a mode the device does not have fails the probe, and the guest goes on", () => {
    const { bench, life } = living({ device: { ...NVME, msiVectors: 0 } });
    bench.run(life.perform({ do: "boot" }));
    bench.run(life.perform({ do: "mode", to: "msi" }));
    expect(bench.points()).toContain("guest_driver_error");
    expect(life.drivers[0]!.state).toBe("failed");
    bench.run(life.perform({ do: "mode", to: "msix" }));
    expect(life.drivers[0]!.state).toBe("bound");
  });

  test("shutdown takes the driver off and ends the VM process", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "shutdown" }));
    expect(seen(bench.vm.log)).toEqual(lines(OFF, "quit"));
    expect(life.quit).toBe(true);
    expect(bench.points().at(-1)).toBe("guest_stopped");
  });
});

describe("kernels that follow each other without a reset", () => {
  test("kexec shuts drivers down, and the next kernel finds MSI-X off", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "kexec" }));
    expect(seen(bench.vm.log).slice(0, 6)).toEqual(lines(OFF).slice(0, 6));
    expect(bench.vm.log.filter((line) => /^reset|^route a/.test(line))).toEqual([]);
    expect(life.boots).toBe(2);
    expect(life.drivers[0]!.vectors.mode).toBe("msix");
  });

  test("a crash kernel turns off what was left on, and uses one vCPU and its own mode", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "crash-kexec", to: "intx" }));
    expect(seen(bench.vm.log)[0]).toBe("cfg 42 3f");
    expect(bench.vm.log.filter((line) => line.startsWith("tbl"))).toEqual([]);
    expect(life.state).toBe("running");
    expect(life.kernel!.online).toEqual([0]);
    expect(life.drivers[0]!.vectors.mode).toBe("intx");
    expect(bench.points()).toContain("guest_crash");
    bench.run(life.perform({ do: "reboot" }));
    expect(life.kernel!.online).toEqual([0, 1]);
    expect(life.drivers[0]!.vectors.mode).toBe("msix");
  });
});

describe("suspend to idle", () => {
  test("devices sleep, and come back with their vectors and their I/O; no reset in between", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.vm.log.length = 0;
    bench.run(life.perform({ do: "suspend" }));
    expect(life.state).toBe("asleep");
    expect(life.drivers[0]!.vectors.mode).toBe(null);
    bench.run(life.perform({ do: "unbind" }));
    bench.run(life.perform({ do: "resume" }));
    expect(life.state).toBe("running");
    expect(life.drivers[0]!.vectors.mode).toBe("msix");
    expect(bench.vm.log.filter((line) => line.startsWith("reset"))).toEqual([]);
    expect(bench.points().slice(-4)).toEqual([
      "guest_suspend",
      "guest_resume",
      "guest_mode",
      "guest_io_start",
    ]);
  });

  test("who does not sleep does not wake", () => {
    const { bench, life } = living();
    bench.run(life.perform({ do: "boot" }));
    bench.run(life.perform({ do: "resume" }));
    expect(bench.points()).not.toContain("guest_resume");
  });
});
