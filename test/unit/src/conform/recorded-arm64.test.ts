import { describe, expect, it } from "vitest";
import { ItsTrace } from "../../../../src/conform/its-trace.ts";
import { recordingName } from "../../../../src/conform/recorded-machine.ts";

describe("names of arm64 recordings", () => {
  const machine = (path: string) => recordingName(path).machine;

  it("tell kernel and platform", () => {
    const host = (name: string) => machine(`handwritten/h00-info.${name}.jsonl`).host;
    expect(host("6.1-arm64")).toMatchObject({ kernel: "linux-6.1", platform: "arm64-its" });
    expect(host("6.12-arm64")).toMatchObject({ kernel: "linux-6.12", platform: "arm64-its" });
    expect(host("7.2-arm64")).toMatchObject({ kernel: "linux-7.2", platform: "arm64-its" });
    expect(host("6.12-arm64-v2m").platform).toBe("arm64-v2m");
    expect(machine("nointxmask/h12.6.12-arm64.jsonl").host.nointxmask).toBe(true);
  });

  it("tell the devices, and how many LPIs the root ports hold", () => {
    const q03 = machine("pool/q03-fill-whole.6.12-arm64.jsonl");
    expect([q03.devices.length, q03.host.boot!.irtes]).toEqual([38, 11]);
    const q02 = machine("pool/q02-lpi-cost-msi.6.12-arm64.jsonl");
    expect([q02.devices.length, q02.host.boot!.irtes]).toEqual([10, 3]);
    // pcie_ports=compat: ports without services have no interrupt.
    expect(machine("pool/q13-nothing-left.6.12-arm64.jsonl").host.boot!.irtes).toBe(0);
    // The older kernel ran all on the ten.
    expect(machine("older/q10-round.6.1-arm64.jsonl").devices).toHaveLength(10);
  });

  it("tell what ran before in the boot", () => {
    const newer = recordingName("newer/q04-fill-one-vector.7.2-arm64.jsonl");
    expect(newer.before).toEqual(["q01-lpi-cost-msix.script", "q03-fill-whole.script"]);
    expect(newer.machine.setUp).toHaveLength(3);
    const pool = recordingName("pool/q04-fill-one-vector.6.12-arm64.jsonl");
    expect(pool.before).toEqual(["q01-lpi-cost-msix.script", "q03-fill-whole.script"]);
    // The try-out of n8 at boot, then 27 tables, opened and enabled.
    expect(machine("random-pool/lpi-0001.6.12-arm64.jsonl").setUp).toHaveLength(57);
  });

  it("requester ids are bus and slot", () => {
    const { requesterIds } = machine("pool/q03-fill-whole.6.12-arm64.jsonl");
    expect(requesterIds).toMatchObject({ n8: 256, n64: 768, a: 32, y16: 80, w01: 88, w20: 240 });
    expect(requesterIds).toMatchObject({ w21: 0x400, w26: 2304, w28: 0xb00 });
  });

  it("others are refused", () => {
    expect(() => recordingName("pool/q01.6.12-riscv.jsonl")).toThrow("NAME.KERNEL.jsonl");
    expect(() => recordingName("pool/q01.5.10-arm64.jsonl")).toThrow("NAME.KERNEL.jsonl");
  });
});

it("trace points are told in the words of the recorder's probes, and taken once", () => {
  const trace = new ItsTrace({ n8: 256 });
  const device = "n8";
  trace.emit("pci_alloc_irq_vectors", { device, min: 1, max: 5, msix: 1 });
  trace.emit("its_msi_prepare", { device, nvec: 8 });
  trace.emit("its_create_device", { device, nvecs: 8 });
  trace.emit("its_create_device_return", { device, base: 8203, nr: 8 });
  trace.emit("its_create_device_return", { device, base: 0, nr: 0 });
  trace.emit("its_msi_prepare_return", { device, ret: -12 });
  trace.emit("its_alloc_device_irq_failed", { device });
  trace.emit("pci_alloc_irq_vectors_return", { device, ret: 5 });
  trace.emit("free_lpi_range", { base: 8203, nr: 8 });
  trace.emit("vfio_pci_open", { device });
  trace.emit("pci_alloc_irq_vectors", { device, min: 1, max: 1, msix: 0 });
  expect(trace.take()).toEqual([
    "pci_alloc min=1 max=5 flags=4",
    "msi_prepare nvec=8",
    "create_device devid=256 nvecs=8",
    "created ok base=8203 nr=8",
    "created ret=0x0 base=0 nr=0",
    "msi_prepared ret=-12",
    "domain_allocated ret=-28",
    "pci_alloced ret=5",
    "free_lpi_range base=8203 nr=8",
    "pci_alloc min=1 max=1 flags=2",
  ]);
  expect(trace.take()).toEqual([]);
});
