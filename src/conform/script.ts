/** The script language of the recordings: one operation a line (recordings/README.md, grammar). */
import { type InputPlace, UsageError } from "../base/errors.ts";
import {
  VFIO_IRQ_INDEX_NAMES,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
} from "../uapi/vfio.ts";

/** An entry of SET_IRQS data: an eventfd by name, a number, or a descriptor that is none. */
export type IrqData =
  | { readonly kind: "eventfd"; readonly id: number }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "bad" }
  | { readonly kind: "file" };

export interface SetOp {
  readonly verb: "set";
  readonly index: number;
  readonly start: number;
  readonly count: number;
  readonly flags: number;
  readonly data: readonly IrqData[];
  readonly argsz: number | null;
  /** The memory behind the header is not mapped. */
  readonly fault: boolean;
}

export type ScriptOp =
  | { readonly verb: "select" }
  | {
      readonly verb:
        | "open"
        | "close"
        | "reset"
        | "read"
        | "drain"
        | "irqs"
        | "pool"
        | "klog"
        | "lpi"
        | "irte"
        | "hold";
    }
  | { readonly verb: "unbind" | "bind" }
  | { readonly verb: "info"; readonly argsz: number }
  | { readonly verb: "irqinfo"; readonly index: number; readonly argsz: number }
  | SetOp
  | { readonly verb: "sig"; readonly id: number; readonly count: bigint }
  | { readonly verb: "closefd"; readonly id: number }
  | { readonly verb: "cfgr"; readonly offset: number; readonly size: number }
  | {
      readonly verb: "cfgw";
      readonly offset: number;
      readonly size: number;
      readonly value: bigint;
    }
  | { readonly verb: "pcicap"; readonly hardware: boolean }
  | {
      readonly verb: "barr";
      readonly region: number;
      readonly offset: number;
      readonly size: number;
    }
  | {
      readonly verb: "barw";
      readonly region: number;
      readonly offset: number;
      readonly size: number;
      readonly value: bigint;
    }
  | { readonly verb: "sleep"; readonly ms: number }
  | { readonly verb: "auto"; readonly on: boolean };

/** An operation and the device it names, if it names one. */
export interface ScriptLine {
  readonly device: string | null;
  readonly op: ScriptOp;
}

const FLAG_NAMES: Readonly<Record<string, number>> = {
  NONE: VFIO_IRQ_SET_DATA_NONE,
  BOOL: VFIO_IRQ_SET_DATA_BOOL,
  EVENTFD: VFIO_IRQ_SET_DATA_EVENTFD,
  MASK: VFIO_IRQ_SET_ACTION_MASK,
  UNMASK: VFIO_IRQ_SET_ACTION_UNMASK,
  TRIGGER: VFIO_IRQ_SET_ACTION_TRIGGER,
};

/** Entries one SET_IRQS of a script may list: more than any index has, and than a call takes. */
const DATA_MAX = 65_536;

/** struct vfio_device_info and vfio_irq_info as far as the recorder fills them in. */
const INFO_ARGSZ = 16;

/** Reads the words of one line; every failure is a UsageError at `place`. */
class Words {
  readonly #words: string[];
  readonly #place: InputPlace;

  constructor(words: string[], place: InputPlace) {
    this.#words = words;
    this.#place = place;
  }

  get left(): number {
    return this.#words.length;
  }

  fail(message: string): never {
    throw new UsageError(message, { place: this.#place, hint: "see the grammar in README.md" });
  }

  next(what: string): string {
    return this.#words.shift() ?? this.fail(`${what} is missing`);
  }

  number(what: string): number {
    return Number(this.big(what));
  }

  big(what: string): bigint {
    const word = this.next(what);
    if (!/^-?(0x[0-9a-f]+|\d+)$/i.test(word)) this.fail(`${what}: ${word} is not a number`);
    return word.startsWith("-") ? -BigInt(word.slice(1)) : BigInt(word);
  }

  /** Takes `name` out of the line, wherever it stands. */
  flag(name: string): boolean {
    const at = this.#words.indexOf(name);
    if (at >= 0) this.#words.splice(at, 1);
    return at >= 0;
  }

  /** Takes `name=N` out of the line. */
  option(name: string): number | null {
    const at = this.#words.findIndex((word) => word.startsWith(`${name}=`));
    if (at < 0) return null;
    const [word] = this.#words.splice(at, 1);
    return Number(new Words([word!.slice(name.length + 1)], this.#place).big(name));
  }

  eventfd(): number {
    const word = this.next("eventfd");
    const id = /^e(\d+)$/.exec(word)?.[1];
    return id === undefined ? this.fail(`${word} is not an eventfd`) : Number(id);
  }

  index(): number {
    const word = this.next("index");
    const named = (VFIO_IRQ_INDEX_NAMES as readonly string[]).indexOf(word);
    return named >= 0 ? named : new Words([word], this.#place).number("index");
  }

  flags(): number {
    const word = this.next("flags");
    if (/^\d/.test(word)) return new Words([word], this.#place).number("flags");
    return word.split("|").reduce((flags, name) => {
      const bit = FLAG_NAMES[name];
      return bit === undefined ? this.fail(`unknown flag ${name}`) : flags | bit;
    }, 0);
  }
}

/** Parses one line. `@ALIAS` alone has the verb `select`. */
export function parseLine(text: string, place: InputPlace): ScriptLine {
  const parts = text.trim().split(/\s+/);
  const device = parts[0]!.startsWith("@") ? parts.shift()!.slice(1) : null;
  if (parts.length === 0) return { device, op: { verb: "select" } };
  const words = new Words(parts, place);
  const op = parseOp(words);
  if (words.left > 0) words.fail(`"${text}" has words too many`);
  return { device, op };
}

function parseOp(words: Words): ScriptOp {
  const verb = words.next("verb");
  switch (verb) {
    case "open":
    case "close":
    case "reset":
    case "read":
    case "drain":
    case "irqs":
    case "pool":
    case "klog":
    case "lpi":
    case "irte":
    case "hold":
    case "unbind":
    case "bind":
      return { verb };
    case "info":
      return { verb, argsz: words.option("argsz") ?? INFO_ARGSZ };
    case "irqinfo": {
      const argsz = words.option("argsz") ?? INFO_ARGSZ;
      return { verb, index: words.index(), argsz };
    }
    case "set":
      return parseSet(words);
    case "sig": {
      const id = words.eventfd();
      return { verb, id, count: words.left > 0 ? words.big("count") : 1n };
    }
    case "closefd":
      return { verb, id: words.eventfd() };
    case "pcicap":
      return { verb, hardware: words.flag("hw") };
    case "sleep":
      return { verb, ms: words.number("ms") };
    case "auto":
      return { verb, on: words.next("on or off") === "on" };
    default:
      return parseAccess(verb, words);
  }
}

function parseAccess(verb: string, words: Words): ScriptOp {
  switch (verb) {
    case "cfgr":
      return { verb, offset: words.number("offset"), size: words.number("size") };
    case "cfgw":
      return {
        verb,
        offset: words.number("offset"),
        size: words.number("size"),
        value: words.big("value"),
      };
    case "barr":
      return {
        verb,
        region: words.number("region"),
        offset: words.number("offset"),
        size: words.number("size"),
      };
    case "barw":
      return {
        verb,
        region: words.number("region"),
        offset: words.number("offset"),
        size: words.number("size"),
        value: words.big("value"),
      };
    default:
      return words.fail(`unknown operation ${verb}`);
  }
}

function parseSet(words: Words): SetOp {
  const argsz = words.option("argsz");
  const fault = words.flag("fault");
  const index = words.index();
  const start = words.number("start");
  const count = words.number("count");
  const flags = words.flags();
  const data: IrqData[] = [];
  while (words.left > 0) parseData(words, data);
  return { verb: "set", index, start, count, flags, data, argsz, fault };
}

/** Appends one word of data: `eN`, `eA..eB`, a number, `bad`, `file`, each maybe `*N`. */
function parseData(words: Words, data: IrqData[]): void {
  const word = words.next("data");
  const [, value, repeat] = /^(.+?)(?:\*(\d+))?$/.exec(word)!;
  const once = parseDatum(value!, words);
  const times = Number(repeat ?? 1);
  if (data.length + times * once.length > DATA_MAX) words.fail(`more than ${DATA_MAX} data`);
  // A word may stand for thousands.
  for (let i = times; i > 0; i--) for (const datum of once) data.push(datum);
}

function parseDatum(word: string, words: Words): IrqData[] {
  if (word === "bad" || word === "file") return [{ kind: word }];
  const range = /^e(\d+)\.\.e(\d+)$/.exec(word);
  if (range !== null) {
    const [first, last] = [Number(range[1]), Number(range[2])];
    if (last < first) words.fail(`${word} is empty`);
    if (last - first >= DATA_MAX) words.fail(`more than ${DATA_MAX} data`);
    return Array.from({ length: last - first + 1 }, (_, i) => ({ kind: "eventfd", id: first + i }));
  }
  const id = /^e(\d+)$/.exec(word)?.[1];
  if (id !== undefined) return [{ kind: "eventfd", id: Number(id) }];
  if (!/^-?\d+$/.test(word)) words.fail(`${word} is not data`);
  return [{ kind: "number", value: Number(word) }];
}
