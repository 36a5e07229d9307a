/** Which keys exist at a place of the scenario file, read off its JSON Schema, for hints. */
import type { Path } from "./issues.ts";
import { scenarioJsonSchema } from "./schema.ts";

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

export function knownKeys(path: Path): string[] {
  let node: SchemaNode | undefined = scenarioJsonSchema() as SchemaNode;
  for (const part of path) {
    node = typeof part === "number" ? node?.items : node?.properties?.[part];
  }
  const ways = [node, ...(node?.anyOf ?? [])];
  return ways.flatMap((way) => Object.keys(way?.properties ?? {}));
}
