/** Numbers the interrupts of a guest's devices: one row each in ledgers and stamp tables. */

/** Rows of one device: row `base` is INTx, then `msi` MSI vectors, then `msix` MSI-X vectors. */
export interface DeviceRows {
  readonly device: string;
  readonly base: number;
  readonly msi: number;
  readonly msix: number;
}

export type IrqKind = "intx" | "msi" | "msix";

/** Rows one device takes. */
export function rowCount(rows: Pick<DeviceRows, "msi" | "msix">): number {
  return 1 + rows.msi + rows.msix;
}

/** The row of vector `vector` of `kind`. */
export function rowOf(rows: DeviceRows, kind: IrqKind, vector: number): number {
  if (kind === "intx") return rows.base;
  return kind === "msi" ? rows.base + 1 + vector : rows.base + 1 + rows.msi + vector;
}

/** Lays out the rows of several devices behind each other. */
export function layoutRows(
  devices: readonly { name: string; msi: number; msix: number }[],
): DeviceRows[] {
  let base = 0;
  return devices.map(({ name, msi, msix }) => {
    const rows = { device: name, base, msi, msix };
    base += rowCount(rows);
    return rows;
  });
}

/** What a row is, for people: `nvme0 msix[3]`. */
export function rowName(layout: readonly DeviceRows[], row: number): string {
  for (const rows of layout) {
    const at = row - rows.base;
    if (at < 0 || at >= rowCount(rows)) continue;
    if (at === 0) return `${rows.device} intx`;
    if (at <= rows.msi) return `${rows.device} msi[${at - 1}]`;
    return `${rows.device} msix[${at - 1 - rows.msi}]`;
  }
  return `row ${row}`;
}
