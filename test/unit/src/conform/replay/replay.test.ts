/** Logs played to the host model: deduced devices, answers, the pool after each call. */
import { describe, expect, it } from "vitest";
import { createHost } from "../../../../../host/host.ts";
import { UsageError } from "../../../../../src/base/errors.ts";
import { parseIoctlLog } from "../../../../../src/conform/replay/log-parser.ts";
import {
  type Replay,
  type ReplayOptions,
  replayLog,
} from "../../../../../src/conform/replay/replay.ts";
import { entryText, replayRows } from "../../../../../src/conform/replay/rows.ts";

type Line = Readonly<Record<string, unknown>>;

function play(lines: readonly Line[], options: Partial<ReplayOptions> = {}): Replay {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  return replayLog(parseIoctlLog(text, "x.jsonl"), { createHost, ...options }, entryText);
}

const set = (
  index: string,
  start: number,
  fds: readonly (string | number)[],
  more: object = {},
): Line => ({
  device: "nic",
  index,
  start,
  count: fds.length,
  flags: "EVENTFD|TRIGGER",
  fds,
  ret: 0,
  ...more,
});
const disable = (index: string): Line => ({ ...set(index, 0, []), flags: "NONE|TRIGGER" });
const failed = (errno: string): object => ({ ret: -1, errno });

const poolOf = (replay: Replay): unknown[] =>
  replay.steps.map(({ played }) => played.pool && Object.values(played.pool));

describe("the pool after each call", () => {
  it("is that of VT-d: an entry a vector, a CPU vector where there is an eventfd", () => {
    const replay = play([
      set("MSIX", 0, [-1]),
      set("MSIX", 1, ["e1", "e2"]),
      set("MSIX", 1, [-1]),
      disable("MSIX"),
    ]);
    // 21 entries and 10 vectors are the host's own.
    expect(poolOf(replay)).toEqual([
      [1, 22, 10],
      [3, 24, 12],
      [3, 24, 11],
      [0, 21, 10],
    ]);
    expect(replay.divergences).toEqual([]);
  });

  it("has all that a log left behind until its process exits", () => {
    const { pool } = play([set("MSIX", 0, ["e0", "e1"])]);
    expect(pool.last).toEqual({ irqs: 2, irtes: 23, vectors: 12 });
    expect(pool.exit).toEqual(pool.first);
  });

  it("is that of the platform which was asked for", () => {
    const its = play([set("MSIX", 0, ["e0"])], { platform: "arm64-its" });
    expect(its.entryName).toBe("LPIs");
    const flat = play([set("MSI", 0, ["e0", "e1"], { ret: 1 })], { platform: "x86-flat" });
    expect(flat.divergences).toEqual([]);
    expect(flat.pool.last.irtes).toBe(0);
  });
});

describe("a device that nobody described", () => {
  const about = (...lines: Line[]): string => play(lines).devices[0]!.about;

  it("is the smallest on which the recorded answers can come about", () => {
    expect(about(set("MSIX", 3, ["e0", "e1"]))).toBe("5 MSI-X");
    expect(about(set("MSI", 0, ["e0", "e1", "e2"]))).toBe("4 MSI");
    expect(about(set("INTX", 0, ["e0"]), set("ERR", 0, ["e1"]))).toBe("INTx, ERR");
    expect(about({ op: "reset", device: "nic", ret: 0 })).toBe("no interrupts, reset");
    expect(about(set("REQ", 0, ["e0"]))).toBe("no interrupts");
  });

  it("is not enlarged by a call that was out of range for the real one", () => {
    const lines = [set("MSIX", 0, ["e0"]), set("MSIX", 1, ["e1"], failed("EINVAL"))];
    expect(about(...lines)).toBe("1 MSI-X");
    expect(play(lines).divergences).toEqual([]);
    // Another error comes after the kernel has looked at the range.
    expect(about(set("MSIX", 7, ["e1"], failed("ENOSPC")))).toBe("8 MSI-X");
  });

  it("has the sizes that GET_IRQ_INFO told, whatever was used of them", () => {
    const info = { op: "get_irq_info", device: "nic", index: "MSIX", count: 64, iflags: 1, ret: 0 };
    expect(about(info, set("MSIX", 0, ["e0"]))).toBe("64 MSI-X");
    expect(play([info]).divergences).toEqual([]);
  });

  it("tells of the kernel by NORESIZE", () => {
    const info = { op: "get_irq_info", device: "nic", index: "MSIX", count: 4, ret: 0 };
    const growth = [set("MSIX", 0, ["e0"]), { ...set("MSIX", 1, ["e1"]), ...failed("EINVAL") }];
    const old = play([{ ...info, iflags: 9 }, ...growth]);
    expect([old.host.kernel, old.divergences]).toEqual(["linux-6.1", []]);
    expect(old.assumed[0]).toBe("linux-6.1, since MSI-X has NORESIZE (--kernel)");
    const young = play([{ ...info, iflags: 1 }, ...growth]);
    expect(young.host.kernel).toBe("linux-6.12");
    expect(young.divergences).toMatchObject([{ line: 3, expected: "-EINVAL", got: "0" }]);
  });
});

describe("a device that somebody described", () => {
  const header = (device: object): Line => ({ devices: [{ name: "nic", ...device }] });

  it("is that model, or has those interrupts", () => {
    const [model] = play([header({ model: "e1000e" }), set("MSIX", 0, ["e0"])]).devices;
    expect(model).toMatchObject({ isDeduced: false, about: "e1000e, 5 MSI-X, 1 MSI, INTx" });
    const own = header({ msixVectors: 3, msi: 8, intx: true });
    expect(play([own, set("MSIX", 0, ["e0"])]).devices[0]!.about).toBe("3 MSI-X, 8 MSI, INTx");
  });

  it("is what the command line says, if both do", () => {
    const flag = {
      name: "nic",
      model: "nvme",
      msixVectors: 9,
      msiVectors: null,
      intx: null,
      place: {},
    };
    const { devices } = play([header({ msixVectors: 3 }), set("MSIX", 0, ["e0"])], {
      devices: [flag],
    });
    expect(devices[0]!.about).toBe("nvme, 9 MSI-X, INTx");
  });

  it.each([
    [{ model: "nvm" }, "there is no model nvm"],
    [{ model: "edu", msixVectors: 4 }, "edu has 0 MSI-X vectors, not 4"],
    [{ model: "e1000e", msi: 4 }, "e1000e has 1 MSI vectors, not 4"],
    [{ model: "rocker", intx: true }, "rocker has no INTx"],
    [{ model: "nec-usb-xhci", msi: 3 }, "MSI of 3 vectors"],
  ])("%j is refused where it stands", (device, message) => {
    let error: unknown;
    try {
      play([header(device), set("MSIX", 0, ["e0"])]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toContain(message);
    expect((error as UsageError).place).toEqual({ file: "x.jsonl", line: 1, column: 12 });
  });
});

describe("eventfds and files", () => {
  it("are made by their first mention; a closed one is bad until it is made again", () => {
    const { divergences } = play([
      set("MSIX", 0, [30, 31]),
      { op: "eventfd_close", fd: 31 },
      set("MSIX", 1, [31], failed("EBADF")),
      { op: "eventfd", fd: 31 },
      set("MSIX", 1, [31]),
      set("MSIX", 1, ["bad"], failed("EBADF")),
      set("MSIX", 1, ["file"], failed("EINVAL")),
    ]);
    expect(divergences).toEqual([]);
  });

  it("of irqfds are the same ones: one eventfd has one irqfd", () => {
    const irqfd = { op: "irqfd", fd: "e0", gsi: 24, ret: 0 };
    const { divergences } = play([
      set("MSIX", 0, ["e0"]),
      irqfd,
      { ...irqfd, ...failed("EBUSY") },
      { ...irqfd, act: "deassign" },
      irqfd,
    ]);
    expect(divergences).toEqual([]);
  });

  it("of devices are opened by their first use, unless the log has its own opens", () => {
    expect(play([set("REQ", 0, ["e0"])]).divergences).toEqual([]);
    const device = "nic";
    const { divergences } = play([
      set("REQ", 0, ["e0"], failed("EBADF")),
      { op: "open", device, ret: 17 },
      set("REQ", 0, ["e0"]),
      { op: "close", device, ret: 0 },
      set("REQ", 0, ["e0"], failed("EBADF")),
      { op: "close", device, ...failed("EBADF") },
    ]);
    expect(divergences).toEqual([]);
  });
});

describe("a wrong answer", () => {
  it("is found in result, irqs, count and flags, and an unknown one is not compared", () => {
    const info = { op: "get_irq_info", device: "nic", index: "REQ", ret: 0 };
    const { divergences, calls } = play([
      set("MSIX", 0, ["e0"], { ret: 4 }),
      set("MSIX", 0, ["e0"], { msi_irqs: [1, 2] }),
      { ...info, count: 2, iflags: "EVENTFD" },
      set("MSIX", 0, ["e0"], { ret: null }),
    ]);
    expect(
      divergences.map(({ line, field, expected, got }) => [line, field, expected, got]),
    ).toEqual([
      [1, "ret", "4", "0"],
      [2, "msi_irqs", [1, 2], [1, 1]],
      [3, "count", 2, 1],
      [3, "iflags", 1, 9],
    ]);
    expect(calls).toBe(3);
  });

  it("stands in its row, with what was recorded beside what the model answers", () => {
    const rows = replayRows(play([{ ...set("MSIX", 0, ["e0"]), ret: -28, t: 7 }]));
    expect(rows).toMatchObject([
      {
        line: 1,
        timeNs: 0,
        vmm: "MSIX 0 1 EVENTFD|TRIGGER [e0]",
        recorded: "-ENOSPC",
        answer: "0",
        differences: [{ field: "ret", expected: "-ENOSPC", got: "0" }],
      },
    ]);
  });
});

it("the command register's INTx disable masks, as a write through vfio does", () => {
  const command = (val: number): Line => ({ op: "cfgw", dev: "nic", off: 4, len: 2, val });
  const rows = replayRows(play([set("INTX", 0, ["e0"]), command(0x400), command(0)]));
  expect(rows[1]).toMatchObject({ vmm: "command register = 0x400", answer: "", recorded: "" });
});

it("what the guest wrote stands beside", () => {
  const write = { op: "g_tblw", dev: "nic", vector: 3, field: "ctrl", val: "0x0" };
  const control = { op: "g_cfgw", dev: "nic", off: "0x72", val: "0x8003" };
  const [first, second] = replayRows(play([set("MSIX", 0, ["e0"]), write, control])).slice(1);
  expect(first).toMatchObject({ guest: "entry 3 ctrl = 0x0", vmm: "" });
  expect(second).toMatchObject({ guest: "config 0x72 = 0x8003" });
});

it("more devices and eventfds than a process can have are refused", () => {
  const many = Array.from({ length: 257 }, (_, i) => ({
    ...set("REQ", 0, ["e0"]),
    device: `d${i}`,
  }));
  expect(() => play(many)).toThrow("257 devices, at most 256");
  const fds = Array.from({ length: 2000 }, (_, i) => i);
  const calls = Array.from({ length: 26 }, (_, i) =>
    set(
      "MSIX",
      0,
      fds.map((fd) => fd + i * 2000),
    ),
  );
  expect(() => play(calls)).toThrow("eventfds, at most 50000");
});
