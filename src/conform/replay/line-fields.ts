/** Fields of one JSON line; whatever is wrong is a UsageError with the column of the value. */
import { type InputPlace, UsageError } from "../../base/errors.ts";
import { didYouMean } from "../../scenario/suggest.ts";
import { jsonErrorAt, valueAt } from "./json-scan.ts";

export const U32_MAX = 2 ** 32 - 1;

const INTEGER = /^[+-]?(?:0x[0-9a-f]+|\d+)$/i;
/** Characters of \uXXXX or `false`, cut. */
const TOKEN_LENGTH = 5;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export class LineFields {
  readonly #text: string;
  readonly #fields: Fields;
  readonly #place: InputPlace;

  /** The object in `text`; `isLast` without an end is a line that was cut off. */
  constructor(text: string, place: InputPlace, isLast: boolean) {
    this.#text = text;
    this.#place = place;
    this.#fields = this.#parse(isLast);
  }

  #parse(isLast: boolean): Fields {
    let value: unknown;
    try {
      value = JSON.parse(this.#text);
    } catch {
      const at = jsonErrorAt(this.#text);
      const column = at + 1;
      // A cut may go through an escape or a word, too; elsewhere it is wrong in some other way.
      const isCut = isLast && at >= this.#text.length - TOKEN_LENGTH;
      const message = isCut ? "the last line is cut off" : "not JSON";
      throw new UsageError(message, {
        place: { ...this.#place, column },
        hint: isCut
          ? "copy the log again, or delete its last line"
          : "a log has one JSON object a line, such as " +
            '{"t":0,"device":"nvme0","index":"MSIX","start":0,"count":1,' +
            '"flags":"EVENTFD|TRIGGER","fds":["e0"],"ret":0}',
      });
    }
    if (isFields(value)) return value;
    throw new UsageError("not an object", {
      place: { ...this.#place, column: this.#text.search(/\S/) + 1 },
      hint: "a log has one JSON object a line: {...}",
    });
  }

  get keys(): string[] {
    return Object.keys(this.#fields);
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#fields, key) && this.#fields[key] !== undefined;
  }

  get(key: string): unknown {
    return this.has(key) ? this.#fields[key] : undefined;
  }

  /** Text or a number, and undefined for what has parts or is not there. */
  scalar(key: string): string | number | undefined {
    const value = this.get(key);
    return typeof value === "string" || typeof value === "number" ? value : undefined;
  }

  /** The first of several names for the same thing that is there. */
  keyOf(...names: readonly string[]): string {
    return names.find((name) => this.has(name)) ?? names[0]!;
  }

  /** Where the object starts. */
  get start(): InputPlace {
    return { ...this.#place, column: this.#text.search(/\S/) + 1 };
  }

  /** Where a key's value is. */
  placeOf(key: string): InputPlace {
    return { ...this.#place, column: valueAt(this.#text, key) + 1 };
  }

  fail(key: string | null, message: string, hint?: string): never {
    const place = key === null ? this.start : this.placeOf(key);
    throw new UsageError(message, hint === undefined ? { place } : { place, hint });
  }

  missing(key: string, hint: string): never {
    return this.fail(null, `${key} is missing`, hint);
  }

  /** A whole number from `min` to `max`; hexadecimal and decimal text are numbers too. */
  integer(key: string, min: number, max: number, hint: string): number {
    if (!this.has(key)) this.missing(key, hint);
    return this.integerIn(key, this.get(key), min, max, hint);
  }

  integerIn(key: string, value: unknown, min: number, max: number, hint: string): number {
    const isText = typeof value === "string" && INTEGER.test(value);
    const number = isText ? textNumber(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number)) {
      return this.fail(key, `${key} ${shown(value)} is not a whole number`, hint);
    }
    if (number < min) return this.fail(key, `${key} ${shown(value)} is below ${min}`, hint);
    if (number > max) return this.fail(key, `${key} ${shown(value)} is above ${max}`, hint);
    return number;
  }

  text(key: string, hint: string): string {
    if (!this.has(key)) this.missing(key, hint);
    const value = this.get(key);
    return typeof value === "string" ? value : this.fail(key, `${key} is not text`, hint);
  }

  array(key: string, hint: string): readonly unknown[] {
    if (!this.has(key)) this.missing(key, hint);
    const value = this.get(key);
    return Array.isArray(value) ? value : this.fail(key, `${key} is not an array`, hint);
  }

  /** One of `known` words, whatever their case. */
  word(key: string, value: string, known: ReadonlyMap<string, number>): number {
    const found = known.get(value.toUpperCase());
    if (found !== undefined) return found;
    // Each number has several names; the first is the one to teach.
    const names = [...new Map([...known].reverse().map(([name, n]) => [n, name])).values()];
    return this.fail(
      key,
      `unknown ${key.replace(/s$/, "")} ${shown(value)}`,
      didYouMean(value, names.reverse()),
    );
  }
}

function textNumber(text: string): number {
  const value = Number(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -value : value;
}

const SHOWN_MAX = 40;

/** A wrong value, in short: whatever is nested in it stays out. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "[...]";
  if (typeof value === "object" && value !== null) return "{...}";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
