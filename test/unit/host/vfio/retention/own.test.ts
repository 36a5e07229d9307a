/** What a user's own policy has to be. */
import { describe, expect, it } from "vitest";
import { checkedPolicy } from "../../../../../host/vfio/retention/own.ts";
import { UsageError } from "../../../../../src/base/errors.ts";

const PLAIN = { name: "mine", freesAfterTeardown: () => false };
const refused = (policy: unknown): string => {
  try {
    checkedPolicy(policy, "mine.ts");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "";
};

describe("a policy of one's own", () => {
  it("has a name and says what goes after a teardown", () => {
    expect(refused(PLAIN)).toBe("");
    expect(refused(null)).toMatch(/there is no policy/);
    expect(refused("cache")).toMatch(/there is no policy/);
    expect(refused({ ...PLAIN, name: "" })).toMatch(/no name/);
    expect(refused({ name: "mine" })).toMatch(/no freesAfterTeardown/);
  });

  it("may keep no idle irq at all, or any whole number", () => {
    for (const idleMax of [0, 1, 2048]) expect(refused({ ...PLAIN, idleMax })).toBe("");
    for (const idleMax of [-1, 0.5, Number.NaN, "3"]) {
      expect(refused({ ...PLAIN, idleMax })).toMatch(/idleMax/);
    }
  });

  it("may keep idle irqs for a time above 0", () => {
    expect(refused({ ...PLAIN, idleTimeoutNs: 1 })).toBe("");
    for (const idleTimeoutNs of [0, -1, Number.NaN]) {
      expect(refused({ ...PLAIN, idleTimeoutNs })).toMatch(/idleTimeoutNs/);
    }
  });

  it("may reclaim below a share from 0 up to, not at, 1", () => {
    for (const watermark of [0, 0.5, 0.999]) {
      expect(refused({ ...PLAIN, reclaim: { watermark } })).toBe("");
    }
    for (const watermark of [-0.1, 1, Number.NaN, undefined]) {
      expect(refused({ ...PLAIN, reclaim: { watermark } })).toMatch(/watermark/);
    }
  });
});
