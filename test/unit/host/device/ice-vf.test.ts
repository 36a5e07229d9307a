/** The E810 virtual function's model: which vectors the load's packets use, and when. */
import { describe, expect, test } from "vitest";
import { IceVf } from "../../../../host/device/ice-vf.ts";
import { RecordingSink } from "../../src/pci/recording-sink.ts";
import { spec, World } from "./fixtures.ts";

/** drivers/net/ethernet/intel/iavf/iavf_register.h. */
const dynCtl = (vector: number): number => (vector === 0 ? 0x5c00 : 0x3800 + 4 * (vector - 1));
const RSTAT = 0x8800;
/** The model's own. */
const QUEUES = 0x10000;
const RDMA = 0x10004;

function makeVf(vectors: number, { msix = true } = {}) {
  const world = new World();
  const vf = new IceVf(spec("ice-vf", vectors), { env: world });
  const sink = new RecordingSink();
  vf.fn.sink = sink;
  vf.fn.configWrite(4, 2, 0x6);
  if (msix) vf.fn.msix!.setControl(true);
  const write = (at: number, value: number): void => vf.barWrite(0, at, 4, BigInt(value));
  for (let vector = 0; vector < vectors; vector++) {
    vf.fn.msix!.setVectorMask(vector, false);
    write(dynCtl(vector), 1);
  }
  vf.startLoad({ arrivals: "fixed", rate: 1_000, per: "queue", depth: 1 }, world);
  const read = (at: number): number => Number(vf.barRead(0, at, 4));
  return { vf, sink, read, write };
}

/** Vectors that the packets of the next ms interrupt on. */
function interrupts({ vf, sink }: ReturnType<typeof makeVf>, ms: number): string[] {
  sink.take();
  vf.runLoad(ms * 1e6);
  return [...new Set(sink.take())].sort();
}

describe("the ice-vf model", () => {
  test("is a virtual function: MSI-X in BAR 3, no pin, no MSI, FLR", () => {
    const { vf, read } = makeVf(17);
    expect(vf.fn.configRead(0, 4)).toBe(0x18898086);
    expect(vf.fn.configRead(0x3d, 1)).toBe(0);
    expect(vf.fn.msix!.table).toMatchObject({ bar: 3, offset: 0 });
    expect(vf.fn.msix!.pba).toMatchObject({ bar: 3, offset: 0x1000 });
    expect(vf.fn.flr).toBe(true);
    expect(read(RSTAT)).toBe(2);
  });

  test("takes packets for queues that are on, and RDMA's once it has vectors", () => {
    const made = makeVf(9);
    expect(interrupts(made, 5)).toEqual([]);
    made.write(QUEUES, 2);
    expect(interrupts(made, 10)).toEqual(["msix 1", "msix 2"]);
    made.write(RDMA, 4 + 2 * 2 ** 16);
    expect(interrupts(made, 20)).toEqual(["msix 1", "msix 2", "msix 4", "msix 5"]);
    made.write(RDMA, 0);
    expect(interrupts(made, 30)).toEqual(["msix 1", "msix 2"]);
  });

  test("has no more vectors than its table", () => {
    const made = makeVf(4);
    made.write(QUEUES, 99);
    expect(made.read(QUEUES)).toBe(3);
    made.write(RDMA, 3 + 9 * 2 ** 16);
    expect(made.read(RDMA)).toBe(3 + 2 ** 16);
    made.write(RDMA, 7 + 9 * 2 ** 16);
    expect(made.read(RDMA)).toBe(7);
  });

  test("a vector that is not enabled stays silent", () => {
    const made = makeVf(4);
    made.write(QUEUES, 2);
    made.write(dynCtl(1), 0);
    expect(interrupts(made, 10)).toEqual(["msix 2"]);
    expect(made.read(dynCtl(2))).toBe(1);
  });

  test("loses interrupts while MSI-X is off, and is silent after a reset", () => {
    const made = makeVf(4, { msix: false });
    made.write(QUEUES, 1);
    expect(interrupts(made, 10)).toEqual(["msix 1 dropped-disabled"]);
    made.vf.reset();
    expect(made.read(QUEUES)).toBe(0);
    expect(interrupts(made, 20)).toEqual([]);
  });
});
