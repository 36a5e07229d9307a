/** How a command's page is to look: the width of the terminal, and whether it may have colours. */
import { COLOURED, PLAIN, type Style } from "../report/style.ts";
import type { Io } from "./io.ts";

/** Where nobody says how wide a line may be, and the least that a page is made for. */
const WIDTH_DEFAULT = 100;
const WIDTH_MIN = 60;
const WIDTH_MAX = 240;

/** Columns of a page. */
export function widthOf(io: Io): number {
  return Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, io.outColumns ?? WIDTH_DEFAULT));
}

/** Colours on a terminal whose user has not refused them (no-color.org). */
export function styleFor(io: Io): Style {
  return io.outIsTty && io.noColor !== true ? COLOURED : PLAIN;
}
