/** The rules of the stamp log (src/shm/stamp-log.ts), one at a time. */
import { describe, expect, test } from "vitest";
import {
  LOG_HANDLER,
  LOG_RAISED,
  LOG_ROW,
  LOG_SEQUENCE,
  LOG_SIGNALLED,
  StampLogReader,
  StampLogWriter,
  stampLogBytes,
} from "../../../../src/shm/stamp-log.ts";

function log(entries?: number) {
  const memory = new SharedArrayBuffer(stampLogBytes(entries));
  const guest = new StampLogReader(memory, 0, entries);
  const read = (): number[][] => {
    const samples: number[][] = [];
    const fields = [LOG_ROW, LOG_SEQUENCE, LOG_RAISED, LOG_HANDLER, LOG_SIGNALLED];
    const count = guest.read((doubles, at) =>
      samples.push(fields.map((field) => doubles[at + field]!)),
    );
    expect(count).toBe(samples.length);
    return samples;
  };
  return {
    words: new Int32Array(memory),
    host: new StampLogWriter(memory, 0, entries),
    read,
    sequences: (): number[] => read().map((sample) => sample[1]!),
  };
}

test("samples come whole, in order, each once", () => {
  const { host, read } = log();
  host.append(3, 0, 10.5, 11.5, 12.5);
  host.append(4, 7, 20, 20, 20);
  expect(read()).toEqual([
    [3, 0, 10.5, 11.5, 12.5],
    [4, 7, 20, 20, 20],
  ]);
  expect(read()).toEqual([]);
});

test("it goes round its ring", () => {
  const { host, sequences } = log(4);
  for (let i = 0; i < 30; i += 3) {
    for (let n = i; n < i + 3; n++) host.append(0, n, 1, 2, 3);
    expect(sequences()).toEqual([i, i + 1, i + 2]);
  }
  expect(host.lost).toBe(0);
});

test("a border's log holds 1,024 samples; what finds it full is lost and counted", () => {
  const { host, sequences } = log();
  for (let n = 0; n < 1030; n++) host.append(0, n, 1, 2, 3);
  expect(host.lost).toBe(6);
  expect(sequences()).toEqual(Array.from({ length: 1024 }, (_, n) => n));
  host.append(0, 2000, 1, 2, 3);
  expect([sequences(), host.lost]).toEqual([[2000], 6]);
});

describe("a guest that scribbles", () => {
  test("over its head gets no more samples, and they count as lost", () => {
    const { host, words } = log(4);
    for (let n = 0; n < 4; n++) host.append(0, n, 1, 2, 3);
    for (const lie of [5, -1, 1 << 31, 0x7fffffff]) {
      words[16] = lie;
      host.append(0, 9, 1, 2, 3);
    }
    expect(host.lost).toBe(4);
    words[16] = 4;
    host.append(0, 9, 1, 2, 3);
    expect(host.lost).toBe(4);
  });

  test("over the tail reads nonsense, but no more than the log holds", () => {
    const { words, read } = log(4);
    for (const tail of [1_000_000, -1, 1 << 31]) {
      words[0] = tail;
      expect(read()).toHaveLength(4);
    }
  });
});
