/** Arbitrary logs: each is replayed to its end, or refused with a place; nothing else happens. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { UsageError } from "../../src/base/errors.ts";
import { layersText } from "../../src/cli/layers-text.ts";
import { parseIoctlLog } from "../../src/conform/replay/log-parser.ts";
import { replayLog } from "../../src/conform/replay/replay.ts";
import { entryText, replayRows } from "../../src/conform/replay/rows.ts";

const small = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 9 }) },
  fc.constantFrom(2047, 2048, 65_536, 2 ** 31, 2 ** 32 - 1),
);
const fd = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 9 }).map((n) => `e${n}`) },
  fc.integer({ min: -3, max: 40 }),
  fc.constantFrom("bad", "file"),
);
const ret = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -40, max: 9 }).map((n) => (n === -1 ? -2 : n)),
);
const device = fc.constantFrom("a", "b", "0000:03:00.0");
const index = fc.oneof(fc.constantFrom("INTX", "MSI", "MSIX", "ERR", "REQ"), small);
const flags = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom("NONE", "BOOL", "EVENTFD"),
        fc.constantFrom("TRIGGER", "MASK", "UNMASK"),
      )
      .map(([data, action]) => `${data}|${action}`),
  },
  fc.integer({ min: 0, max: 255 }),
);

/** A call as a shim would write it down, with as many data as it says, or not. */
const call = fc
  .record({ device, index, start: small, count: small, flags, fds: fc.array(fd), ret })
  .map((made) => {
    const isShort = made.count <= 9;
    const fds = isShort
      ? Array.from({ length: made.count }, (_, i) => made.fds[i] ?? "e0")
      : made.fds;
    return { ...made, fds, bools: fds.map(() => 1), ...(isShort ? {} : { argsz: 20 }) };
  });
const other = fc.oneof(
  fc.record({ op: fc.constantFrom("open", "close", "reset"), device, ret }),
  fc.record({ op: fc.constant("get_irq_info"), device, index, count: small, iflags: small, ret }),
  fc.record({ op: fc.constantFrom("eventfd", "eventfd_close"), fd }),
  fc.record({
    op: fc.constant("irqfd"),
    act: fc.constantFrom("assign", "deassign"),
    fd,
    gsi: small,
    ret,
  }),
  fc.record({ op: fc.constant("irqfd"), fd, gsi: small, resample: fd, ret }),
  fc.record({
    op: fc.constant("cfgw"),
    dev: device,
    off: fc.constant(4),
    len: fc.constant(2),
    val: small,
  }),
  fc.record({
    op: fc.constant("g_tblw"),
    dev: device,
    vector: small,
    field: fc.string(),
    val: small,
  }),
);
const header = fc.record(
  {
    devices: fc.uniqueArray(
      fc.record({ name: device, msixVectors: fc.nat(2048), msi: fc.nat(32), intx: fc.boolean() }),
      { selector: ({ name }) => name },
    ),
    kernel: fc.constantFrom("linux-6.1", "linux-6.12", "linux-7.2"),
    platform: fc.constantFrom("x86-vtd", "x86-amd", "x86-flat", "arm64-its", "arm64-v2m"),
    cpus: fc.integer({ min: 1, max: 8 }),
  },
  { requiredKeys: [] },
);

/** The page of a log, or the refusal. */
function replayed(text: string): string {
  try {
    const replay = replayLog(parseIoctlLog(text, "x.jsonl"), { createHost }, entryText);
    expect(replay.pool.exit.vectors).toBe(replay.pool.first.vectors);
    return layersText(replayRows(replay), { width: 100, showsRecorded: true });
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).format();
  }
}

const linesOf = (values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");

it("calls of every sort, sensible or not, are played to the end", () => {
  fc.assert(
    fc.property(header, fc.array(fc.oneof(call, call, other), { maxLength: 25 }), (head, calls) => {
      expect(replayed(linesOf([head, ...calls]))).not.toBe("");
    }),
    { numRuns: 150 },
  );
});

it("the same log is played the same way each time", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(call, other), { maxLength: 12 }), (calls) => {
      expect(replayed(linesOf(calls))).toBe(replayed(linesOf(calls)));
    }),
    { numRuns: 30 },
  );
});

it("any JSON in any field, and any text, is played or refused", () => {
  const keys = ["t", "op", "device", "index", "start", "count", "flags", "fds", "ret", "devices"];
  fc.assert(
    fc.property(call, fc.constantFrom(...keys), fc.jsonValue(), (good, key, value) => {
      replayed(linesOf([good, { ...good, [key]: value }]));
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(), call, (text, cut, good) => {
      replayed(text);
      const whole = linesOf([good, good]);
      replayed(whole.slice(0, cut % whole.length));
    }),
    { numRuns: 200 },
  );
});
