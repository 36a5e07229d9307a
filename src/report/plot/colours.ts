/**
 * Who has which colour in all plots of a page. Colours are CSS variables, so that light, dark and
 * paper have their own; style.ts has the values.
 */

/** Holders with a colour of their own; they are distinguishable without red-green vision, too. */
export const COLOURS = 6;
export const OTHERS = "var(--others)";
export const BOOT = "var(--boot)";

/** The colour of the `i`th of what is shown, whatever it is. */
export function colour(i: number): string {
  return `var(--c${i % COLOURS})`;
}

/** Colours of devices by name, the same in each plot of a page: the largest holders have one. */
export class DeviceColours {
  readonly #names: readonly string[];

  /** `names` in the order of their importance. */
  constructor(names: readonly string[]) {
    this.#names = names.slice(0, names.length > COLOURS ? COLOURS - 1 : COLOURS);
  }

  /** Devices with a colour of their own. */
  get names(): readonly string[] {
    return this.#names;
  }

  of(name: string): string {
    const i = this.#names.indexOf(name);
    return i < 0 ? OTHERS : colour(i);
  }
}
