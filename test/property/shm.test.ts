import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EAGAIN, EINVAL } from "../../src/base/errno.ts";
import { EventfdTable } from "../../src/shm/eventfd.ts";
import { RingConsumer, RingProducer, ringBytes } from "../../src/shm/ring.ts";

const U64_MAX = 2n ** 64n - 1n;

/** fs/eventfd.c in unbounded integers. */
class EventfdModel {
  count: bigint;
  readonly semaphore: boolean;

  constructor(initval: number, semaphore: boolean) {
    this.count = BigInt(initval);
    this.semaphore = semaphore;
  }

  signal(): void {
    if (this.count < U64_MAX) this.count++;
  }

  write(n: bigint): number {
    if (n === U64_MAX) return -EINVAL;
    if (this.count + n >= U64_MAX) return -EAGAIN;
    this.count += n;
    return 0;
  }

  read(): bigint {
    const value = this.semaphore && this.count > 0n ? 1n : this.count;
    this.count -= value;
    return value;
  }
}

/** Numbers near the borders of the representation. */
const amount = fc.oneof(
  fc.bigInt({ min: 0n, max: 5n }),
  fc
    .tuple(fc.constantFrom(31n, 32n, 33n, 53n, 63n, 64n), fc.bigInt({ min: -3n, max: 3n }))
    .map(([bits, offset]) => 2n ** bits + offset)
    .filter((n) => n <= U64_MAX),
);

const operation = fc.oneof(
  fc.constant({ kind: "signal" } as const),
  fc.constant({ kind: "read" } as const),
  amount.map((n) => ({ kind: "write", n }) as const),
);

describe("an eventfd", () => {
  it("behaves as fs/eventfd.c does in unbounded integers", () => {
    fc.assert(
      fc.property(
        fc.nat(5),
        fc.boolean(),
        fc.array(operation),
        (initval, semaphore, operations) => {
          const table = new EventfdTable(new SharedArrayBuffer(EventfdTable.bytes(1)), 0, 1);
          const model = new EventfdModel(initval, semaphore);
          table.init(0, initval, semaphore);
          for (const step of operations) {
            if (step.kind === "signal") {
              const readable = model.count > 0n;
              const told = table.signal(0);
              model.signal();
              if (!readable) expect(told).toBe(true);
            } else if (step.kind === "write") {
              const n = step.n < 2n ** 53n ? Number(step.n) : step.n;
              expect(table.write(0, n)).toBe(model.write(step.n));
            } else if (model.count < 2n ** 53n || semaphore) {
              expect(BigInt(table.read(0))).toBe(model.read());
            } else {
              expect(table.readBig(0)).toBe(model.read());
            }
            expect(table.count(0)).toBe(model.count);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("a ring", () => {
  it("is a queue of its size, also where its counts wrap around 2^32", () => {
    const step = fc.constantFrom("reserve", "publish", "take", "release");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const shape = { slots: 4, slotBytes: 4 };
        const memory = new SharedArrayBuffer(ringBytes(shape));
        const producer = new RingProducer(memory, 0, shape);
        const consumer = new RingConsumer(memory, 0, shape);
        let [written, published, taken, released] = [0, 0, 0, 0];
        for (const kind of steps) {
          if (kind === "reserve") {
            const slot = producer.reserve();
            expect(slot >= 0).toBe(written - released < 4);
            if (slot < 0) continue;
            producer.words[slot] = ++written;
            producer.commit();
          } else if (kind === "publish") {
            expect(producer.publish()).toBe(published < written);
            published = written;
          } else if (kind === "take") {
            expect(consumer.available()).toBe(published - taken);
            expect(consumer.pending()).toBe(published > taken);
            if (published === taken) continue;
            expect(consumer.words[consumer.front()]).toBe(++taken);
            consumer.pop();
          } else {
            consumer.release();
            released = taken;
          }
        }
      }),
    );
  });
});
