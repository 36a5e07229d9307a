/** YAML 1.2 text to plain data, and from a path in the data back to its line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import { type InputPlace, UsageError } from "../base/errors.ts";
import type { Path } from "./issues.ts";

/** More is no scenario, but somebody's mistake. */
const TEXT_LENGTH_MAX = 1 << 20;

export interface YamlSource {
  readonly data: unknown;
  /** Place of the value at `path`, or of its key; of what is around it if it is absent. */
  place(path: Path, atKey?: boolean): InputPlace;
}

/** Throws UsageError at the first place that is not YAML. */
export function readYaml(text: string, file: string): YamlSource {
  if (text.length > TEXT_LENGTH_MAX) {
    throw new UsageError("longer than 1 MiB: not a scenario", { place: { file } });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const placeOf = (offset: number): InputPlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const message = problem.message.split("\n", 1)[0]!;
    const hint = problem.code === "DUPLICATE_KEY" ? "keep one of the two" : undefined;
    const place = placeOf(problem.pos[0]);
    throw new UsageError(`not YAML: ${message}`, hint === undefined ? { place } : { place, hint });
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`not usable YAML: ${(error as Error).message}`, { place: { file } });
  }
  return { data, place: (path, atKey) => placeOf(offsetOf(document, path, atKey === true)) };
}

function offsetOf(document: Document, path: Path, atKey: boolean): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  path.forEach((part, depth) => {
    if (isAlias(node)) node = node.resolve(document) ?? null;
    const wantsKey = atKey && depth === path.length - 1;
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(part),
      );
      if (pair === undefined) {
        node = null;
        return;
      }
      const value = pair.value as Node | null;
      const at = wantsKey || value === null ? (pair.key as Node) : value;
      offset = at.range?.[0] ?? offset;
      node = value;
      return;
    }
    const item = isSeq(node) && typeof part === "number" ? (node.items[part] as Node | null) : null;
    if (item !== null && item !== undefined) offset = item.range?.[0] ?? offset;
    node = item ?? null;
  });
  return offset;
}
