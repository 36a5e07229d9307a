/** JSON for people and diff tools: keys sorted, short things on one line, the same bytes always. */

const WIDTH = 100;

/** `value` as JSON with a newline at its end; `schema` comes first, other keys are sorted. */
export function canonicalJson(value: unknown): string {
  return `${render(JSON.parse(JSON.stringify(value)), 0)}\n`;
}

function compareKeys([a]: [string, unknown], [b]: [string, unknown]): number {
  if (a === "schema" || b === "schema") return a === "schema" ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function render(value: unknown, depth: number): string {
  const line = oneLine(value);
  const pad = "  ".repeat(depth);
  if (typeof value !== "object" || value === null || pad.length + line.length <= WIDTH) return line;
  const inner = `${pad}  `;
  const parts = Array.isArray(value)
    ? itemLines(value, inner, depth)
    : Object.entries(value)
        .sort(compareKeys)
        .map(([key, item]) => `${inner}${JSON.stringify(key)}: ${render(item, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  return `${open}\n${parts.join(",\n")}\n${pad}${close}`;
}

/** An item a line, but numbers fill their lines: a histogram or a series would be a column. */
function itemLines(items: readonly unknown[], inner: string, depth: number): string[] {
  if (!items.every((item) => typeof item === "number")) {
    return items.map((item) => inner + render(item, depth + 1));
  }
  const lines: string[] = [];
  let line = "";
  for (const item of items) {
    const text = JSON.stringify(item);
    if (line !== "" && inner.length + line.length + text.length + 3 > WIDTH) {
      lines.push(inner + line);
      line = "";
    }
    line += line === "" ? text : `, ${text}`;
  }
  return [...lines, inner + line];
}

function oneLine(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  const entries = Object.entries(value).sort(compareKeys);
  if (entries.length === 0) return "{}";
  const parts = entries.map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`);
  return `{ ${parts.join(", ")} }`;
}
