/** The few colours of a report (ECMA-48 SGR), or none. */

export interface Style {
  readonly bold: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
}

const plain = (text: string): string => text;

export const PLAIN: Style = { bold: plain, good: plain, bad: plain, warn: plain };

function sgr(code: number): (text: string) => string {
  return (text) => `\u001b[${code}m${text}\u001b[0m`;
}

export const COLOURED: Style = { bold: sgr(1), good: sgr(32), bad: sgr(31), warn: sgr(33) };
