/** Colours of holders can be told apart in both schemes, with any kind of colour vision. */
import { describe, expect, it } from "vitest";
import { STYLE } from "../../../../../src/report/html/style.ts";

type Rgb = readonly [number, number, number];

/** Machado, Oliveira and Fernandes 2009, severity 1; they act on linear RGB. */
const VISIONS: Readonly<Record<string, readonly number[]>> = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [
    0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998,
  ],
  deuteranopia: [
    0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881,
  ],
  tritanopia: [
    1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039,
  ],
};

function linear(hex: string): Rgb {
  const full = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, "$&$&") : hex;
  return [1, 3, 5].map((at) => {
    const c = Number.parseInt(full.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as unknown as Rgb;
}

function seen([r, g, b]: Rgb, m: readonly number[]): Rgb {
  const at = (row: number): number =>
    Math.min(1, Math.max(0, m[row]! * r + m[row + 1]! * g + m[row + 2]! * b));
  return [at(0), at(3), at(6)];
}

/** CIE 1976 L*a*b* under D65. */
function lab([r, g, b]: Rgb): Rgb {
  const f = (t: number): number =>
    t > 216 / 24389 ? Math.cbrt(t) : (t * 24389) / 27 / 116 + 16 / 116;
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function distance(a: Rgb, b: Rgb): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** Blocks of variables: light, dark, paper. */
const SCHEMES = STYLE.match(/:root\{[^}]*\}/g)!;

function colourOf(scheme: string, name: string): string {
  return new RegExp(`--${name}:(#[0-9a-f]{3,6})`).exec(scheme)![1]!;
}

describe.each(["light", "dark"])("%s", (which) => {
  const scheme = SCHEMES[which === "light" ? 0 : 1]!;

  it.each(Object.keys(VISIONS))("colours of holders differ with %s", (vision) => {
    const names = ["c0", "c1", "c2", "c3", "c4", "c5", "others", "boot"];
    const colours = names.map((name) =>
      lab(seen(linear(colourOf(scheme, name)), VISIONS[vision]!)),
    );
    colours.forEach((one, i) => {
      colours.slice(0, i).forEach((other, j) => {
        expect(distance(one, other), `${names[i]} and ${names[j]}`).toBeGreaterThan(10);
      });
    });
  });

  it.each(Object.keys(VISIONS))("modes of guests differ with %s", (vision) => {
    const names = ["booting", "msix", "msi", "intx", "idle", "crashed"];
    const colours = names.map((name) =>
      lab(seen(linear(colourOf(scheme, name)), VISIONS[vision]!)),
    );
    colours.forEach((one, i) => {
      colours.slice(0, i).forEach((other, j) => {
        expect(distance(one, other), `${names[i]} and ${names[j]}`).toBeGreaterThan(10);
      });
    });
  });

  it("heat grows by steps of lightness, so that it is seen without colour", () => {
    const steps = [0, 1, 2, 3, 4, 5].map((n) => lab(linear(colourOf(scheme, `h${n}`)))[0]);
    for (let i = 1; i < steps.length; i++) {
      const step = steps[i]! - steps[i - 1]!;
      expect(which === "light" ? -step : step, `step ${i}`).toBeGreaterThan(3);
    }
  });
});

it("paper has the colours of light", () => {
  expect(SCHEMES[2]!.replace("color-scheme:light;", "").replace(/\s/g, "")).toBe(
    SCHEMES[0]!
      .replace("color-scheme:lightdark;", "")
      .replace("color-scheme:light dark;", "")
      .replace(/\s/g, ""),
  );
});
