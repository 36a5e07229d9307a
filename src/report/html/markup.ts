/** Markup from templates in which every value is escaped, unless it is markup itself. */

/** Text that a browser may read as it is. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Value = Markup | string | number | null | readonly Value[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Characters that a name has no use for: controls, and those that turn the direction of writing,
 * with which a name could disguise what stands beside it.
 */
const DISGUISE =
  /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff](?![\udc00-\udfff])/gu;

/** `text` with everything harmless in it that came from a scenario or a file. */
export function plain(text: string): string {
  return text.replace(/[\t\r\n]+/g, " ").replace(DISGUISE, "\ufffd");
}

export function escapeText(text: string): string {
  return plain(text).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function textOf(value: Value): string {
  if (value === null) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(textOf).join("");
  return escapeText(String(value));
}

/** A template tag: `html\`<b>${name}</b>\``. Attribute values have to stand in double quotes. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Markup {
  let text = strings[0]!;
  values.forEach((value, i) => {
    text += textOf(value) + strings[i + 1]!;
  });
  return new Markup(text);
}
