/** The Data Streaming Accelerator's model: queues on demand, portals, and which vector they use. */
import { describe, expect, test } from "vitest";
import { Idxd } from "../../../../host/device/idxd.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec, World } from "./fixtures.ts";

/** Specification 355205, 9.2. */
const WQCAP = 0x20;
const GENSTATS = 0x90;
const INTCAUSE = 0x98;
const CMD = 0xa0;
const CMDSTS = 0xa8;
const command = (code: number, operand = 0): number => code * 2 ** 20 + operand;
const ENABLE_DEVICE = command(1);
const RESET_DEVICE = command(5);
const enableWq = (wq: number): number => command(6, wq);
const resetWqs = (mask: number): number => command(10, mask);

function makeIdxd({ msix = true } = {}) {
  const world = new World();
  const idxd = new Idxd(spec("idxd", 9), { env: world, serviceNs: 2_000 });
  const sink = new RecordingSink();
  idxd.fn.sink = sink;
  idxd.fn.configWrite(4, 2, 0x6);
  if (msix) idxd.fn.msix!.setControl(true);
  for (let vector = 0; vector < 9; vector++) idxd.fn.msix!.setVectorMask(vector, false);
  const read = (at: number): number => Number(idxd.barRead(0, at, 4));
  const write = (at: number, value: number): void => idxd.barWrite(0, at, 4, BigInt(value));
  const status = (value: number): number => {
    write(CMD, value);
    return read(CMDSTS);
  };
  return { world, idxd, sink, read, write, status };
}

describe("the idxd model", () => {
  test("has eight work queues, nine vectors, no pin and no MSI", () => {
    const { idxd, read } = makeIdxd();
    expect(read(WQCAP) >>> 16).toBe(8);
    expect(idxd.fn.msix!.vectors).toBe(9);
    expect(idxd.fn.configRead(0x3d, 1)).toBe(0);
    expect(idxd.fn.msi).toBe(null);
    expect(idxd.fn.configRead(0, 4)).toBe(0x0b258086);
  });

  test("enables queues only while the device is on, and each once", () => {
    const { read, status } = makeIdxd();
    expect(status(enableWq(0))).toBe(0x20);
    expect(status(ENABLE_DEVICE)).toBe(0);
    expect(read(GENSTATS)).toBe(1);
    expect(status(ENABLE_DEVICE)).toBe(0x10);
    expect(status(enableWq(3))).toBe(0);
    expect(status(enableWq(3))).toBe(0x24);
    expect(status(enableWq(8))).toBe(0x21);
    expect(status(RESET_DEVICE)).toBe(0);
    expect(read(GENSTATS)).toBe(0);
  });

  test("completes what was submitted to a queue that is on, with one interrupt of its own", () => {
    const { world, idxd, sink, status } = makeIdxd();
    status(ENABLE_DEVICE);
    status(enableWq(2));
    idxd.doorbell(2, 4);
    idxd.doorbell(2, 7);
    idxd.doorbell(5, 1);
    world.run(2_000);
    expect(sink.take()).toEqual(["msix 3"]);
    world.run(4_000);
    expect(sink.take()).toEqual(["msix 3"]);
    world.run();
    expect(sink.take()).toEqual([]);
  });

  test("forgets what a queue had to do when it is reset", () => {
    const { world, idxd, sink, status } = makeIdxd();
    status(ENABLE_DEVICE);
    status(enableWq(0));
    status(enableWq(1));
    idxd.doorbell(0, 1);
    idxd.doorbell(1, 1);
    status(resetWqs(0b01));
    world.run();
    expect(sink.take()).toEqual(["msix 2"]);
  });

  test("tells the end of a command by vector 0 if it is asked to", () => {
    const { sink, read, write } = makeIdxd();
    write(CMD, ENABLE_DEVICE + 2 ** 31);
    expect(sink.take()).toEqual(["msix 0"]);
    expect(read(INTCAUSE)).toBe(2);
    write(INTCAUSE, 2);
    expect(read(INTCAUSE)).toBe(0);
  });

  test("loses interrupts while MSI-X is off: nothing is latched", () => {
    const { world, idxd, sink, status } = makeIdxd({ msix: false });
    status(ENABLE_DEVICE);
    status(enableWq(0));
    idxd.doorbell(0, 1);
    world.run();
    expect(sink.take()).toEqual(["msix 1 dropped-disabled"]);
    expect(idxd.fn.msix!.isPending(1)).toBe(false);
  });

  test("has as much load of its own as there are queues on", () => {
    const { world, idxd, sink, status } = makeIdxd();
    idxd.startLoad({ arrivals: "fixed", rate: 1_000, per: "queue", depth: 1 }, world);
    status(ENABLE_DEVICE);
    expect(idxd.runLoad(1e9)).toBe(Number.POSITIVE_INFINITY);
    status(enableWq(1));
    status(enableWq(6));
    idxd.runLoad(1e6);
    expect(sink.take().sort()).toEqual(["msix 2", "msix 7"]);
  });
});
