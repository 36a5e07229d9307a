/** Bits of the descriptor: Intel SDM vol. 3, table 31-1 (posted-interrupt descriptor). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  POSTED_FRESH,
  POSTED_NOTIFY,
  PostedReader,
  PostedWriter,
  postedDescriptorBytes,
} from "../../../../src/shm/posted-descriptor.ts";

const NOT_SINGLE = -1;
const BOTH = POSTED_FRESH | POSTED_NOTIFY;

function descriptors(vcpus = 1) {
  const memory = new SharedArrayBuffer(64 + postedDescriptorBytes(vcpus));
  const writer = new PostedWriter(memory, 64, vcpus);
  const reader = new PostedReader(memory, 64, vcpus);
  const out = new Int32Array(vcpus * 256);
  const bytes = new Uint8Array(memory, 64);
  return {
    memory,
    writer,
    reader,
    /** Bit `bit` of a vCPU's descriptor. */
    bit: (bit: number, vcpu = 0) => (bytes[vcpu * 64 + (bit >> 3)]! >> (bit & 7)) & 1,
    nv: (vcpu = 0) => bytes[vcpu * 64 + 34]!,
    post: (vector: number, vcpu = 0) => writer.post(vcpu, vector),
    use: (vector: number, vcpu = 0) => writer.use(vcpu, vector),
    take: () => [...out.subarray(0, reader.take(out))],
  };
}

describe("posting", () => {
  it("sets the vector's bit, and ON with the first one, which notifies", () => {
    const { post, bit } = descriptors();
    expect([post(0x41), post(0xff), post(0)]).toEqual([BOTH, POSTED_FRESH, POSTED_FRESH]);
    expect([bit(0x41), bit(0xff), bit(0), bit(0x40)]).toEqual([1, 1, 1, 0]);
    expect([bit(256), bit(257)]).toEqual([1, 0]);
  });

  it("merges with a bit that is set", () => {
    const { post } = descriptors();
    post(0x41);
    expect(post(0x41)).toBe(0);
  });

  it("notifies nobody while SN is set, and does not set ON", () => {
    const { use, reader, post, bit } = descriptors();
    use(0x41);
    reader.poll();
    reader.pending();
    expect([bit(257), post(0x41), bit(256)]).toEqual([1, POSTED_FRESH, 0]);
  });

  it("goes to the descriptor of its vCPU, a cache line each", () => {
    const { post, bit } = descriptors(3);
    post(0x41, 2);
    expect([bit(0x41, 0), bit(0x41, 1), bit(0x41, 2), bit(256, 2)]).toEqual([0, 0, 1, 1]);
  });
});

describe("a vCPU that is notified", () => {
  it("clears ON and takes all requests, the highest vector first", () => {
    const { use, post, take, bit, reader } = descriptors();
    for (const vector of [0x31, 0xfe, 0x3f]) use(vector);
    for (const vector of [0x31, 0xfe, 0x3f]) post(vector);
    expect([reader.pending(), reader.takeSingle()]).toEqual([true, NOT_SINGLE]);
    expect(take()).toEqual([0xfe, 0x3f, 0x31]);
    expect([bit(256), bit(0x31), reader.pending()]).toEqual([0, 0, false]);
    expect(post(0x31)).toBe(BOTH);
  });

  it("takes by vCPU", () => {
    const { use, post, take } = descriptors(3);
    use(0x41, 2);
    use(0x42, 0);
    post(0x41, 2);
    post(0x42, 0);
    expect(take()).toEqual([0x42, 0x241]);
  });
});

describe("a vCPU that polls", () => {
  it("takes a single request past the others' list", () => {
    const { use, post, reader, bit } = descriptors(2);
    use(0x41, 1);
    reader.poll();
    expect(reader.takeSingle()).toBe(NOT_SINGLE);
    post(0x5f, 1);
    expect([reader.pending(), reader.takeSingle(), bit(0x5f, 1)]).toEqual([true, 0x15f, 0]);
  });

  it.each([
    ["one word", 0x41, 0x42],
    ["two words", 0x41, 0x61],
  ])("leaves two requests in %s alone when it looks for one", (_, a, b) => {
    const { use, post, take, reader } = descriptors();
    use(a);
    use(b);
    reader.poll();
    post(a);
    post(b);
    expect([reader.takeSingle(), take()]).toEqual([NOT_SINGLE, [b, a]]);
  });

  it("is notified by a blocked vCPU's vector from the moment it wants to sleep", () => {
    const { use, post, reader, bit, nv, take } = descriptors();
    use(0x41);
    reader.poll();
    reader.pending();
    expect(nv()).toBe(0xf2);
    reader.await();
    expect([bit(256), bit(257), nv(), reader.pending()]).toEqual([0, 0, 0xf1, false]);
    expect(post(0x41)).toBe(BOTH);
    reader.poll();
    expect([bit(257), take()]).toEqual([1, [0x41]]);
  });

  it("sees on its way to sleep what was posted without notice", () => {
    const { use, post, reader } = descriptors();
    use(0x41);
    reader.poll();
    reader.pending();
    post(0x41);
    reader.await();
    expect(reader.pending()).toBe(true);
  });

  it("learns of a vCPU whose first entry is made while it polls or sleeps", () => {
    const { use, post, reader, bit } = descriptors(2);
    reader.poll();
    use(0x41, 0);
    expect([post(0x41, 0), reader.takeSingle()]).toEqual([BOTH, 0x41]);
    expect(bit(257, 0)).toBe(1);
    reader.await();
    use(0x41, 1);
    expect([post(0x41, 1), reader.pending()]).toEqual([BOTH, true]);
  });
});

const VECTORS = [0x31, 0x32, 0x51, 0xfe];

type Act = { readonly do: "post" | "take" | "single" | "sleep" | "wake"; readonly vector: number };

const acts = fc.array(
  fc.record<Act>({
    do: fc.constantFrom("post", "post", "take", "single", "sleep", "wake"),
    vector: fc.constantFrom(...VECTORS),
  }),
  { maxLength: 60 },
);

describe("whatever happens", () => {
  it("each request is fresh once, taken once, and wakes whoever sleeps", () => {
    fc.assert(
      fc.property(acts, (list) => {
        const { use, post, take, reader } = descriptors();
        for (const vector of VECTORS) use(vector);
        const waiting = new Set<number>();
        let asleep = false;
        for (const { do: act, vector } of list) {
          if (act === "post") {
            const found = post(vector);
            expect((found & POSTED_FRESH) !== 0).toBe(!waiting.has(vector));
            if (asleep) {
              expect(found).toBe(BOTH);
              asleep = false;
            }
            waiting.add(vector);
          } else if (act === "take") {
            expect(take()).toEqual([...waiting].sort((a, b) => b - a));
            waiting.clear();
          } else if (act === "single") {
            const single = reader.takeSingle();
            if (single !== NOT_SINGLE) expect(waiting.delete(single)).toBe(true);
          } else if (act === "sleep") {
            reader.await();
            asleep = !reader.pending();
            expect(asleep).toBe(waiting.size === 0);
          } else {
            asleep = false;
            reader.poll();
          }
          if (act !== "post" && act !== "sleep") asleep = false;
        }
      }),
    );
  });

  it("a guest that scribbles keeps the host neither from posting nor in its own line", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 15 }), fc.integer())), fc.nat(255), (junk, v) => {
        const { memory, post } = descriptors(2);
        const line = new Int32Array(memory, 64, 16);
        for (const [at, value] of junk) line[at] = value;
        const others = [new Int32Array(memory, 0, 16), new Int32Array(memory, 128)];
        const before = others.map((words) => [...words]);
        expect(post(v)).toBeLessThanOrEqual(BOTH);
        expect(line[v >> 5]! & (1 << (v & 31))).not.toBe(0);
        expect(others.map((words) => [...words])).toEqual(before);
      }),
    );
  });
});
