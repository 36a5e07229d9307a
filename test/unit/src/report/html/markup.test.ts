/** Nothing that is put into a template can become markup. */
import fc from "fast-check";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { escapeText, html, Markup, plain } from "../../../../../src/report/html/markup.ts";

describe("a template", () => {
  it("escapes values, and leaves markup as it is", () => {
    const inner = html`<b>${"<&>\"'"}</b>`;
    expect(html`<p title="${'a"b'}">${inner}${null}${[1, "<"]}</p>`.text).toBe(
      '<p title="a&quot;b"><b>&lt;&amp;&gt;&quot;&#39;</b>1&lt;</p>',
    );
  });

  it("shows any text as that text, in elements and in attributes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const { document } = parseHTML(html`<p title="${text}">${text}</p>`.text);
        const [element] = document.querySelectorAll("*");
        expect(document.querySelectorAll("*").length).toBe(1);
        expect(element!.textContent).toBe(plain(text));
        expect(element!.getAttribute("title")).toBe(plain(text));
      }),
      { seed: 3 },
    );
  });

  it("makes characters visible that could disguise others", () => {
    expect(escapeText("a\u202eb\u0000c\ud800d\u2066")).toBe("a\ufffdb\ufffdc\ufffdd\ufffd");
    expect(escapeText("line\nbreak\tand tab")).toBe("line break and tab");
    expect(escapeText("Grüße, 東京, \u{1f600}")).toBe("Grüße, 東京, \u{1f600}");
    expect(new Markup("<i>").text).toBe("<i>");
  });
});
