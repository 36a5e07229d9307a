/** The nic model: where causes go, what enables them, how far apart interrupts are. */
import { describe, expect, test } from "vitest";
import { Nic } from "../../../../host/device/nic.ts";
import type { DeviceSpec } from "../../../../src/scenario/types.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec, World } from "./fixtures.ts";

/** 82576 datasheet, 8.1: offsets and bits, as the table there has them. */
const CTRL = 0x0000;
const CTRL_SLU = 0x40;
const CTRL_RST = 0x04000000;
const STATUS = 0x0008;
const ICR = 0x00c0;
const ICS = 0x00c8;
const IMS = 0x00d0;
const IMC = 0x00d8;
const RCTL = 0x0100;
const GPIE = 0x1514;
const EICS = 0x1520;
const EIMS = 0x1524;
const EIMC = 0x1528;
const IVAR0 = 0x1700;
const IVAR_MISC = 0x1740;
const RXDCTL0 = 0xc028;
const LSC = 0x4;

function makeNic(extra: Partial<DeviceSpec> = {}) {
  const world = new World();
  const nic = new Nic({ ...spec("nic", 10, 1), ...extra }, { env: world });
  const sink = new RecordingSink();
  nic.fn.sink = sink;
  nic.fn.configWrite(4, 2, 0x6);
  const read = (at: number): number => Number(nic.barRead(0, at, 4));
  const write = (at: number, value: number): void => nic.barWrite(0, at, 4, BigInt(value));
  return { world, nic, sink, read, write };
}

/** MSI-X on, vector 0 for other causes, 1 and 2 for two queues that receive. */
function receiving(extra: Partial<DeviceSpec> = {}) {
  const made = makeNic(extra);
  const { nic, write } = made;
  nic.fn.msix!.setControl(true);
  for (let vector = 0; vector < 10; vector++) nic.fn.msix!.setVectorMask(vector, false);
  write(GPIE, 0x10);
  write(IVAR_MISC, 0x8000);
  write(IVAR0, 0x8381);
  write(IVAR0 + 4, 0x8482);
  write(EIMS, 0x1f);
  for (const queue of [0, 1]) write(RXDCTL0 + 0x40 * queue, 1 << 25);
  write(RCTL, 2);
  write(CTRL, CTRL_SLU);
  return made;
}

test("it is laid out as the recorded igb: BARs, capabilities, table in BAR 3", () => {
  const { nic } = makeNic();
  const config = (at: number, size: number): number => nic.fn.configRead(at, size);
  expect([config(0, 4), config(0xa, 2)]).toEqual([0x10c98086, 0x0200]);
  expect([config(0x52, 2) & 0x18e, config(0x72, 2) & 0x7ff]).toEqual([0x180, 9]);
  expect([config(0x74, 4), config(0x78, 4)]).toEqual([3, 0x2003]);
  expect(config(0xa0, 1)).toBe(0x10);
});

test("the link is up when the driver says so", () => {
  const { read, write } = makeNic();
  expect(read(STATUS)).toBe(0);
  write(CTRL, CTRL_SLU);
  expect(read(STATUS)).toBe(2);
});

describe("with MSI-X", () => {
  test("a packet interrupts on its queue's receive vector", () => {
    const { nic, sink } = receiving();
    nic.loadInterrupt(0, 0);
    nic.loadInterrupt(1, 0);
    expect(sink.take()).toEqual(["msix 1", "msix 2"]);
  });

  test("the n-th queue is the n-th that receives", () => {
    const { nic, sink, write } = receiving();
    write(RXDCTL0, 0);
    nic.loadInterrupt(0, 0);
    expect(sink.take()).toEqual(["msix 2"]);
  });

  test("vectors that EIMS does not enable are silent, and so are invalid entries", () => {
    const { nic, sink, write } = receiving();
    write(EIMC, 1 << 2);
    nic.loadInterrupt(1, 0);
    write(IVAR0, 0x01);
    nic.loadInterrupt(0, 0);
    expect(sink.take()).toEqual([]);
  });

  test("a link change goes to the vector of other causes, and software sets vectors", () => {
    const { sink, write } = receiving();
    write(ICS, LSC);
    write(EICS, 0x6);
    expect(sink.take()).toEqual(["msix 0", "msix 1", "msix 2"]);
  });

  test("load comes at the queues that receive while link and receiver are on", () => {
    const { world, nic, sink, write } = receiving();
    nic.startLoad({ arrivals: "fixed", rate: 1000, per: "queue", depth: 1 }, world);
    const due = nic.runLoad(0);
    expect(due).toBeCloseTo(500_000);
    nic.runLoad(1_000_000);
    expect(sink.take()).toEqual(["msix 1", "msix 2"]);
    write(RCTL, 0);
    expect(nic.runLoad(1_000_000)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe("with one interrupt", () => {
  test("INTx stays until the causes are read, or rung away", () => {
    const { nic, sink, read, write } = makeNic();
    write(IMS, 0xffffffff);
    nic.loadInterrupt(0, 0);
    expect(sink.take()).toEqual(["wire high"]);
    expect(read(ICR)).toBe(0x80);
    expect(sink.take()).toEqual(["intx 0 dropped-withdrawn", "wire low"]);
    write(ICS, LSC);
    nic.doorbell(0, 1);
    expect(read(ICR)).toBe(0);
    expect(sink.take().at(-1)).toBe("wire low");
  });

  test("masked causes wait in ICR; masking all ends the interrupt", () => {
    const { sink, read, write } = makeNic();
    write(ICS, LSC);
    expect([sink.take(), read(ICR)]).toEqual([[], LSC]);
    write(IMS, LSC);
    write(ICS, LSC);
    write(IMC, 0xffffffff);
    expect(sink.take().at(-1)).toBe("wire low");
  });

  test("MSI sends a message a cause", () => {
    const { nic, sink, write } = makeNic();
    nic.fn.configWrite(0x52, 2, 0x181);
    nic.fn.configWrite(0x60, 4, 0);
    write(IMS, 0xffffffff);
    nic.loadInterrupt(0, 0);
    write(ICS, LSC);
    expect(sink.take()).toEqual(["msi 0", "msi 0"]);
  });
});

describe("moderation (EITR)", () => {
  test("keeps interrupts of a vector apart: what comes meanwhile goes with the next", () => {
    const { world, nic, sink } = receiving({ moderationNs: 50_000 });
    nic.loadInterrupt(0, 0);
    nic.loadInterrupt(0, 0);
    nic.loadInterrupt(0, 0);
    nic.loadInterrupt(1, 0);
    expect(sink.take()).toEqual(["msix 1", "msix 2"]);
    world.run(49_999);
    expect(sink.take()).toEqual([]);
    world.run(50_000);
    expect(sink.take()).toEqual(["msix 1"]);
    world.run();
    expect(sink.take()).toEqual([]);
  });

  test("forgets what waits when the MAC is reset", () => {
    const { world, nic, sink, write } = receiving({ moderationNs: 50_000 });
    nic.loadInterrupt(0, 0);
    nic.loadInterrupt(0, 0);
    write(CTRL, CTRL_RST);
    world.run();
    expect(sink.take()).toEqual(["msix 1"]);
  });
});

test("a reset forgets queues, vectors and link, and nothing interrupts", () => {
  const { nic, sink, read } = receiving();
  nic.reset();
  expect([read(RCTL), read(EIMS), read(GPIE), read(IVAR0), read(RXDCTL0)]).toEqual([0, 0, 0, 0, 0]);
  nic.loadInterrupt(0, 0);
  expect(sink.take()).toEqual([]);
});
