/** What must hold of a host whatever its guests do: its pool against what its devices hold. */
import { RECORDED_BOOT_USE } from "../../host/irq/platform.ts";
import type { DeviceInspection, HostMachine } from "../../src/run/contract.ts";
import type { DeviceSpec, HostSpec } from "../../src/scenario/types.ts";
import { PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX } from "../../src/uapi/pci-regs.ts";
import { expectThat } from "./bed.ts";

const PCI_CAPABILITY_LIST = 0x34;
const MSI_ENABLE = 0x0001;
const MSIX_ENABLE = 0x8000;

/** What the invariants have to know of a device that its host does not tell. */
export interface DeviceState {
  readonly spec: DeviceSpec;
  /** Somebody has it open, as far as its process knows. */
  readonly open: boolean;
}

interface Sums {
  irqs: number;
  entries: number;
  vectors: number;
}

function roundUpPowerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}

/** Holds at every instant, calls under way or not. */
export function checkAlways(
  host: HostMachine,
  spec: HostSpec,
  devices: readonly DeviceState[],
): void {
  const sums: Sums = { irqs: 0, entries: 0, vectors: 0 };
  for (const { spec: device } of devices) {
    const { held, kind, armed } = host.inspect(device.name);
    const { name } = device;
    expectThat(
      (kind === null) === (held.length === 0) || held.length === 0,
      () => `${name} ${kind}`,
    );
    const size = kind === "msi" ? device.msiVectors : device.msixVectors;
    const inside = held.every((index) => index >= 0 && index < size);
    expectThat(inside, () => `${name} holds ${held} of ${size} ${kind}`);
    const subset = armed.every((vector) => held.includes(vector));
    expectThat(subset, () => `${name} has handlers for ${armed} and holds ${held}`);
    sums.irqs += held.length;
    if (held.length > 0) sums.entries += entriesOf(spec, kind!, held.length);
  }
  checkPool(host, spec, sums);
}

/** Remapping entries that so many irqs of one device take. */
function entriesOf({ platform }: HostSpec, kind: "msi" | "msix", held: number): number {
  return platform === "x86-vtd" && kind === "msi" ? roundUpPowerOfTwo(held) : held;
}

function checkPool(host: HostMachine, spec: HostSpec, sums: Sums): void {
  const { irqs, lines, matrix, tables } = host.inspectPool();
  const boot = RECORDED_BOOT_USE;
  expectThat(irqs === sums.irqs, () => `the pool counts ${irqs} irqs, devices hold ${sums.irqs}`);
  const { globalAvailable, globalReserved, totalAllocated, ...events } = matrix!;
  const size = spec.cpus * spec.vectorsPerCpu;
  const conserved = globalAvailable + totalAllocated === size;
  expectThat(conserved, () => `${globalAvailable} free + ${totalAllocated} used are not ${size}`);
  const allocated = events.alloc - events.free === totalAllocated - boot.vectors;
  expectThat(allocated, () => `${totalAllocated} vectors in use after ${JSON.stringify(events)}`);
  // An allocation turns a reservation into a vector.
  const reserved = boot.reservations + events.reserve - events.unreserve - events.alloc;
  expectThat(globalReserved === reserved, () => `${globalReserved} reserved, not ${reserved}`);
  const openLines = lines - boot.lines.length;
  let used = 0;
  for (const table of tables) {
    const free = table.free.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    expectThat(table.used + free === table.size, () => `${table.name}: ${free} free ${table.used}`);
    used += table.used;
  }
  if (spec.platform === "x86-flat") return;
  const { irtesUsed } = host.report().pool;
  const expected = boot.irtes + sums.entries + openLines;
  expectThat(irtesUsed === expected, () => `${irtesUsed} entries used, ${expected} accounted for`);
  const ioApicReserved = spec.platform === "x86-amd" ? 32 : 0;
  expectThat(used === irtesUsed + ioApicReserved, () => `tables count ${used}, not ${irtesUsed}`);
}

/** Holds when no call is under way. */
export function checkIdle(
  host: HostMachine,
  spec: HostSpec,
  devices: readonly DeviceState[],
): void {
  let withVector = 0;
  let held = 0;
  let intx = 0;
  for (const { spec: device, open } of devices) {
    const state = host.inspect(device.name);
    checkModes(device.name, state, open);
    checkHeldShape(device.name, state, spec);
    held += state.held.length;
    // What cannot be masked has its vector for as long as it is held.
    withVector += state.kind === "msi" ? state.held.length : state.armed.length;
    if (state.intx) intx++;
  }
  const { lines, matrix } = host.inspectPool();
  const boot = RECORDED_BOOT_USE;
  const inUse = matrix!.totalAllocated - boot.vectors - withVector;
  // Lines are shared, so that devices with a handler are only an upper limit.
  const fits = inUse >= Math.min(1, intx) && inUse <= intx;
  expectThat(fits, () => `${inUse} vectors of lines, ${intx} devices with INTx`);
  const openLines = lines - boot.lines.length;
  const reserved = boot.reservations + (held - withVector) + openLines - inUse;
  const right = matrix!.globalReserved === reserved;
  expectThat(right, () => `${matrix!.globalReserved} vectors reserved, ${reserved} accounted for`);
}

/** At most one mode is on, and the function's registers say the same as the kernel's books. */
function checkModes(name: string, state: DeviceInspection, open: boolean): void {
  const { held, kind, armed, intx, config } = state;
  const none = held.length === 0 && armed.length === 0 && !intx && kind === null;
  expectThat(open || none, () => `${name} is closed: ${kind} ${held}, handlers ${armed}`);
  expectThat(!(intx && kind !== null), () => `${name} has INTx and ${kind} on`);
  expectThat(kind === null || held.length > 0, () => `${name} has ${kind} on and holds nothing`);
  const msix = enableBit(config, PCI_CAP_ID_MSIX, MSIX_ENABLE);
  const msi = enableBit(config, PCI_CAP_ID_MSI, MSI_ENABLE);
  expectThat(msix === (kind === "msix"), () => `${name}: MSI-X enable is ${msix}, mode ${kind}`);
  // The guest may turn off an MSI that the kernel has on.
  expectThat(!msi || kind === "msi", () => `${name}: MSI enable is set, mode ${kind}`);
}

function checkHeldShape(name: string, { held, kind }: DeviceInspection, spec: HostSpec): void {
  if (kind !== "msi" && spec.kernel !== "linux-6.1") return;
  const row = held.every((index, i) => index === i);
  expectThat(row, () => `${name}: ${held} are not the first ${held.length} ${kind}`);
}

/** The enable bit of a capability's control word, two bytes into it. */
function enableBit(config: Uint8Array, id: number, bit: number): boolean {
  let at = config[PCI_CAPABILITY_LIST]!;
  while (at !== 0 && config[at] !== id) at = config[at + 1]!;
  if (at === 0) return false;
  return ((config[at + 2]! | (config[at + 3]! << 8)) & bit) !== 0;
}

/** No interrupt has two fates: per row never more than were raised. */
export function checkFates(host: HostMachine): void {
  for (const { name, raised, fates } of host.report().guests) {
    const perRow = fates.length / raised.length;
    for (let row = 0; row < raised.length; row++) {
      const ended = fates.slice(row * perRow, (row + 1) * perRow);
      const sum = ended.reduce((total, n) => total + n, 0);
      expectThat(
        sum <= raised[row]!,
        () => `${name} row ${row}: ${raised[row]} raised, ${sum} ended`,
      );
      expectThat(Math.min(...ended) >= 0, () => `${name} row ${row}: a negative count`);
    }
  }
}

/** What the pool holds, as a text to compare: how often things happened is left out. */
export function poolState(host: HostMachine): string {
  const { irqs, lines, matrix, tables } = host.inspectPool();
  const { globalAvailable, globalReserved, totalAllocated } = matrix!;
  // AMD-Vi keeps a device's table once it has made one.
  const inUse = tables.filter(({ name, used }) => used > 0 || name === "IR0");
  const counts = { irqs, lines, globalAvailable, globalReserved, totalAllocated };
  return JSON.stringify({ ...counts, tables: inUse });
}
