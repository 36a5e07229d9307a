/** Turns what came out of a ring into a request or response, or says what is wrong with it. */
import {
  MESSAGE_BYTES_MAX,
  type Request,
  type RequestId,
  type Response,
  type VmExit,
} from "./messages.ts";

/*
 * The value comes from a hostile peer, by way of msgpackr: any tree of plain objects, arrays,
 * numbers, strings, bytes. Nothing here throws, and nothing of the value is handed on but numbers
 * in range, short strings and byte arrays: known fields are copied, all others are ignored.
 */

/** A request that makes no sense. It is answered, with -EINVAL, if its `id` could be read. */
export interface BadRequest {
  op: "bad";
  id: RequestId | null;
  /** The first field that is wrong, or `message`. */
  field: string;
}

/** A response that makes no sense: a bug of the host. */
export interface BadResponse {
  bad: string;
}

/** Bytes an ioctl or read may carry: a response that repeats them all still fits a message. */
export const TRANSFER_BYTES_MAX = MESSAGE_BYTES_MAX - 256;

/** PATH_MAX with its zero byte (include/uapi/linux/limits.h). */
const PATH_LENGTH_MAX = 4095;

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const UINT32_MAX = 2 ** 32 - 1;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

/** Reads fields one after the other and remembers the first that is wrong. */
class FieldReader {
  readonly #fields: Fields;
  bad: string | null = null;

  constructor(fields: Fields) {
    this.#fields = fields;
  }

  #fail(name: string): void {
    this.bad ??= name;
  }

  /** A whole number in [min, max]. */
  integer(name: string, min: number, max: number): number {
    const value = this.#fields[name];
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    this.#fail(name);
    return 0;
  }

  int32(name: string): number {
    return this.integer(name, INT32_MIN, INT32_MAX);
  }

  uint32(name: string): number {
    return this.integer(name, 0, UINT32_MAX);
  }

  bytes(name: string): Uint8Array {
    const value = this.#fields[name];
    if (value instanceof Uint8Array && value.length <= TRANSFER_BYTES_MAX) return value;
    this.#fail(name);
    return new Uint8Array(0);
  }

  path(name: string): string {
    const value = this.#fields[name];
    if (typeof value === "string" && value.length <= PATH_LENGTH_MAX) return value;
    this.#fail(name);
    return "";
  }

  exit(name: string): VmExit {
    const value = this.#fields[name];
    const inner = new FieldReader(isFields(value) ? value : {});
    const exit = inner.#exitFields();
    if (inner.bad !== null) this.#fail(`${name}.${inner.bad}`);
    return exit;
  }

  #exitFields(): VmExit {
    if (this.#fields.reason === "ioapic-write") {
      return {
        reason: "ioapic-write",
        pin: this.uint32("pin"),
        low: this.uint32("low"),
        high: this.uint32("high"),
      };
    }
    if (this.#fields.reason !== "eoi") this.#fail("reason");
    return { reason: "eoi", vcpu: this.uint32("vcpu"), vector: this.integer("vector", 0, 255) };
  }
}

/**
 * The request in `value`, all fields in range: fds are int32, flags and commands u32, an offset any
 * safe integer (its sign is the kernel's to refuse). A read's count is cut to what a response can
 * carry, as the kernel cuts it to MAX_RW_COUNT: short reads are legal.
 */
export function parseRequest(value: unknown): Request | BadRequest {
  if (!isFields(value)) return { op: "bad", id: null, field: "message" };
  const fields = new FieldReader(value);
  const id = fields.integer("id", 0, Number.MAX_SAFE_INTEGER);
  if (fields.bad !== null) return { op: "bad", id: null, field: "id" };
  const request = requestFields(id, value.op, fields);
  if (request === null) return { op: "bad", id, field: "op" };
  return fields.bad === null ? request : { op: "bad", id, field: fields.bad };
}

function requestFields(id: RequestId, op: unknown, fields: FieldReader): Request | null {
  switch (op) {
    case "open":
      return { id, op, path: fields.path("path") };
    case "close":
      return { id, op, fd: fields.int32("fd") };
    case "eventfd2":
      return { id, op, initval: fields.uint32("initval"), flags: fields.uint32("flags") };
    case "ioctl":
      return {
        id,
        op,
        fd: fields.int32("fd"),
        cmd: fields.uint32("cmd"),
        arg: fields.bytes("arg"),
      };
    case "pread": {
      const count = fields.integer("count", 0, Number.MAX_SAFE_INTEGER);
      return {
        id,
        op,
        fd: fields.int32("fd"),
        offset: offsetField(fields),
        count: Math.min(count, TRANSFER_BYTES_MAX),
      };
    }
    case "pwrite":
      return {
        id,
        op,
        fd: fields.int32("fd"),
        offset: offsetField(fields),
        data: fields.bytes("data"),
      };
    case "vmexit":
      return { id, op, fd: fields.int32("fd"), exit: fields.exit("exit") };
    default:
      return null;
  }
}

function offsetField(fields: FieldReader): number {
  return fields.integer("offset", Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

/** The response in `value`; `data` and `slot` are there only if they were sent. */
export function parseResponse(value: unknown): Response | BadResponse {
  if (!isFields(value)) return { bad: "message" };
  const fields = new FieldReader(value);
  const response: Response = {
    id: fields.integer("id", 0, Number.MAX_SAFE_INTEGER),
    ret: fields.int32("ret"),
  };
  if (value.data !== undefined) response.data = fields.bytes("data");
  if (value.slot !== undefined) response.slot = fields.uint32("slot");
  return fields.bad === null ? response : { bad: fields.bad };
}
