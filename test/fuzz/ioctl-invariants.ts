/** What must hold of a host whatever its guests do: its pool against what its devices hold. */
import type { DeviceInspection, HostMachine, HostReport } from "../../src/run/contract.ts";
import type { DeviceSpec, HostSpec } from "../../src/scenario/types.ts";
import { PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX } from "../../src/uapi/pci-regs.ts";
import { expectThat } from "./bed.ts";
import { checkPool, checkVectors, type Holding } from "./pool-invariants.ts";

const PCI_CAPABILITY_LIST = 0x34;
const MSI_ENABLE = 0x0001;
const MSIX_ENABLE = 0x8000;

/** What the invariants have to know of a device that its host does not tell. */
export interface DeviceState {
  readonly spec: DeviceSpec;
  /** Somebody has it open, as far as its process knows. */
  readonly open: boolean;
}

/** Holds at every instant, calls under way or not. */
export function checkAlways(
  host: HostMachine,
  spec: HostSpec,
  devices: readonly DeviceState[],
  { pool }: HostReport,
): void {
  const holdings: Holding[] = [];
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
    holdings.push({ device, kind, held: held.length });
  }
  checkPool(host, spec, holdings, pool);
}

/** Holds when no call is under way. */
export function checkIdle(
  host: HostMachine,
  spec: HostSpec,
  devices: readonly DeviceState[],
): void {
  const use = { held: 0, withVector: 0, intx: 0 };
  for (const { spec: device, open } of devices) {
    const state = host.inspect(device.name);
    checkModes(device.name, state, open);
    // Other policies may give all irqs back while the mode stays on.
    const empty = state.kind !== null && state.held.length === 0;
    const odd = empty && (state.kind === "msi" || spec.retention === "cache");
    expectThat(!odd, () => `${device.name} has ${state.kind} on and holds nothing`);
    checkHeldShape(device.name, state, spec);
    use.held += state.held.length;
    // What cannot be masked has its vector for as long as it is held.
    use.withVector += state.kind === "msi" ? state.held.length : state.armed.length;
    if (state.intx) use.intx++;
  }
  checkVectors(host, use);
}

/** At most one mode is on, and the function's registers say the same as the kernel's books. */
function checkModes(name: string, state: DeviceInspection, open: boolean): void {
  const { held, kind, armed, intx, config } = state;
  const none = held.length === 0 && armed.length === 0 && !intx && kind === null;
  expectThat(open || none, () => `${name} is closed: ${kind} ${held}, handlers ${armed}`);
  expectThat(!(intx && kind !== null), () => `${name} has INTx and ${kind} on`);
  const msix = enableBit(config, PCI_CAP_ID_MSIX, MSIX_ENABLE);
  const msi = enableBit(config, PCI_CAP_ID_MSI, MSI_ENABLE);
  expectThat(msix === (kind === "msix"), () => `${name}: MSI-X enable is ${msix}, mode ${kind}`);
  // The guest may turn off an MSI that the kernel has on.
  expectThat(!msi || kind === "msi", () => `${name}: MSI enable is set, mode ${kind}`);
}

function checkHeldShape(name: string, { held, kind }: DeviceInspection, spec: HostSpec): void {
  const dynamic = spec.kernel !== "linux-6.1" && spec.platform.startsWith("x86-");
  if (kind !== "msi" && dynamic) return;
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
export function checkFates({ guests }: HostReport): void {
  for (const { name, raised, fates } of guests) {
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
