import { describe, expect, it } from "vitest";
import { InvariantError, UsageError } from "../../../../../src/base/errors.ts";
import { errorOf, failing } from "../../../../../src/run/threads/failure.ts";

/** What main makes of an error that `thrown` was in the worker g1, after a structured clone. */
async function crossed(thrown: unknown): Promise<Error> {
  const api = failing({
    async call() {
      throw thrown;
    },
  });
  const data = await api.call().catch((failure: unknown) => structuredClone(failure));
  return errorOf(data, "g1");
}

describe("an error from a worker", () => {
  it("stays an InvariantError, names its worker and shows where it happened", async () => {
    const thrown = new InvariantError("two is three");
    const error = await crossed(thrown);
    expect(error).toBeInstanceOf(InvariantError);
    expect(error.message).toBe("g1: two is three");
    const where = thrown.stack!.split("\n").slice(1).join("\n");
    expect(error.stack).toBe(`InvariantError: g1: two is three\n${where}`);
  });

  it("stays a UsageError with place and hint", async () => {
    const place = { file: "a.yaml", line: 3, column: 1 };
    const error = await crossed(new UsageError("no such device", { place, hint: "try nvme0" }));
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).format()).toBe("a.yaml:3:1: no such device\n  hint: try nvme0");
  });

  it("of another kind keeps its kind in words", async () => {
    const error = await crossed(new RangeError("too long"));
    expect(error).not.toBeInstanceOf(InvariantError);
    expect(error.message).toBe("g1: RangeError: too long");
  });

  it("that is no error at all still becomes one", async () => {
    expect((await crossed("a string")).message).toBe("g1: Error: a string");
    expect((await crossed(undefined)).message).toBe("g1: Error: undefined");
  });
});

it("what a worker answers passes through", async () => {
  const api = failing({ add: async (a: number, b: number) => a + b });
  expect(await api.add(1, 2)).toBe(3);
});
