/** Which number the token has that a vCPU takes (guest/token-sequence.ts): the host's numbering. */
import { describe, expect, test } from "vitest";
import { TokenSequence } from "../../../guest/token-sequence.ts";

const ROW = 1;
const sequence = (): TokenSequence => new TokenSequence(3);

describe("tokens that an irqfd requests", () => {
  test("are numbered as the vCPUs take them", () => {
    const numbers = sequence();
    expect([0, 1, 2].map(() => numbers.taken(ROW, 1))).toEqual([0, 1, 2]);
  });

  test("that met in one request go by the oldest", () => {
    const numbers = sequence();
    expect([numbers.taken(ROW, 3), numbers.taken(ROW, 1)]).toEqual([0, 3]);
  });

  test("that merged with one in the local APIC have numbers that nobody is given", () => {
    const numbers = sequence();
    numbers.merged(ROW);
    numbers.merged(ROW);
    expect([numbers.taken(ROW, 1), numbers.taken(ROW, 1)]).toEqual([0, 3]);
  });

  test("are numbered by row", () => {
    const numbers = sequence();
    numbers.taken(0, 1);
    numbers.taken(0, 1);
    expect([numbers.taken(ROW, 1), numbers.taken(0, 1)]).toEqual([0, 2]);
  });
});

describe("tokens that the VMM reads", () => {
  test("and requests at once have the number they were read with", () => {
    const numbers = sequence();
    for (const expected of [0, 1]) {
      numbers.read(ROW, 1);
      numbers.requested(ROW, true);
      expect(numbers.taken(ROW, 1)).toBe(expected);
    }
  });

  test("that met in the eventfd go by the oldest", () => {
    const numbers = sequence();
    numbers.read(ROW, 5);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(0);
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(5);
  });

  test("while one waits with the VMM merge with it: the head is the oldest's", () => {
    const numbers = sequence();
    numbers.read(ROW, 1);
    numbers.read(ROW, 2);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(0);
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(3);
  });

  test("and whose vector waits already merge with its own, whose number stays", () => {
    const numbers = sequence();
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    numbers.read(ROW, 1);
    numbers.requested(ROW, false);
    expect(numbers.taken(ROW, 1)).toBe(0);
    expect(numbers.taken(ROW, 1)).toBe(2);
  });

  test("and whose vector waits for an irqfd's token give their number up", () => {
    const numbers = sequence();
    numbers.read(ROW, 1);
    numbers.requested(ROW, false);
    // Number 1: the irqfd's own; that it was requested before number 0 was read is not known.
    expect(numbers.taken(ROW, 1)).toBe(1);
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(2);
  });

  test("and drops are passed over", () => {
    const numbers = sequence();
    numbers.read(ROW, 2);
    numbers.dropped(ROW);
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    expect(numbers.taken(ROW, 1)).toBe(2);
  });

  test("and drops while an older one is requested leave the older one's number alone", () => {
    const numbers = sequence();
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    numbers.read(ROW, 1);
    numbers.dropped(ROW);
    expect([numbers.taken(ROW, 1), numbers.taken(ROW, 1)]).toEqual([0, 2]);
  });

  test("and those after them that an irqfd merges with keep their numbers apart", () => {
    const numbers = sequence();
    numbers.read(ROW, 1);
    numbers.requested(ROW, true);
    numbers.merged(ROW);
    expect([numbers.taken(ROW, 1), numbers.taken(ROW, 1)]).toEqual([0, 2]);
  });
});

test("tokens that end unread in an eventfd are passed over", () => {
  const numbers = sequence();
  numbers.skip(ROW, 4);
  expect(numbers.taken(ROW, 1)).toBe(4);
});

test("a masked vector's tokens, read and requested at unmask, are followed by the irqfd's", () => {
  const numbers = sequence();
  expect(numbers.taken(ROW, 1)).toBe(0);
  numbers.read(ROW, 2);
  numbers.requested(ROW, true);
  expect(numbers.taken(ROW, 1)).toBe(1);
  expect(numbers.taken(ROW, 1)).toBe(3);
});
