/** `vfio-cosim list`: a line a scenario, and a schema that every one of them fits. */
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import type { Io } from "../../../../src/cli/io.ts";
import { runCli } from "../../../../src/cli/program.ts";
import { listLibrary, resolveScenario } from "../../../../src/scenario/library.ts";

const COLUMNS = 100;

async function list(...flags: string[]): Promise<string> {
  let told = "";
  const io: Io = {
    out: (text) => {
      told += text;
    },
    err: () => {},
    outIsTty: false,
    errIsTty: false,
    onInterrupt: () => () => {},
    exitNow: () => {},
  };
  expect(await runCli(["list", ...flags], io)).toBe(0);
  return told;
}

describe("list", () => {
  it("has a line for each scenario, in two columns that a terminal shows", async () => {
    const lines = (await list()).trimEnd().split("\n");
    const names = listLibrary().map(({ name }) => name);
    expect(lines.map((line) => line.split(" ")[0])).toEqual(names);
    const column = Math.max(...names.map(({ length }) => length)) + 2;
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(COLUMNS);
      expect(line.slice(column - 2, column + 1)).toMatch(/^ {2}\S$/);
    }
  });
});

describe("list --schema", () => {
  it.each(listLibrary().map(({ name }) => name))("fits %s", async (name) => {
    const schema = z.fromJSONSchema(JSON.parse(await list("--schema")));
    expect(schema.safeParse(parse(resolveScenario(name).text)).error).toBe(undefined);
  });

  it("fits nothing else", async () => {
    const schema = z.fromJSONSchema(JSON.parse(await list("--schema")));
    const scenario = parse(resolveScenario("fleet").text);
    for (const wrong of [
      { ...scenario, host: { irtse: 64 } },
      { ...scenario, devices: [{ name: "d", model: "nmve" }] },
      { ...scenario, guests: [{ name: "g", device: "d", stagger: 5 }] },
      { ...scenario, duration: undefined },
    ]) {
      expect(schema.safeParse(wrong).success).toBe(false);
    }
  });
});
