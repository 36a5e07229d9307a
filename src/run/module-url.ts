/** Modules by their path from the root: from sources or from dist, as who asks. */

/** The module `path`, without extension; `from` is the import.meta.url of a file in src/run. */
export function moduleUrl(path: string, from: string): URL {
  return new URL(`../../${path}${from.endsWith(".ts") ? ".ts" : ".js"}`, from);
}
