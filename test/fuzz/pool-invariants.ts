/** What a platform's pool must count, given what its devices hold. */
import { RECORDED_ARM64_BOOT_USE, RECORDED_BOOT_USE } from "../../host/irq/platform.ts";
import type { HostMachine, PoolReport } from "../../src/run/contract.ts";
import type { DeviceSpec, HostSpec } from "../../src/scenario/types.ts";
import { expectThat } from "./bed.ts";

/** Entries of the IO-APIC's own in its AMD-Vi table, which are no interrupts. */
const AMD_IOAPIC_RESERVED = 32;

/** What one device has. */
export interface Holding {
  readonly device: DeviceSpec;
  readonly kind: "msi" | "msix" | null;
  readonly held: number;
}

/** Irqs of all devices; those that have a CPU vector; devices with INTx on. */
export interface VectorUse {
  readonly held: number;
  readonly withVector: number;
  readonly intx: number;
}

function roundUpPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}

function sumOf(holdings: readonly Holding[], count: (holding: Holding) => number): number {
  return holdings.reduce((sum, holding) => sum + (holding.held > 0 ? count(holding) : 0), 0);
}

/** Holds at every instant, calls under way or not. */
export function checkPool(
  host: HostMachine,
  spec: HostSpec,
  holdings: readonly Holding[],
  { irtesUsed }: PoolReport,
): void {
  const { irqs, tables } = host.inspectPool();
  const held = sumOf(holdings, (holding) => holding.held);
  expectThat(irqs === held, () => `the pool counts ${irqs} irqs, devices hold ${held}`);
  for (const table of tables) {
    const free = table.free.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    expectThat(table.used + free === table.size, () => `${table.name}: ${free} free ${table.used}`);
  }
  if (spec.platform === "arm64-its") checkLpis(host, holdings);
  else if (spec.platform === "arm64-v2m") checkSpis(host, held);
  else {
    checkMatrix(host, spec);
    checkRemapping(host, spec, holdings, irtesUsed);
  }
}

/** CPU vectors are conserved: free, or in use; what came and went adds up. */
function checkMatrix(host: HostMachine, spec: HostSpec): void {
  const boot = RECORDED_BOOT_USE;
  const matrix = host.inspectPool().matrix!;
  const { globalAvailable, globalReserved, totalAllocated, ...events } = matrix;
  const size = spec.cpus * spec.vectorsPerCpu;
  const conserved = globalAvailable + totalAllocated === size;
  expectThat(conserved, () => `${globalAvailable} free + ${totalAllocated} used are not ${size}`);
  const allocated = events.alloc - events.free === totalAllocated - boot.vectors;
  expectThat(allocated, () => `${totalAllocated} vectors in use after ${JSON.stringify(events)}`);
  // An allocation turns a reservation into a vector.
  const reserved = boot.reservations + events.reserve - events.unreserve - events.alloc;
  expectThat(globalReserved === reserved, () => `${globalReserved} reserved, not ${reserved}`);
}

/** Every remapping entry in use is an irq's or an open line's; VT-d's MSI takes whole blocks. */
function checkRemapping(
  host: HostMachine,
  { platform }: HostSpec,
  holdings: readonly Holding[],
  irtesUsed: number,
): void {
  if (platform === "x86-flat") return;
  const boot = RECORDED_BOOT_USE;
  const { lines, tables } = host.inspectPool();
  const blocks = sumOf(holdings, ({ kind, held }) => {
    return platform === "x86-vtd" && kind === "msi" ? roundUpPowerOfTwo(held) : held;
  });
  const expected = boot.irtes + blocks + lines - boot.lines.length;
  expectThat(irtesUsed === expected, () => `${irtesUsed} entries used, ${expected} accounted for`);
  const used = tables.reduce((sum, table) => sum + table.used, 0);
  const reserved = platform === "x86-amd" ? AMD_IOAPIC_RESERVED : 0;
  expectThat(used === irtesUsed + reserved, () => `tables count ${used}, not ${irtesUsed}`);
}

/** A device has one block of LPIs, not less than its irqs, not more than it could ever use. */
function checkLpis(host: HostMachine, holdings: readonly Holding[]): void {
  const { used } = host.inspectPool().tables[0]!;
  const least = sumOf(holdings, ({ held }) => held);
  const most = holdings.reduce((sum, { device }) => sum + largestBlock(device), 0);
  const taken = used - RECORDED_ARM64_BOOT_USE.irtes;
  expectThat(taken >= least, () => `${taken} LPIs in blocks, ${least} irqs`);
  expectThat(taken <= most, () => `${taken} LPIs in blocks, ${most} can be of any use`);
}

/** An SPI a vector. */
function checkSpis(host: HostMachine, held: number): void {
  const { used } = host.inspectPool().tables[0]!;
  const expected = RECORDED_ARM64_BOOT_USE.irtes + held;
  expectThat(used === expected, () => `${used} SPIs used, ${expected} accounted for`);
}

function largestBlock({ msiVectors, msixVectors }: DeviceSpec): number {
  return roundUpPowerOfTwo(Math.max(1, msiVectors, msixVectors));
}

/** Holds when no call is under way: who has a handler has a vector, who has none a reservation. */
export function checkVectors(host: HostMachine, { held, withVector, intx }: VectorUse): void {
  const { lines, matrix } = host.inspectPool();
  if (matrix === null) return;
  const boot = RECORDED_BOOT_USE;
  const inUse = matrix.totalAllocated - boot.vectors - withVector;
  // Lines are shared, so that devices with a handler are only an upper limit.
  const fits = inUse >= Math.min(1, intx) && inUse <= intx;
  expectThat(fits, () => `${inUse} vectors of lines, ${intx} devices with INTx`);
  const openLines = lines - boot.lines.length;
  const reserved = boot.reservations + (held - withVector) + openLines - inUse;
  const right = matrix.globalReserved === reserved;
  expectThat(right, () => `${matrix.globalReserved} vectors reserved, ${reserved} accounted for`);
}

/** True if this kernel's own bugs may cost LPIs. */
function leaksLpis({ platform, fixed }: HostSpec): boolean {
  return platform === "arm64-its" && (fixed ?? []).length === 0;
}

/** What the pool holds, as a text to compare: how often things happened is left out. */
export function poolState(host: HostMachine, spec: HostSpec): string {
  const { irqs, lines, matrix, tables } = host.inspectPool();
  const { globalAvailable, globalReserved, totalAllocated } = matrix ?? {};
  // AMD-Vi keeps a device's table once it has made one.
  const inUse = tables.filter(({ name, used }) => used > 0 || name === "IR0");
  const counts = { irqs, lines, globalAvailable, globalReserved, totalAllocated };
  return JSON.stringify({ ...counts, tables: leaksLpis(spec) ? [] : inUse });
}

/** Everybody is gone: the pool is as `boot` says, but for what the kernel leaks by known bugs. */
export function checkAsAtBoot(
  host: HostMachine,
  spec: HostSpec,
  devices: readonly DeviceSpec[],
  boot: string,
): void {
  const pool = poolState(host, spec);
  expectThat(pool === boot, () => `the pool was ${boot}, is ${pool}`);
  if (!leaksLpis(spec)) return;
  const leaked = host.inspectPool().tables[0]!.used - RECORDED_ARM64_BOOT_USE.irtes;
  // Only multi-MSI is ever leaked, and of it no more than a device's one block.
  const culprits = devices.filter(({ msiVectors }) => msiVectors > 1);
  const most = culprits.reduce((sum, device) => sum + largestBlock(device), 0);
  expectThat(leaked <= most, () => `${leaked} LPIs leaked, known bugs cost ${most} at most`);
}
