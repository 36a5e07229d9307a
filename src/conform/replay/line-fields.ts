/** Fields of one JSON line; whatever is wrong is a UsageError with the column of the value. */
import { type InputPlace, UsageError } from "../../base/errors.ts";
import { didYouMean } from "../../scenario/suggest.ts";

export const U32_MAX = 2 ** 32 - 1;

const INTEGER = /^[+-]?(?:0x[0-9a-f]+|\d+)$/i;
/** What V8 says of a position in bad JSON. */
const POSITION = /position (\d+)/;

/**
 * The column (from 1) of the value that top-level `key` has in the JSON object `text`, or of the
 * object's start. JSON.parse has read `text` without complaint.
 */
export function columnOf(text: string, key: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (char === '"') {
      const end = endOfString(text, at);
      const colon = skipBlanks(text, end);
      const isKey = depth === 1 && text[colon] === ":";
      if (isKey && JSON.parse(text.slice(at, end)) === key) return skipBlanks(text, colon + 1) + 1;
      at = end - 1;
    }
  }
  return skipBlanks(text, 0) + 1;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function skipBlanks(text: string, start: number): number {
  let at = start;
  while (at < text.length && /\s/.test(text[at]!)) at++;
  return at;
}

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
    } catch (error) {
      const { message } = error as Error;
      const at = POSITION.exec(message)?.[1];
      const column = (at === undefined ? this.#text.length : Number(at)) + 1;
      const cut = isLast ? "the last line is cut off" : "not JSON";
      throw new UsageError(cut, {
        place: { ...this.#place, column },
        hint: isLast
          ? "copy the log again, or delete its last line"
          : "a log has one JSON object a line, such as " +
            '{"t":0,"device":"nvme0","index":"MSIX","start":0,"count":1,' +
            '"flags":"EVENTFD|TRIGGER","fds":["e0"],"ret":0}',
      });
    }
    if (isFields(value)) return value;
    throw new UsageError("not an object", {
      place: { ...this.#place, column: skipBlanks(this.#text, 0) + 1 },
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

  /** The first of several names for the same thing that is there. */
  keyOf(...names: readonly string[]): string {
    return names.find((name) => this.has(name)) ?? names[0]!;
  }

  fail(key: string | null, message: string, hint?: string): never {
    const column = key === null ? skipBlanks(this.#text, 0) + 1 : columnOf(this.#text, key);
    const place = { ...this.#place, column };
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
    return this.fail(key, `unknown ${key} ${shown(value)}`, didYouMean(value, names.reverse()));
  }
}

function textNumber(text: string): number {
  const value = Number(text.replace(/^[+-]/, ""));
  return text.startsWith("-") ? -value : value;
}

const SHOWN_MAX = 40;

/** A wrong value, in short. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}
