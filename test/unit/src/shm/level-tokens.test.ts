/** Tokens of lines on their way to the guest's handler (src/shm/level-tokens.ts). */
import { expect, test } from "vitest";
import { LevelTokens } from "../../../../src/shm/level-tokens.ts";

function twoSides() {
  const memory = new SharedArrayBuffer(64 + LevelTokens.bytes(3));
  return [new LevelTokens(memory, 64, 3), new LevelTokens(memory, 64, 3)] as const;
}

test("a handler takes all tokens of its row, whoever added them", () => {
  const [host, guest] = twoSides();
  host.add(2);
  guest.add(2);
  host.add(2);
  expect(guest.take(2)).toBe(3);
});

test("a request that repeats an old one brings none", () => {
  const [host, guest] = twoSides();
  host.add(0);
  expect([guest.take(0), guest.take(0)]).toEqual([1, 0]);
});

test("rows do not share tokens", () => {
  const [host, guest] = twoSides();
  host.add(1);
  expect([guest.take(0), guest.take(2), guest.take(1)]).toEqual([0, 0, 1]);
});
