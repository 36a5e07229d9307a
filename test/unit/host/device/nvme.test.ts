/** The nvme model: controller registers, queues, doorbells, and which interrupt they make. */
import { expect, test } from "vitest";
import { Nvme } from "../../../../host/device/nvme.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec, World } from "./fixtures.ts";

const CC = 0x14;
const CSTS = 0x1c;
const INTMS = 0x0c;
const INTMC = 0x10;
const IOQ = 0xf00;
const IOV = 0xf04;
const DOORBELLS = 0x1000;

function makeNvme(vectors: number, { msi = 0 } = {}) {
  const world = new World();
  const nvme = new Nvme(spec("nvme", vectors, msi), { env: world, serviceNs: 10_000 });
  const sink = new RecordingSink();
  nvme.fn.sink = sink;
  nvme.fn.configWrite(4, 2, 0x6);
  const read = (at: number): number => Number(nvme.barRead(0, at, 4));
  const write = (at: number, value: number): void => nvme.barWrite(0, at, 4, BigInt(value));
  return { world, nvme, sink, read, write };
}

/** MSI-X on and unmasked, controller ready, `ioQueues` created. */
function readyNvme(vectors: number, ioQueues: number) {
  const made = makeNvme(vectors);
  made.nvme.fn.msix!.setControl(true);
  for (let vector = 0; vector < vectors; vector++) {
    made.nvme.fn.msix!.setVectorMask(vector, false);
  }
  made.write(CC, 1);
  made.write(IOQ, ioQueues);
  return made;
}

test("CAP tells 2048 entries a queue and stride 0, VS tells 1.4", () => {
  const { nvme, read } = makeNvme(8);
  const cap = nvme.barRead(0, 0, 8);
  expect(cap & 0xffffn).toBe(2047n);
  expect((cap >> 32n) & 0xfn).toBe(0n);
  expect((cap >> 37n) & 1n).toBe(1n);
  expect(read(8)).toBe(0x00010400);
  expect(nvme.barRead(0, 0, 2)).toBe(2047n);
});

test("CSTS.RDY follows CC.EN", () => {
  const { read, write } = makeNvme(8);
  expect(read(CSTS)).toBe(0);
  write(CC, 0x00460001);
  expect(read(CSTS)).toBe(1);
  expect(read(CC)).toBe(0x00460001);
  write(CC, 0x00460000);
  expect(read(CSTS)).toBe(0);
});

test("a shutdown notification is answered with shutdown complete", () => {
  const { read, write } = makeNvme(8);
  write(CC, 1);
  write(CC, 0x4001);
  expect(read(CSTS)).toBe(0x9);
});

test("admin queue registers keep what is written, 64-bit ones also at once", () => {
  const { nvme, read, write } = makeNvme(8);
  write(0x24, 0x001f001f);
  nvme.barWrite(0, 0x28, 8, 0x1_2345_6000n);
  expect(read(0x24)).toBe(0x001f001f);
  expect(nvme.barRead(0, 0x28, 8)).toBe(0x1_2345_6000n);
  nvme.reset();
  expect(nvme.barRead(0, 0x28, 8)).toBe(0n);
});

test("I/O queues are created up to what the controller has, and only while it is ready", () => {
  const { nvme, read, write } = makeNvme(8);
  write(IOQ, 4);
  expect(read(IOQ)).toBe(0);
  write(CC, 1);
  write(IOQ, 4);
  expect(read(IOQ)).toBe(4);
  write(IOQ, 0xffffffff);
  expect(nvme.ioQueues).toBe(7);
  write(CC, 0);
  expect(read(IOQ)).toBe(0);
});

test("an nvme has two doorbells a queue, and one I/O queue even without MSI-X", () => {
  expect(makeNvme(64).nvme.doorbells).toBe(128);
  expect(makeNvme(1).nvme.doorbells).toBe(4);
  expect(makeNvme(0).nvme.doorbells).toBe(4);
});

test("a submission completes after the service time, on the queue's own vector", () => {
  const { world, nvme, sink } = readyNvme(8, 4);
  nvme.doorbell(2 * 3, 5);
  world.run(9_999);
  expect(sink.take()).toEqual([]);
  world.run(10_000);
  expect(sink.take()).toEqual(["msix 3"]);
});

test("the admin queue interrupts on vector 0", () => {
  const { world, sink, write } = readyNvme(8, 0);
  write(DOORBELLS, 1);
  world.run();
  expect(sink.take()).toEqual(["msix 0"]);
});

test("what arrives during a service completes together in the next one", () => {
  const { world, nvme, sink, read } = readyNvme(8, 1);
  nvme.doorbell(2, 1);
  world.run(5_000);
  nvme.doorbell(2, 2);
  nvme.doorbell(2, 3);
  world.run(10_000);
  expect(sink.take()).toEqual(["msix 1"]);
  expect(read(DOORBELLS + 8)).toBe(1);
  world.run(20_000);
  expect(sink.take()).toEqual(["msix 1"]);
  expect([read(DOORBELLS + 8), read(DOORBELLS + 12)]).toEqual([3, 2]);
  world.run();
  expect(sink.take()).toEqual([]);
});

test("a tail that did not move is no work", () => {
  const { world, nvme, sink } = readyNvme(8, 1);
  nvme.doorbell(2, 0);
  nvme.doorbell(2, 1);
  world.run();
  nvme.doorbell(2, 1);
  world.run();
  expect(sink.take()).toEqual(["msix 1"]);
});

test("doorbells of queues that do not exist do nothing, whatever a guest writes", () => {
  const { world, nvme, sink } = readyNvme(8, 1);
  for (const index of [4, 15, 16, 4096, -1, 2 ** 31]) nvme.doorbell(index, -1);
  world.run();
  expect(sink.take()).toEqual([]);
});

test("doorbells do nothing while the controller is not ready", () => {
  const { world, nvme, sink, write } = readyNvme(8, 1);
  write(CC, 0);
  nvme.doorbell(0, 1);
  world.run();
  expect(sink.take()).toEqual([]);
});

test("a reset cancels services under way and starts queues afresh", () => {
  const { world, nvme, sink, read } = readyNvme(8, 1);
  nvme.doorbell(2, 1);
  nvme.reset();
  world.run();
  expect(sink.take()).toEqual([]);
  expect([read(CC), read(CSTS), read(IOQ)]).toEqual([0, 0, 0]);
  expect(nvme.fn.configRead(4, 2)).toBe(0);
});

test("a deleted queue completes nothing, and created again it starts at 0", () => {
  const { world, nvme, sink, read, write } = readyNvme(8, 2);
  nvme.doorbell(4, 7);
  write(IOQ, 1);
  write(IOQ, 2);
  world.run();
  expect(sink.take()).toEqual([]);
  expect(read(DOORBELLS + 16)).toBe(0);
});

test("a driver with one vector puts its I/O queue on it", () => {
  const { world, nvme, sink, write } = readyNvme(8, 1);
  write(IOV, 0);
  nvme.doorbell(2, 1);
  world.run();
  expect(sink.take()).toEqual(["msix 0"]);
  write(CC, 0);
  write(CC, 1);
  write(IOQ, 1);
  nvme.doorbell(2, 1);
  world.run();
  expect(sink.take()).toEqual(["msix 1"]);
});

test("with MSI the queues share the granted vectors", () => {
  const { world, nvme, sink, write } = makeNvme(8, { msi: 4 });
  nvme.fn.msi!.setControl(true, 2);
  write(CC, 1);
  write(IOQ, 3);
  for (const queue of [0, 1, 2, 3]) nvme.doorbell(2 * queue, 1);
  world.run();
  expect(sink.take()).toEqual(["msi 0", "msi 1", "msi 0", "msi 1"]);
});

test("with no message interrupt on INTx stays until every queue is acknowledged", () => {
  const { world, nvme, sink, write } = makeNvme(8);
  write(CC, 1);
  write(IOQ, 2);
  nvme.doorbell(2, 1);
  nvme.doorbell(4, 1);
  world.run();
  nvme.fn.takeIntx();
  nvme.doorbell(3, 1);
  expect(nvme.fn.intxAsserted).toBe(true);
  nvme.doorbell(5, 1);
  expect(sink.take()).toEqual(["wire high", "intx 0 coalesced-line", "wire low"]);
  nvme.doorbell(5, 1);
  expect(sink.take()).toEqual([]);
});

test("bit 0 of INTMS masks the pin, INTMC asserts it for what came meanwhile", () => {
  const { world, nvme, sink, read, write } = makeNvme(8);
  write(CC, 1);
  write(INTMS, 1);
  expect(read(INTMS)).toBe(1);
  nvme.doorbell(0, 1);
  world.run();
  expect(sink.take()).toEqual([]);
  write(INTMC, 1);
  expect(sink.take()).toEqual(["wire high"]);
  nvme.fn.takeIntx();
  write(INTMS, 1);
  expect(sink.take()).toEqual(["wire low"]);
});

test("a controller reset lowers INTx", () => {
  const { world, nvme, sink, write } = makeNvme(8);
  write(CC, 1);
  nvme.doorbell(0, 1);
  world.run();
  write(CC, 0);
  expect(sink.take()).toEqual(["wire high", "intx 0 dropped-withdrawn", "wire low"]);
});

test("registers take double words only", () => {
  const { nvme, read } = makeNvme(8);
  nvme.barWrite(0, CC, 1, 1n);
  nvme.barWrite(0, CC + 2, 2, 1n);
  expect(read(CC)).toBe(0);
});

test("without an environment commands complete at once", () => {
  const nvme = new Nvme(spec("nvme", 2));
  const sink = new RecordingSink();
  nvme.fn.sink = sink;
  nvme.barWrite(0, CC, 4, 1n);
  nvme.doorbell(0, 1);
  expect(sink.take()).toEqual(["wire high"]);
});
