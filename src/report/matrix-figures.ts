/** Figures of a policy matrix as people read them. */
import { formatCount, formatNs } from "../base/units.ts";
import type { MatrixCell, MatrixFigure, MatrixUnit, PolicyMatrix } from "./policy-matrix.ts";

export function figureText(value: number, unit: MatrixUnit): string {
  switch (unit) {
    case "ns":
      return formatNs(value);
    case "seconds":
      return formatNs(value * 1e9);
    case "share":
      return `${(100 * value).toFixed(1)} %`;
    case "ratio":
      return value.toFixed(2);
    case "count":
    case "irte-seconds":
      if (value === twoDigits(value) && value >= 0.001 && value < 100) return `${value}`;
      return Number.isInteger(value) || Math.abs(value) >= 100
        ? formatCount(value)
        : value.toFixed(Math.abs(value) < 1 ? 3 : 1);
  }
}

/** How much of a half interval says something. */
function twoDigits(value: number): number {
  return Number(value.toPrecision(2));
}

/** What a figure counts, for the head of a column; "" where each value says so itself. */
export function unitText(unit: MatrixUnit): string {
  return unit === "irte-seconds" ? "IRTE-s" : "";
}

/** `12 ± 2`, `12 (10 to 15)`: the mean and, if there is one, its interval. */
export function intervalText(figure: MatrixFigure | null | undefined, unit: MatrixUnit): string {
  if (figure === null || figure === undefined) return "-";
  const mean = figureText(figure.mean, unit);
  const { low, high } = figure;
  if (low === undefined || high === undefined || low === high) return mean;
  const [below, above] = [figure.mean - low, high - figure.mean];
  if (Math.abs(above - below) < 1e-6 * (above + below)) {
    return `${mean} \u00b1 ${figureText(twoDigits(above), unit)}`;
  }
  return `${mean} (${figureText(low, unit)} to ${figureText(high, unit)})`;
}

/** As short as a field of a heat map needs it; thousands have no digits after the point. */
export function shortText(value: number, unit: MatrixUnit): string {
  if (unit !== "count" && unit !== "irte-seconds") return figureText(value, unit);
  if (Number.isInteger(value) || Math.abs(value) >= 100) return formatCount(value);
  return Math.abs(value) < 0.1 ? value.toPrecision(1) : value.toFixed(1);
}

export function cellOf(
  { cells }: PolicyMatrix,
  policy: string,
  vmm: string,
  topology: string,
): MatrixCell | undefined {
  return cells.find(
    (cell) => cell.policy === policy && cell.vmm === vmm && cell.topology === topology,
  );
}
