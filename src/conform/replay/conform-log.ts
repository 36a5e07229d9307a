/** An ioctl log among the recordings: every answer compared with the model's. */
import type { CreateHost } from "../../run/contract.ts";
import type { Divergence } from "../compare.ts";
import { readText } from "../files.ts";
import { parseIoctlLog } from "./log-parser.ts";
import { hostOf, replayLog } from "./replay.ts";
import { entryText } from "./rows.ts";

/** True if a file's name is that of a log: NAME.log.jsonl. */
export function isIoctlLog(path: string): boolean {
  return path.endsWith(".log.jsonl");
}

/** Null for the log of a kernel that was not asked for. */
export function conformLog(
  path: string,
  { createHost, kernel }: { readonly createHost: CreateHost; readonly kernel?: string },
): { ops: number; divergences: readonly Divergence[] } | null {
  const log = parseIoctlLog(readText(path), path);
  if (kernel !== undefined && hostOf(log, {}, []).kernel !== kernel) return null;
  const { calls, divergences } = replayLog(log, { createHost }, entryText);
  return {
    ops: calls,
    divergences: divergences.map(({ call, ...rest }) => ({ file: path, op: call, ...rest })),
  };
}
