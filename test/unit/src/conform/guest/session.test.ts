import { describe, expect, it } from "vitest";
import { type Segment, Sessions } from "../../../../../src/conform/guest/session.ts";
import type { RecordedLine } from "../../../../../src/conform/vmm/recording.ts";

let next = 0;
const line = (op: string, fields: object = {}): RecordedLine => ({
  i: next++,
  t: 0,
  op,
  ...fields,
});
const note = (text: string) => line("note", { text });
const reset = () => line("q", { ev: "vfio_reset_handler" });
const resetOf = (dev: string) => line("q", { ev: "vfio_pci_reset", dev });
const entry = (vector: number) =>
  line("g_tblw", { dev: "n", vector, field: "ctrl", val: "0x1", size: 4 });

const shape = ({ text, writes, isCut }: Segment) => ({
  text,
  writes: [...writes.values()].flat().length,
  isCut,
});

describe("a recording's segments", () => {
  it("resets that follow each other without a write are one", () => {
    const lines = [reset(), resetOf("n"), reset(), resetOf("n"), entry(0), note("QMP quit")];
    expect(Sessions.of(lines).map(shape)).toEqual([
      { text: "reset", writes: 1, isCut: true },
      { text: "QMP quit", writes: 0, isCut: true },
    ]);
  });

  it("a boot is complete with its shell, a command with its prompt", () => {
    const lines = [
      reset(),
      entry(0),
      note("L2 shell ready (boot), guest uptime 1"),
      note("L2> lm nvme"),
      entry(1),
      note("L2< @@RC 0"),
      note("QMP system_reset"),
      reset(),
    ];
    expect(Sessions.of(lines).map(({ isCut }) => isCut)).toEqual([false, false, true, true]);
  });

  it("what the guest ends itself is never cut", () => {
    const lines = [note("L2> reboot -f"), entry(0), reset(), entry(1)];
    expect(Sessions.of(lines).map(shape)).toEqual([
      { text: "L2> reboot -f", writes: 1, isCut: false },
      { text: "reset", writes: 1, isCut: true },
    ]);
  });

  it("the first reset of a device that was plugged in is part of that", () => {
    const lines = [
      note('QMP device_add {"id": "n"}'),
      line("get_device_fd", { dev: "n", ret: 0 }),
      resetOf("n"),
      entry(0),
      resetOf("n"),
    ];
    expect(Sessions.of(lines).map(({ text }) => text.slice(0, 14))).toEqual([
      "QMP device_add",
      "reset",
    ]);
  });

  it("writes of the VMM itself are not the guest's", () => {
    const write = { dev: "n", off: "0x4", len: 2, val: "0x100" };
    const lines = [reset(), line("g_cfgw", write), line("cfgw", { ...write, thr: "main" })];
    expect(Sessions.of(lines).map(shape)).toEqual([{ text: "reset", writes: 0, isCut: true }]);
  });
});
