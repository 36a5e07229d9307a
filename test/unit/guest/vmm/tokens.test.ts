/** What a VMM does with tokens (guest/vmm/tokens.ts): where they go, what they are counted as. */
import { beforeEach, describe, expect, test } from "vitest";
import { Tokens } from "../../../../guest/vmm/tokens.ts";
import { FATE, FATES } from "../../../../src/measure/fates.ts";
import { Bench } from "../kernel/bench.ts";

const LINE = 0;
const ROW = 5;

let bench: Bench;
let tokens: Tokens;

beforeEach(() => {
  bench = new Bench({ vcpus: 2 });
  tokens = new Tokens(bench.env, bench.guest, bench.plan, bench.vm);
});

function taken(): number[] {
  const out = new Int32Array(512);
  bench.vm.lapics.collect();
  return [...out.subarray(0, bench.vm.lapics.take(out))];
}

const counted = (row: number): Record<string, number> =>
  Object.fromEntries(
    FATES.map((fate) => [fate, bench.count(row, fate)] as const).filter(([, n]) => n > 0),
  );

describe("a read eventfd", () => {
  test("of one token goes on with it", () => {
    tokens.read(ROW, 1);
    expect(counted(ROW)).toEqual({});
  });

  test("of several goes on with one; the others merged in the eventfd", () => {
    tokens.read(ROW, 4);
    expect(counted(ROW)).toEqual({ "coalesced-eventfd": 3 });
  });
});

describe("an injected message", () => {
  test("is requested where it says, and costs what KVM_SIGNAL_MSI does", () => {
    tokens.read(ROW, 1);
    tokens.inject(ROW, 1, 0x41);
    expect(taken()).toEqual([0x141]);
    expect(counted(ROW)).toEqual({});
    expect(bench.clock.now()).toBe(bench.env.costs.vmmInject);
  });

  test("merges where its vector waits already", () => {
    tokens.inject(ROW, 1, 0x41);
    tokens.inject(ROW, 1, 0x41);
    expect(taken()).toEqual([0x141]);
    expect(counted(ROW)).toEqual({ "coalesced-irr": 1 });
  });

  test.each([
    ["a vCPU that does not exist", 2, 0x41],
    ["an illegal vector", 0, 15],
  ])("to %s is lost", (_, vcpu, vector) => {
    tokens.read(ROW, 1);
    tokens.inject(ROW, vcpu, vector);
    expect(taken()).toEqual([]);
    expect(counted(ROW)).toEqual({ "dropped-guest-unhandled": 1 });
    expect(bench.vm.sequence.taken(ROW, 1)).toBe(1);
  });

  test("to the last vCPU and the first legal vector arrives", () => {
    tokens.inject(ROW, 1, 16);
    expect(taken()).toEqual([0x110]);
  });

  test("adds nothing to the tokens of lines", () => {
    tokens.inject(ROW, 1, 0x41);
    expect(bench.guest.levelTokens.take(ROW)).toBe(0);
  });
});

describe("an injected line", () => {
  test("has its token beside the request", () => {
    tokens.inject(LINE, 0, 0x51);
    expect(bench.guest.levelTokens.take(LINE)).toBe(1);
    expect(taken()).toEqual([0x51]);
  });

  test("does not merge in the APIC: the handler takes both tokens", () => {
    tokens.inject(LINE, 0, 0x51);
    tokens.inject(LINE, 0, 0x51);
    expect(taken()).toEqual([0x51]);
    expect(counted(LINE)).toEqual({});
    expect(bench.guest.levelTokens.take(LINE)).toBe(2);
  });

  test("that cannot be requested leaves no token", () => {
    tokens.inject(LINE, 7, 0x51);
    expect(bench.guest.levelTokens.take(LINE)).toBe(0);
    expect(counted(LINE)).toEqual({ "dropped-guest-unhandled": 1 });
  });
});

describe("tokens that end with the VMM", () => {
  test("are counted as what they ended as", () => {
    tokens.count(ROW, FATE["coalesced-virtual-pba"], 1);
    tokens.drop(ROW, FATE["dropped-guest-reset"], 2);
    tokens.abandon(ROW, FATE["pending-eventfd"], 3);
    expect(counted(ROW)).toEqual({
      "coalesced-virtual-pba": 1,
      "dropped-guest-reset": 2,
      "pending-eventfd": 3,
    });
  });

  test("leave their numbers to nobody", () => {
    tokens.read(ROW, 1);
    tokens.drop(ROW, FATE["dropped-guest-reset"], 1);
    tokens.abandon(ROW, FATE["dropped-closed"], 3);
    tokens.read(ROW, 1);
    tokens.inject(ROW, 0, 0x41);
    expect(bench.vm.sequence.taken(ROW, 1)).toBe(4);
  });

  test("may be none", () => {
    tokens.read(ROW, 1);
    tokens.drop(ROW, FATE["dropped-guest-reset"], 0);
    tokens.inject(ROW, 0, 0x41);
    expect(counted(ROW)).toEqual({});
    expect(bench.vm.sequence.taken(ROW, 1)).toBe(0);
  });
});
