/** One line of an ioctl log as an entry: fields checked as far as the kernel does not do it. */
import { errnoName } from "../../base/errno.ts";
import { didYouMean } from "../../scenario/suggest.ts";
import {
  IRQ_SET_MINSZ,
  VFIO_IRQ_INDEX_NAMES,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
} from "../../uapi/vfio.ts";
import type { FdName } from "../vmm/calls.ts";
import { numberOf, type RecordedLine } from "../vmm/recording.ts";
import { type LineFields, shown, U32_MAX } from "./line-fields.ts";
import type { DescribedDevice, LogEntry, RecordedRet, SetIrqsEntry } from "./log.ts";

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const ERRNO_MAX = 4095;
const PCI_COMMAND_OFFSET = 4;

/** Operations by all the names they may have. */
const OPS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    set_irqs: ["VFIO_DEVICE_SET_IRQS"],
    get_irq_info: ["VFIO_DEVICE_GET_IRQ_INFO"],
    reset: ["VFIO_DEVICE_RESET"],
    open: ["get_device_fd"],
    close: ["device_close"],
    irqfd: ["kvm_irqfd", "KVM_IRQFD"],
    eventfd: ["eventfd_new"],
    eventfd_close: [],
    comment: ["note"],
    guest: ["g_cfgw", "g_tblw"],
    cfgw: [],
    shown: ["kvm_routing", "hot_reset"],
    // What a recorder of VMMs writes down beside, and no model answers.
    ignored: ["get_info", "q", "barr", "barw", "evread", "evwrite", "hot_reset_info", "cfgr"],
  }).flatMap(([op, names]) => [op, ...names].map((name): [string, string] => [name, op])),
);
/** Those to name in a remedy. */
const OPS_TAUGHT = [
  "set_irqs",
  "get_irq_info",
  "open",
  "close",
  "reset",
  "irqfd",
  "eventfd",
  "eventfd_close",
  "comment",
];

const INDEXES: ReadonlyMap<string, number> = new Map(
  VFIO_IRQ_INDEX_NAMES.flatMap((name, index): [string, number][] => [
    [name, index],
    [`VFIO_PCI_${name}_IRQ_INDEX`, index],
  ]).concat([["MSI-X", 2]]),
);

const FLAGS: ReadonlyMap<string, number> = new Map(
  (
    [
      ["NONE", VFIO_IRQ_SET_DATA_NONE, "DATA"],
      ["BOOL", VFIO_IRQ_SET_DATA_BOOL, "DATA"],
      ["EVENTFD", VFIO_IRQ_SET_DATA_EVENTFD, "DATA"],
      ["MASK", VFIO_IRQ_SET_ACTION_MASK, "ACTION"],
      ["UNMASK", VFIO_IRQ_SET_ACTION_UNMASK, "ACTION"],
      ["TRIGGER", VFIO_IRQ_SET_ACTION_TRIGGER, "ACTION"],
    ] as const
  ).flatMap(([name, bit, kind]): [string, number][] => [
    [name, bit],
    [`${kind}_${name}`, bit],
    [`VFIO_IRQ_SET_${kind}_${name}`, bit],
  ]),
);
const INFO_FLAGS: ReadonlyMap<string, number> = new Map([
  ["EVENTFD", 1],
  ["MASKABLE", 2],
  ["AUTOMASKED", 4],
  ["NORESIZE", 8],
]);

const ERRNOS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 133 }, (_, i): [string, number] => [errnoName(i + 1), i + 1]),
);

const DEVICE_HINT = "name the device: a name, an address or a path";
const INDEX_HINT = `index is ${VFIO_IRQ_INDEX_NAMES.join(", ")}, or its number from 0`;
const COUNT_HINT = "start and count are unsigned 32-bit numbers, as in struct vfio_irq_set";
const FLAGS_HINT = 'flags are a number or names: "EVENTFD|TRIGGER", "NONE|MASK"';
const RET_HINT = 'ret is what the call returned: 0, a number, {"ret":-1,"errno":"EINVAL"}, or null';
const FDS_HINT = 'fds are descriptor numbers or names in order: ["e0",-1,31]; -1 is none';

class EntryReader {
  readonly fields: LineFields;
  readonly #line: number;
  readonly #described: readonly DescribedDevice[];

  constructor(fields: LineFields, line: number, described: readonly DescribedDevice[]) {
    this.fields = fields;
    this.#line = line;
    this.#described = described;
  }

  get common(): { line: number; timeNs: number | null } {
    return { line: this.#line, timeNs: this.#time() };
  }

  #time(): number | null {
    const { fields } = this;
    if (!fields.has("t") || fields.get("t") === null) return null;
    const t = fields.get("t");
    const number = typeof t === "string" && t.trim() !== "" ? Number(t) : t;
    if (typeof number === "number" && Number.isFinite(number)) return number;
    return fields.fail("t", `t ${shown(t)} is no time`, "t is a number of ns, or of s");
  }

  /** A log of one device that the header describes need not name it. */
  device(): string {
    const key = this.fields.keyOf("device", "dev");
    if (!this.fields.has(key) && this.#described.length === 1) return this.#described[0]!.name;
    const name = this.fields.text(key, DEVICE_HINT);
    return name === "" ? this.fields.fail(key, "device has no name", DEVICE_HINT) : name;
  }

  index(): number {
    const { fields } = this;
    const value = fields.get("index");
    if (typeof value === "string" && !/^[+-]?\d/.test(value)) {
      return fields.word("index", value, INDEXES);
    }
    return fields.integer("index", 0, U32_MAX, INDEX_HINT);
  }

  flags(key: string, known: ReadonlyMap<string, number>): number {
    const { fields } = this;
    const value = fields.get(key);
    if (typeof value !== "string" || /^[+-]?\d/.test(value)) {
      return fields.integer(key, 0, U32_MAX, FLAGS_HINT);
    }
    return value
      .split("|")
      .reduce((flags, name) => flags | fields.word(key, name.trim(), known), 0);
  }

  /** Zero or more, or a negative errno; see RET_HINT. */
  ret(): RecordedRet {
    const { fields } = this;
    if (!fields.has("ret")) fields.missing("ret", RET_HINT);
    const value = fields.get("ret");
    if (value === null || value === "?") return null;
    // strace: -1 EINVAL (Invalid argument)
    const text = typeof value === "string" ? value : "";
    const [, number, name] = /^(-?\d+)(?:\s+(E\w+))?/.exec(text) ?? [];
    const found = number === undefined ? value : Number(number);
    const ret = fields.integerIn("ret", found, -ERRNO_MAX, INT32_MAX, RET_HINT);
    if (ret >= 0) return ret;
    const errno = name === undefined ? this.#errno() : this.#errnoOf("ret", name);
    if (ret === -1 && errno === null) {
      return fields.fail("ret", "ret -1 without errno", RET_HINT);
    }
    if (ret !== -1 && errno !== null && errno !== -ret) {
      return fields.fail("errno", `ret ${ret} and errno ${errno} differ`, RET_HINT);
    }
    return ret === -1 ? -errno! : ret;
  }

  #errno(): number | null {
    const { fields } = this;
    const value = fields.get("errno");
    if (value === undefined || value === null || value === 0) return null;
    if (typeof value === "string" && /^E/i.test(value)) return this.#errnoOf("errno", value);
    return fields.integer("errno", 0, ERRNO_MAX, RET_HINT);
  }

  #errnoOf(key: string, text: string): number {
    const name = text.split(/[\s(]/)[0]!;
    const found = ERRNOS.get(name.toUpperCase());
    if (found !== undefined) return found;
    return this.fields.fail(key, `unknown error ${name}`, "give errno as a number");
  }

  fd(key: string, value: unknown): FdName {
    const { fields } = this;
    if (typeof value === "string") {
      if (/^e\d{1,9}$/.test(value) || value === "bad" || value === "file") return value;
      if (!/^-?\d+$/.test(value)) {
        return fields.fail(key, `${shown(value)} is no descriptor`, FDS_HINT);
      }
    }
    const number = fields.integerIn(key, value, INT32_MIN, INT32_MAX, FDS_HINT);
    return number === -1 ? -1 : String(number);
  }

  fdField(key: string): FdName {
    if (!this.fields.has(key)) this.fields.missing(key, FDS_HINT);
    return this.fd(key, this.fields.get(key));
  }

  msiIrqs(): readonly [number, number] | null {
    const value = this.fields.get("msi_irqs");
    if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) return null;
    return [Number(value[0]), Number(value[1])];
  }
}

/** The entry of a line; null for one that tells nothing of interrupts. */
export function entryOf(
  fields: LineFields,
  line: number,
  described: readonly DescribedDevice[],
): LogEntry | null {
  const reader = new EntryReader(fields, line, described);
  const name = fields.has("op") ? fields.text("op", "op is the name of a call") : "set_irqs";
  const op = OPS.get(name);
  if (op === undefined) {
    return fields.fail("op", `unknown op ${shown(name)}`, didYouMean(name, OPS_TAUGHT));
  }
  switch (op) {
    case "set_irqs":
      return setIrqsEntry(reader);
    case "get_irq_info":
      return irqInfoEntry(reader);
    case "close": {
      // close(2) of a device never fails, and recorders leave its result out.
      const ret = fields.has("ret") ? reader.ret() : null;
      return { ...reader.common, op, device: reader.device(), ret };
    }
    case "open":
    case "reset":
      return { ...reader.common, op, device: reader.device(), ret: reader.ret() };
    case "eventfd":
    case "eventfd_close":
      return { ...reader.common, op, fd: reader.fdField("fd") };
    case "irqfd":
      return irqfdEntry(reader);
    case "cfgw":
      return commandEntry(reader);
    case "comment":
      return { ...reader.common, op, text: String(fields.scalar("text") ?? "") };
    case "guest":
      return { ...reader.common, op, written: guestLine(fields, name, line) };
    case "shown":
      return { ...reader.common, op, text: shownText(name, fields) };
    default:
      return null;
  }
}

/** The fields that a row shows of what the guest wrote; anything else may be anything. */
function guestLine(fields: LineFields, op: string, line: number): RecordedLine {
  const shownKeys = ["off", "len", "val", "vector", "field", "cpu", "size"];
  const scalars = shownKeys.map((key): [string, unknown] => [key, fields.scalar(key)]);
  const device = fields.scalar("dev") ?? fields.scalar("device");
  const control = fields.get("msix_ctrl") as { enable?: unknown; fmask?: unknown } | null;
  const isControl = typeof control === "object" && control !== null;
  return {
    ...Object.fromEntries(scalars),
    ...(device === undefined ? {} : { dev: String(device) }),
    ...(isControl ? { msix_ctrl: { enable: control.enable, fmask: control.fmask } } : {}),
    i: line,
    t: 0,
    op,
  };
}

function shownText(name: string, fields: LineFields): string {
  if (name !== "kvm_routing") return name;
  const parts = (key: string): readonly unknown[] => {
    const value = fields.get(key);
    return Array.isArray(value) ? value : [];
  };
  const scalars = (value: unknown): string =>
    (Array.isArray(value) ? value : [value])
      .filter((part) => typeof part === "string" || typeof part === "number")
      .join(" ");
  const gone = parts("gone");
  const left = gone.length > 0 ? [`without ${scalars(gone)}`] : [];
  return `routing ${[...parts("set").map(scalars), ...left].join(", ")}`;
}

function setIrqsEntry(reader: EntryReader): SetIrqsEntry {
  const { fields } = reader;
  const device = reader.device();
  const index = reader.index();
  const start = fields.integer("start", 0, U32_MAX, COUNT_HINT);
  const count = fields.integer("count", 0, U32_MAX, COUNT_HINT);
  if (!fields.has("flags")) fields.missing("flags", FLAGS_HINT);
  const flags = reader.flags("flags", FLAGS);
  const argsz = fields.has("argsz") ? fields.integer("argsz", 0, U32_MAX, COUNT_HINT) : null;
  const type = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
  const listed = (key: string, hint: string): readonly unknown[] =>
    fields.has(key) && fields.get(key) !== null ? fields.array(key, hint) : [];
  const fds = listed("fds", FDS_HINT).map((fd) => reader.fd("fds", fd));
  const bools = listed("bools", "bools are 0 or 1, one a vector").map((value) =>
    fields.integerIn("bools", value === true ? 1 : value === false ? 0 : value, 0, 255, COUNT_HINT),
  );
  const [key, unit, there] =
    type === VFIO_IRQ_SET_DATA_BOOL ? ["bools", 1, bools.length] : ["fds", 4, fds.length];
  const hasData = type === VFIO_IRQ_SET_DATA_EVENTFD || type === VFIO_IRQ_SET_DATA_BOOL;
  const readable = argsz === null ? count : Math.floor(Math.max(0, argsz - IRQ_SET_MINSZ) / unit);
  if (hasData && there < Math.min(count, readable)) {
    const message = `count ${count}, but ${there} ${key}`;
    const hint = `list ${key} of all ${count} vectors, or the argsz that the call had`;
    fields.fail(fields.has(key) ? key : "count", message, hint);
  }
  return {
    ...reader.common,
    op: "set_irqs",
    device,
    index,
    start,
    count,
    flags,
    fds,
    bools,
    argsz: argsz ?? IRQ_SET_MINSZ + (hasData ? unit * there : 0),
    ret: reader.ret(),
    msiIrqs: reader.msiIrqs(),
  };
}

function irqInfoEntry(reader: EntryReader): LogEntry {
  const { fields } = reader;
  const index = reader.index();
  const count = fields.has("count") ? fields.integer("count", 0, U32_MAX, COUNT_HINT) : null;
  const iflags = fields.has("iflags") ? reader.flags("iflags", INFO_FLAGS) : null;
  const device = reader.device();
  const ret = reader.ret();
  return { ...reader.common, op: "get_irq_info", device, index, count, iflags, ret };
}

function irqfdEntry(reader: EntryReader): LogEntry {
  const { fields } = reader;
  const hint = 'act is "assign" or "deassign"';
  const act = fields.has("act") ? fields.text("act", hint) : "assign";
  if (act !== "assign" && act !== "deassign") return fields.fail("act", `unknown act ${act}`, hint);
  const fd = reader.fdField("fd");
  const gsi = fields.integer("gsi", 0, U32_MAX, "gsi is the number of KVM's interrupt");
  const hasResample = fields.has("resample") && fields.get("resample") !== null;
  const resample = hasResample ? reader.fdField("resample") : null;
  return { ...reader.common, op: "irqfd", act, fd, gsi, resample, ret: reader.ret() };
}

/** Of configuration space only the command register is where every device has it. */
function commandEntry(reader: EntryReader): LogEntry | null {
  const { fields } = reader;
  const offset = numberOf(fields.scalar("off"));
  const length = numberOf(fields.scalar("len"));
  if (offset !== PCI_COMMAND_OFFSET || length < 2) return null;
  const value = fields.integer("val", 0, U32_MAX, "val is the value that was written");
  return { ...reader.common, op: "command", device: reader.device(), value: value & 0xffff };
}
