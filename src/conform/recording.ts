/** Reads recordings of real kernels: a JSON object a system call (recordings/README.md). */
import { UsageError } from "../base/errors.ts";

/** One recorded operation and what the kernel answered; the other keys are observations. */
export interface RecordedOp {
  /** Line in the script. */
  readonly n: number;
  readonly op: string;
  readonly observed: Readonly<Record<string, unknown>>;
}

const HINT = "a recording is one JSON object a line, each with the script line n and the text op";

/** Parses a `.jsonl` file; a UsageError with file and line where it is malformed or cut off. */
export function parseRecording(text: string, file: string): RecordedOp[] {
  const lines = text.split("\n");
  if (lines.pop() !== "") {
    throw new UsageError("the last line has no end: the recording is cut off", {
      place: { file, line: lines.length + 1 },
      hint: "copy the file again",
    });
  }
  const ops = lines.map((line, i) => parseLine(line, file, i + 1));
  for (const [i, { n }] of ops.entries()) {
    if (i === 0 || n > ops[i - 1]!.n) continue;
    throw new UsageError(`script line ${n} after ${ops[i - 1]!.n}`, {
      place: { file, line: i + 1 },
    });
  }
  if (ops.length === 0) {
    throw new UsageError("no operations", { place: { file, line: 1 }, hint: HINT });
  }
  return ops;
}

function parseLine(line: string, file: string, number: number): RecordedOp {
  const place = { file, line: number };
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new UsageError("not JSON", { place, hint: HINT });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError("not an object", { place, hint: HINT });
  }
  const { n, op, ...observed } = value as Record<string, unknown>;
  if (!Number.isInteger(n) || typeof op !== "string") {
    throw new UsageError("n or op is missing", { place, hint: HINT });
  }
  return { n: n as number, op, observed };
}

/** The operations of a script with their lines, without comments. */
export function scriptOps(script: string): { n: number; op: string }[] {
  return script.split("\n").flatMap((line, i) => {
    const text = line.trim();
    return text === "" || text.startsWith("#") ? [] : [{ n: i + 1, op: text }];
  });
}

/** Checks a recording against its script: the same operations, none left out. */
export function checkAgainstScript(
  ops: readonly RecordedOp[],
  script: string,
  files: { recording: string; script: string },
): void {
  const expected = scriptOps(script);
  for (const [i, { n, op }] of expected.entries()) {
    const found = ops[i];
    if (found?.n === n && found.op.trim() === op) continue;
    const what = found === undefined ? "ends" : `has "${found.op}" (line ${found.n})`;
    throw new UsageError(`the recording ${what} where the script has "${op}" (line ${n})`, {
      place: { file: files.recording, line: i + 1 },
      hint: `record it again, or mend ${files.script}`,
    });
  }
  if (ops.length > expected.length) {
    throw new UsageError("the recording goes on after the script's end", {
      place: { file: files.recording, line: expected.length + 1 },
    });
  }
}
