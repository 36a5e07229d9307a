/** Reads an ioctl log: one JSON object a line, a header maybe first, comments after `#`. */
import { UsageError } from "../../base/errors.ts";
import { LineFields } from "./line-fields.ts";
import { EMPTY_HEADER, type IoctlLog, type LogEntry, type LogHeader } from "./log.ts";
import { entryOf } from "./log-entries.ts";
import { headerOf, isHeader, timeUnitOf } from "./log-header.ts";

const NS_PER_S = 1e9;

/** Parses `text`; throws UsageError with line, column and remedy for the first that is wrong. */
export function parseIoctlLog(text: string, file: string): IoctlLog {
  const lines = text.replace(/^\uFEFF/, "").split("\n");
  const isCut = lines.at(-1) !== "";
  let header: LogHeader | null = null;
  let unit: "s" | "ns" | null = null;
  let anySeconds = false;
  const entries: LogEntry[] = [];
  for (const [at, raw] of lines.entries()) {
    const line = at + 1;
    const content = raw.trim();
    if (content === "") continue;
    if (content.startsWith("#")) {
      const comment = content.slice(1).trim();
      entries.push({ op: "comment", line, timeNs: null, text: comment });
      continue;
    }
    const place = { file, line };
    const fields = new LineFields(raw, place, isCut && line === lines.length);
    if (isHeader(fields)) {
      if (header !== null || entries.some(({ op }) => op !== "comment")) {
        fields.fail(null, "a header after calls", "describe devices and machine on the first line");
      }
      header = headerOf(fields);
      unit = timeUnitOf(fields);
      continue;
    }
    anySeconds ||= isSeconds(fields.get("t"));
    const entry = entryOf(fields, line, header?.devices ?? []);
    if (entry !== null) entries.push(entry);
  }
  const inSeconds = unit === null ? anySeconds : unit === "s";
  if (!entries.some(({ op }) => op !== "comment")) {
    throw new UsageError("no calls in it", {
      place: { file },
      hint: "a log has one call a line as a JSON object; README.md describes it",
    });
  }
  return {
    file,
    header: header ?? EMPTY_HEADER,
    entries: inSeconds ? entries.map(toNanoseconds) : entries,
  };
}

/** strace prints seconds with a fraction; nanoseconds have none. */
function isSeconds(t: unknown): boolean {
  if (typeof t === "string") return t.includes(".");
  return typeof t === "number" && !Number.isInteger(t);
}

function toNanoseconds(entry: LogEntry): LogEntry {
  return entry.timeNs === null ? entry : { ...entry, timeNs: entry.timeNs * NS_PER_S };
}
