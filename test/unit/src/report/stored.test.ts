/** Results from files: what is accepted, and how everything else is refused. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { canonicalJson } from "../../../../src/report/json.ts";
import { parseStored, readRun, readRuns, readStored } from "../../../../src/report/stored.ts";
import { FULL, hostile } from "../../../support/full-result.ts";
import { MATRIX } from "../../../support/sample-matrix.ts";
import { SAMPLE } from "../../../support/sample-result.ts";

const DIRECTORY = mkdtempSync(join(tmpdir(), "vfio-cosim-stored-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

function put(path: string, text: string): string {
  const file = join(DIRECTORY, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  return file;
}

function refusal(text: string): string {
  try {
    parseStored(text, "result.json");
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).format();
  }
  return "accepted";
}

function changed(change: (result: Record<string, never>) => void): string {
  const copy = JSON.parse(JSON.stringify(FULL));
  change(copy);
  return JSON.stringify(copy);
}

describe("a stored result", () => {
  it("is what was stored, whichever way it is named", () => {
    const file = put("one/result.json", canonicalJson(FULL));
    expect(readRun(file)).toEqual(JSON.parse(JSON.stringify(FULL)));
    expect(readRun(join(DIRECTORY, "one"))).toEqual(readRun(file));
    for (const result of [SAMPLE, hostile(), MATRIX]) {
      expect(parseStored(canonicalJson(result), "x")).toEqual(JSON.parse(JSON.stringify(result)));
    }
  });

  it("may be one of several in a directory, in the order of their names", () => {
    const seeded = (seed: number) =>
      canonicalJson({ ...FULL, provenance: { ...FULL.provenance, seed } });
    put("many/b/result.json", seeded(2));
    put("many/a/result.json", seeded(1));
    put("many/c.json", seeded(3));
    put("many/notes.txt", "no result");
    mkdirSync(join(DIRECTORY, "many/empty"));
    const seeds = readRuns(join(DIRECTORY, "many")).map(({ provenance }) => provenance.seed);
    expect(seeds).toEqual([1, 2, 3]);
  });

  it("that is not there is missed with a hint", () => {
    for (const read of [readStored, readRuns]) {
      expect(() => read(join(DIRECTORY, "nowhere"))).toThrow(/there is no result/);
    }
    mkdirSync(join(DIRECTORY, "hollow"));
    expect(() => readRuns(join(DIRECTORY, "hollow"))).toThrow(/there is no result/);
    expect(() => readRun(put("matrix.json", canonicalJson(MATRIX)))).toThrow(/not the result of a/);
  });
});

describe("what is no result", () => {
  it.each([
    ["PASSED", "result.json: is not JSON"],
    ["[]", "is not a result: it has no schema"],
    ["null", "is not a result: it has no schema"],
    ['{"schema":7}', "is not a result: it has no schema"],
    ['{"schema":"vfio-cosim/run/2"}', "vfio-cosim/run/2 is of a newer version"],
    ['{"schema":"vfio-cosim/run/0"}', "vfio-cosim/run/0 is of an older version"],
    ['{"schema":"vfio-cosim/replay/1"}', "is not a result that can be shown"],
    ['{"schema":"toString"}', "is not a result that can be shown"],
    ['{"schema":"vfio-cosim/run/1"}', "is damaged: provenance is missing"],
  ])("%s is refused: %s", (text, words) => {
    expect(refusal(text)).toContain(words);
  });

  it("names the first place that is wrong", () => {
    const damage = (change: (result: never) => void) => refusal(changed(change as never));
    expect(
      damage((r: { guests: { name: unknown }[] }) => (r.guests[1]!.name = 7) as never),
    ).toContain("damaged: guests[1].name is no string");
    expect(
      damage((r: { pool: { irqsPeak: unknown } }) => (r.pool.irqsPeak = null) as never),
    ).toContain("pool.irqsPeak is no number");
    expect(damage((r: typeof FULL) => (r.pool.occupancy!.at as number[]).pop() as never)).toContain(
      "is not as long as that of times",
    );
    expect(
      damage((r: typeof FULL) => (r.latency.histograms!.total!.counts as number[]).pop() as never),
    ).toContain("histogram of total");
  });

  it("is never taken for a bug of ours, whatever part of it is broken", () => {
    const paths: string[][] = [];
    const walk = (value: unknown, path: string[]): void => {
      paths.push(path);
      if (typeof value !== "object" || value === null || path.length > 4) return;
      for (const [key, inner] of Object.entries(value).slice(0, 8)) walk(inner, [...path, key]);
    };
    walk(FULL, []);
    const broken = fc.constantFrom<unknown>(null, 7, "x", [], {}, true, [null], { x: null });
    fc.assert(
      fc.property(fc.constantFrom(...paths.slice(1)), broken, (path, value) => {
        const copy = JSON.parse(JSON.stringify(FULL));
        const last = path.at(-1)!;
        let place = copy;
        for (const key of path.slice(0, -1)) place = place[key];
        place[last] = value;
        try {
          parseStored(JSON.stringify(copy), "x");
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});
