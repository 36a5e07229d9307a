import { expect, it } from "vitest";
import { RECORDED_BOOT_USE } from "../../../../host/irq/platform.ts";
import { EINVAL } from "../../../../src/base/errno.ts";
import { UsageError } from "../../../../src/base/errors.ts";
import { Machine } from "./machine.ts";

it("the default boot is the recorded machine's: 21 entries, 10 vectors, irqs from 28", () => {
  expect(RECORDED_BOOT_USE).toEqual({
    irtes: 21,
    irqs: 4,
    vectors: 10,
    reservations: 12,
    lines: [21, 22, 23],
  });
  expect(new Machine().pool.report()).toMatchObject({
    irqsHeld: 0,
    irtesUsed: 21,
    irtesBoot: 21,
    irtesSize: 65_536,
    vectorsUsed: 10,
    vectorsBoot: 10,
    vectorsSize: 402,
  });
});

it("a host too small for its own boot is the user's mistake", () => {
  expect(() => new Machine({ irtes: 20 })).toThrow(UsageError);
  expect(() => new Machine({ cpus: 1, vectorsPerCpu: 9 })).toThrow("less than the 10");
});

it("without remapping many MSI are granted one, and MSI-X has no limit (noremap h08)", () => {
  const machine = new Machine({ platform: "x86-flat" });
  const x16 = machine.client({ msi: 16, msix: 16 });
  for (const wanted of [2, 3, 4, 5, 7, 9, 16]) {
    expect(machine.vfioEnable(x16, wanted, "msi")).toBe(1);
    expect(x16.fn.msi!.allotted).toBe(1);
  }
  expect(machine.vfioEnable(x16, 1, "msi")).toBe(0);
  expect(machine.pool.irqFile(x16)).toBe(28);
  machine.disable(x16);
  expect(machine.vfioEnable(x16, 16)).toBe(0);
  expect(machine.pool.report()).toMatchObject({ irtesUsed: 0, irtesSize: 0, irtesPeak: 0 });
  expect(machine.klog()).toEqual([]);
});

it("without remapping a message names CPU and vector, or the shutdown vector", () => {
  const machine = new Machine({ platform: "x86-flat" });
  const client = machine.client({ msix: 2 });
  machine.enable(client, 1);
  const { msix } = client.fn;
  expect([msix!.addressLo(0), msix!.data(0)]).toEqual([0xfee00000, 0xef]);
  machine.request(client, 0);
  // Boot took 5 of each CPU, so that bit 5 of CPU 0 is next: vector 0x25.
  expect([msix!.addressLo(0), msix!.data(0)]).toEqual([0xfee00000, 0x25]);
});

it("Linux 6.1 adds no vector to MSI-X that is on", () => {
  const machine = new Machine({ kernel: "linux-6.1" });
  const client = machine.client({ msix: 8 });
  machine.enable(client, 2);
  expect(machine.pool.canAllocDynamically).toBe(false);
  expect(machine.run(machine.pool.pciMsixAllocIrqAt(client, 5))).toBe(-EINVAL);
});

it("the report keeps peaks and a series from the boot to the present", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 64 });
  machine.enable(client, 64);
  for (let i = 0; i < 10; i++) machine.request(client, i);
  for (let i = 0; i < 10; i++) machine.free(client, i);
  machine.disable(client);
  const report = machine.pool.report();
  expect(report).toMatchObject({
    irqsHeld: 0,
    irqsPeak: 64,
    irtesUsed: 21,
    irtesPeak: 85,
    vectorsUsed: 10,
    vectorsPeak: 20,
  });
  expect(report.samples[0]).toEqual({ at: 0, irqs: 0, irtes: 21, vectors: 10 });
  expect(report.samples.at(-1)).toMatchObject({ irqs: 0, irtes: 21, vectors: 10 });
  expect(report.samples.some((sample) => sample.irqs === 64 && sample.vectors === 20)).toBe(true);
  const times = report.samples.map((sample) => sample.at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});

it("the report tells who held how much and when, function by function", () => {
  const machine = new Machine();
  const [a, b] = [machine.client({ msix: 8 }), machine.client({ msi: 4 })];
  machine.enable(a, 5);
  machine.enable(b, 3, "msi");
  machine.disable(a);
  machine.enable(a, 2);
  const { at, holders } = machine.pool.report().occupancy!;
  expect(holders.map(({ name }) => name)).toEqual([a.fn.name, b.fn.name]);
  const last = at.length - 1;
  expect(holders.map(({ irqs }) => irqs[last])).toEqual([2, 3]);
  // Three MSI take four entries.
  expect(holders.map(({ irtes }) => irtes[last])).toEqual([2, 4]);
  expect(holders.map(({ irqs }) => Math.max(...irqs))).toEqual([5, 3]);
});

it("the series stays bounded however much changes", () => {
  const machine = new Machine();
  const client = machine.client({ msix: 2 });
  for (let i = 0; i < 6000; i++) {
    machine.enable(client, 1);
    machine.disable(client);
  }
  const { samples } = machine.pool.report();
  expect(samples.length).toBeLessThanOrEqual(4097);
  expect(samples.length).toBeGreaterThan(1000);
});
