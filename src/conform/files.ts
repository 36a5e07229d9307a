/** Finds recordings, their scripts, and the list of those that are not to be trusted. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../base/errors.ts";
import type { Exemption } from "./compare.ts";

/** All `.jsonl` files in `paths`, directories searched to the bottom, in order of name. */
export function findRecordings(paths: readonly string[]): string[] {
  const found = paths.flatMap((path) => {
    if (!existsSync(path)) {
      throw new UsageError("no such file or directory", {
        place: { file: path },
        hint: "give a .jsonl recording or a directory of them",
      });
    }
    return statSync(path).isDirectory() ? inDirectory(path) : [path];
  });
  if (found.length > 0) return found;
  throw new UsageError("no recordings in it", {
    place: { file: paths.join(" ") },
    hint: "a recording's name ends in .jsonl",
  });
}

function inDirectory(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return inDirectory(path);
      return entry.name.endsWith(".jsonl") ? [path] : [];
    });
}

export function readText(path: string): string {
  return readFileSync(path, "utf8");
}

/** The file's text, or null if there is none. */
export function readTextIfPresent(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** What unreliable.json beside the recording's folder says of it. */
export function exemptionOf(recording: string, key: string): Exemption {
  const list = join(dirname(dirname(resolve(recording))), "unreliable.json");
  const text = readTextIfPresent(list);
  if (text === null) return {};
  try {
    return (JSON.parse(text) as Record<string, Exemption>)[key] ?? {};
  } catch {
    throw new UsageError("not JSON", { place: { file: list } });
  }
}
