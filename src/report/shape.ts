/** The shape of JSON that came from outside: what has to be there, so that reading it is safe. */

/** `?` in front of a key: it may be missing. */
export type Shape =
  | "number"
  | "string"
  | "boolean"
  | "scalar"
  | { readonly nullOr: Shape }
  | { readonly listOf: Shape }
  | { readonly mapOf: Shape }
  | { readonly keys: Readonly<Record<string, Shape>> }
  | { readonly is: string };

/** The first place where `value` differs from `shape`, in words; null: it fits. */
export function misfit(value: unknown, shape: Shape, path = ""): string | null {
  const at = path === "" ? "it" : path;
  if (typeof shape === "string") {
    if (shape === "scalar") {
      return ["number", "string", "boolean"].includes(typeof value) ? null : `${at} is no value`;
    }
    return typeof value === shape ? null : `${at} is no ${shape}`;
  }
  if ("nullOr" in shape) return value === null ? null : misfit(value, shape.nullOr, path);
  if ("is" in shape) return value === shape.is ? null : `${at} is not ${shape.is}`;
  if ("listOf" in shape) {
    if (!Array.isArray(value)) return `${at} is no list`;
    return first(value.map((item, i) => () => misfit(item, shape.listOf, `${path}[${i}]`)));
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return `${at} is no object`;
  }
  const below = (key: string): string => (path === "" ? key : `${path}.${key}`);
  if ("mapOf" in shape) {
    const entries = Object.entries(value);
    return first(
      entries.map(
        ([key, item]) =>
          () =>
            misfit(item, shape.mapOf, below(key)),
      ),
    );
  }
  const found = value as Readonly<Record<string, unknown>>;
  return first(
    Object.entries(shape.keys).map(([marked, inner]) => () => {
      const key = marked.replace(/^\?/, "");
      if (Object.hasOwn(found, key)) return misfit(found[key], inner, below(key));
      return marked === key ? `${below(key)} is missing` : null;
    }),
  );
}

function first(checks: readonly (() => string | null)[]): string | null {
  for (const check of checks) {
    const found = check();
    if (found !== null) return found;
  }
  return null;
}
