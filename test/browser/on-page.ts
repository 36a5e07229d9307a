/** What the browser tests look for in a page; runs there, so that it may use nothing else. */

/** As much of the DOM as is used here: tests are compiled without a browser's types. */
interface Box {
  readonly left: number;
  readonly right: number;
  readonly width: number;
  readonly height: number;
}
interface Element {
  readonly textContent: string;
  readonly parentElement: Element | null;
  getBoundingClientRect(): Box;
  querySelectorAll(selector: string): Iterable<Element>;
}
interface Drawn {
  readonly viewBox: { readonly baseVal: { readonly width: number } };
}
interface View {
  readonly innerWidth: number;
  readonly document: Element & {
    readonly documentElement: { readonly scrollWidth: number };
    readonly body: Element;
  };
  getComputedStyle(element: Element): {
    readonly color: string;
    readonly backgroundColor: string;
    readonly fill: string;
    readonly fontSize: string;
  };
}

export interface Found {
  readonly pageWidth: number;
  readonly plots: number;
  /** Plots that reach beyond the window. */
  readonly cutPlots: string[];
  /** CSS pixels, as shown: plots may be scaled down. */
  readonly smallestText: number;
  readonly background: string;
  /** One element of each kind of text, with its colour and that behind it. */
  readonly texts: { readonly what: string; readonly colour: string; readonly behind: string }[];
}

export function foundOnPage(): Found {
  const view = globalThis as unknown as View;
  const { document } = view;
  const shown = (element: Element): boolean => element.getBoundingClientRect().width > 0;
  const plots = [...document.querySelectorAll("figure svg.plot")].filter(shown);
  const behind = (element: Element): string => {
    for (let at: Element | null = element; at !== null; at = at.parentElement) {
      const { backgroundColor } = view.getComputedStyle(at);
      if (backgroundColor !== "rgba(0, 0, 0, 0)") return backgroundColor;
    }
    return "none";
  };
  const kinds = ["p", "h1", "h2", "td", "th", "a", "summary", ".note", ".sub", ".verdict strong"];
  kinds.push("figcaption", ".figures span", ".figures b", ".advice", "code", "li");
  const texts = kinds.flatMap((what) => {
    const first = [...document.querySelectorAll(what)].find(shown);
    if (first === undefined) return [];
    return [{ what, colour: view.getComputedStyle(first).color, behind: behind(first) }];
  });
  let smallestText = Number.POSITIVE_INFINITY;
  for (const plot of plots) {
    const label = [...plot.querySelectorAll("text")][0];
    if (label === undefined) continue;
    const drawn = (plot as unknown as Drawn).viewBox.baseVal.width;
    const scale = plot.getBoundingClientRect().width / drawn;
    const size = Number.parseFloat(view.getComputedStyle(label).fontSize) * scale;
    smallestText = Math.min(smallestText, size);
  }
  return {
    pageWidth: document.documentElement.scrollWidth,
    plots: plots.length,
    cutPlots: plots
      .map((plot) => plot.getBoundingClientRect())
      .filter(({ left, right }) => left < 0 || right > view.innerWidth)
      .map(({ left, right }) => `${left} to ${right}`),
    smallestText,
    background: behind(document.body),
    texts,
  };
}

/** Contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio"). */
export function contrastOf(one: string, other: string): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

function luminance(colour: string): number {
  const channels = colour
    .match(/[\d.]+/g)!
    .slice(0, 3)
    .map((text) => Number(text) / 255);
  const [r, g, b] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}
