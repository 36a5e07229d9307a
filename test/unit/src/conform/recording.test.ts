import { describe, expect, it } from "vitest";
import { UsageError } from "../../../../src/base/errors.ts";
import { checkAgainstScript, parseRecording } from "../../../../src/conform/recording.ts";

const FILE = "h.6.12.jsonl";

/** What the UsageError says, place first. */
function failure(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).format();
  }
  throw new Error("nothing was thrown");
}

describe("parseRecording", () => {
  it("keeps script line, text and what was observed apart", () => {
    expect(parseRecording('{"n":3,"op":"open","ret":0}\n', FILE)).toEqual([
      { n: 3, op: "open", observed: { ret: 0 } },
    ]);
  });

  it("names the line of a recording that is cut off", () => {
    const text = '{"n":3,"op":"open","ret":0}\n{"n":4,"op":"clo';
    expect(failure(() => parseRecording(text, FILE))).toMatch(/^h\.6\.12\.jsonl:2: .*cut off/);
  });

  it.each([
    ['{"n":3,"op":"open"\n', "not JSON"],
    ["[1]\n", "not an object"],
    ['{"op":"open"}\n', "n or op is missing"],
    ['{"n":3}\n', "n or op is missing"],
  ])("refuses %j", (text, message) => {
    expect(failure(() => parseRecording(text, FILE))).toMatch(new RegExp(`^${FILE}:1: ${message}`));
  });

  it("refuses lines out of order", () => {
    const text = '{"n":3,"op":"open"}\n{"n":3,"op":"close"}\n';
    expect(failure(() => parseRecording(text, FILE))).toContain(`${FILE}:2: script line 3 after 3`);
  });

  it("refuses an empty file", () => {
    expect(failure(() => parseRecording("", FILE))).toContain("no operations");
    expect(failure(() => parseRecording("\n", FILE))).toContain("not JSON");
  });
});

describe("checkAgainstScript", () => {
  const files = { recording: FILE, script: "h.script" };
  const ops = parseRecording('{"n":2,"op":"open"}\n{"n":4,"op":"close"}\n', FILE);

  it("accepts a complete recording, comments and blank lines left out", () => {
    expect(() => checkAgainstScript(ops, "# first\nopen\n\nclose\n", files)).not.toThrow();
  });

  it("refuses a recording that ends before the script, has another op, or goes on", () => {
    const check = (script: string) => failure(() => checkAgainstScript(ops, script, files));
    expect(check("#\nopen\n\nclose\nopen\n")).toContain("the recording ends where");
    expect(check("#\nreset\n\nclose\n")).toContain(`${FILE}:1: the recording has "open"`);
    expect(check("#\nopen\n")).toContain(`${FILE}:2: the recording goes on`);
  });
});
