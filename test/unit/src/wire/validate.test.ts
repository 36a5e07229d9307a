import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { MESSAGE_BYTES_MAX, type Request } from "../../../../src/wire/messages.ts";
import { isPlainMsgpack } from "../../../../src/wire/plain-msgpack.ts";
import { parseRequest, parseResponse, TRANSFER_BYTES_MAX } from "../../../../src/wire/validate.ts";

const arg = Uint8Array.of(1, 2);
const REQUESTS: Request[] = [
  { id: 0, op: "open", path: "/dev/vfio/nvme0" },
  { id: 1, op: "close", fd: -1 },
  { id: 2, op: "eventfd2", initval: 2 ** 32 - 1, flags: 0x80801 },
  { id: 3, op: "ioctl", fd: 7, cmd: 0xc0004000, arg },
  { id: 4, op: "pread", fd: 7, offset: 7 * 2 ** 40 + 4, count: 4 },
  { id: 5, op: "pwrite", fd: 7, offset: -1, data: arg },
  { id: 6, op: "vmexit", fd: 8, exit: { reason: "eoi", vcpu: 1, vector: 255 } },
  { id: 7, op: "vmexit", fd: 8, exit: { reason: "ioapic-write", pin: 1, low: 0x10000, high: 2 } },
];

/** Values no field takes, whatever its type. */
const NEVER = [null, undefined, {}, [], true, Number.NaN, 1.5, 2 ** 60, 10n, () => 0];

describe("a request", () => {
  it.each(REQUESTS.map((request) => [request.op, request] as const))(
    "%s in range is handed on, without fields it does not have",
    (_op, request) => {
      expect(parseRequest({ ...request, extra: "x" })).toEqual(request);
      expect(isPlainMsgpack(new Packr({ useRecords: false }).pack(request))).toBe(true);
    },
  );

  it("with any one field missing or of another type is bad, and names the field and its id", () => {
    for (const request of REQUESTS) {
      for (const field of Object.keys(request)) {
        for (const value of NEVER) {
          const bad = { op: "bad", id: field === "id" ? null : request.id, field };
          const got = parseRequest({ ...request, [field]: value });
          expect(got).toMatchObject(field === "exit" ? { ...bad, field: "exit.reason" } : bad);
        }
      }
    }
  });

  it.each([
    ["id", { id: -1, op: "close", fd: 0 }],
    ["fd", { id: 1, op: "close", fd: 2 ** 31 }],
    ["fd", { id: 1, op: "close", fd: -(2 ** 31) - 1 }],
    ["initval", { id: 1, op: "eventfd2", initval: 2 ** 32, flags: 0 }],
    ["cmd", { id: 1, op: "ioctl", fd: 1, cmd: -1, arg }],
    ["arg", { id: 1, op: "ioctl", fd: 1, cmd: 1, arg: new Uint8Array(TRANSFER_BYTES_MAX + 1) }],
    ["arg", { id: 1, op: "ioctl", fd: 1, cmd: 1, arg: [1, 2] }],
    ["arg", { id: 1, op: "ioctl", fd: 1, cmd: 1, arg: new Uint16Array(2) }],
    ["path", { id: 1, op: "open", path: "x".repeat(4096) }],
    ["count", { id: 1, op: "pread", fd: 1, offset: 0, count: -1 }],
    ["exit.vector", { id: 1, op: "vmexit", fd: 1, exit: { reason: "eoi", vcpu: 0, vector: 256 } }],
    ["exit.reason", { id: 1, op: "vmexit", fd: 1, exit: { reason: "hlt" } }],
    ["op", { id: 1, op: "__proto__" }],
    ["message", "close"],
    ["message", null],
    ["id", []],
  ])("out of range in %s is bad", (field, request) => {
    expect(parseRequest(request)).toMatchObject({ op: "bad", field });
  });

  it("for more bytes than a response can carry is a short read", () => {
    const request = parseRequest({ id: 1, op: "pread", fd: 1, offset: 0, count: 2 ** 40 });
    expect(request).toMatchObject({ op: "pread", count: TRANSFER_BYTES_MAX });
    const data = new Uint8Array(TRANSFER_BYTES_MAX);
    const id = Number.MAX_SAFE_INTEGER;
    const packed = new Packr({ useRecords: false }).pack({ id, ret: data.length, data, slot: 1e9 });
    expect(packed.length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  });
});

describe("a response", () => {
  it("keeps data and slot only if they were sent", () => {
    expect(parseResponse({ id: 1, ret: -22 })).toEqual({ id: 1, ret: -22 });
    expect(parseResponse({ id: 1, ret: 0, data: undefined })).toEqual({ id: 1, ret: 0 });
    expect(parseResponse({ id: 1, ret: 3, data: arg, slot: 4 })).toEqual({
      id: 1,
      ret: 3,
      data: arg,
      slot: 4,
    });
  });

  it.each([
    ["ret", { id: 1, ret: 2 ** 31 }],
    ["data", { id: 1, ret: 0, data: "x" }],
    ["slot", { id: 1, ret: 0, slot: -1 }],
    ["message", 7],
  ])("with a wrong %s is bad", (bad, response) => {
    expect(parseResponse(response)).toEqual({ bad });
  });
});

describe("plain msgpack", () => {
  const packr = new Packr({ useRecords: false });

  it("is what the packer writes for our messages, undefined included, and no prefix of it", () => {
    const message = {
      id: 2 ** 40,
      ret: -22,
      data: new Uint8Array(70_000),
      text: "x".repeat(300),
      list: [1.5, -1, true, null, undefined, { a: 2 ** 31 }],
    };
    const bytes = packr.pack(message);
    expect(isPlainMsgpack(bytes)).toBe(true);
    for (let length = 0; length < 40; length++) {
      expect(isPlainMsgpack(bytes.subarray(0, length))).toBe(false);
    }
    expect(isPlainMsgpack(bytes.subarray(0, -1))).toBe(false);
    expect(isPlainMsgpack(Uint8Array.of(...packr.pack(1), 0))).toBe(false);
  });

  it("nests eight deep and no deeper", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(isPlainMsgpack(packr.pack(nested(8)))).toBe(true);
    expect(isPlainMsgpack(packr.pack(nested(9)))).toBe(false);
  });

  it("has only strings for keys", () => {
    expect(isPlainMsgpack(Uint8Array.of(0x81, 0x01, 0x01))).toBe(false);
    expect(isPlainMsgpack(Uint8Array.of(0x81, 0xa1, 0x61, 0x01))).toBe(true);
  });
});
