/** From a scenario to what each side needs: guest plans, rows, doorbells, border sizes. */
import { assert } from "../base/assert.ts";
import { FateCounts } from "../measure/fates.ts";
import { layoutRows, rowCount } from "../measure/rows.ts";
import type { DeviceSpec, GuestSpec, RunSpec, Scenario } from "../scenario/types.ts";
import type { BorderShape } from "../shm/border.ts";
import type { GuestPlan } from "./contract.ts";

/** Slots of 1 KiB: the largest message, a SET_IRQS of 2,048 fds, fits nine of them. */
const RING = { slots: 32, slotBytes: 1024 };

/** eventfds beside the vectors' own: INTx, resample, ERR, REQ, and some the VMM may leak. */
const SPARE_EVENTFDS = 48;

/** Each guest's plan, in the scenario's order. */
export function planGuests(scenario: Scenario): GuestPlan[] {
  const byName = new Map(scenario.devices.map((device) => [device.name, device]));
  return scenario.guests.map((spec) => planGuest(spec, byName, scenario.run));
}

function planGuest(
  spec: GuestSpec,
  byName: ReadonlyMap<string, DeviceSpec>,
  { stages, warmupNs, breakOnNs }: RunSpec,
): GuestPlan {
  const devices = spec.devices.map((name) => {
    const device = byName.get(name);
    assert(device !== undefined, `guest ${spec.name}: no device ${name}`);
    return device;
  });
  const rows = layoutRows(
    devices.map(({ name, msiVectors, msixVectors }) => ({
      name,
      msi: msiVectors,
      msix: msixVectors,
    })),
  );
  let base = 0;
  const doorbells = devices.map((device) => {
    const range = { base, count: doorbellsOf(device) };
    base += range.count;
    return range;
  });
  return {
    spec,
    devices,
    rows,
    doorbells,
    stages,
    ...(warmupNs === undefined ? {} : { warmupNs }),
    ...(breakOnNs === undefined ? {} : { breakOnNs }),
  };
}

/**
 * As many as host/device's models have. An nvme queue has two, submission tail and completion head,
 * two queues at least; a nic's one says that its causes were read; an idxd has eight portals.
 */
function doorbellsOf(device: DeviceSpec): number {
  switch (device.model) {
    case "nvme":
      return 2 * Math.max(2, device.msixVectors, device.msiVectors);
    case "nic":
      return 1;
    case "idxd":
      return 8;
    default:
      return 0;
  }
}

/** The shared memory a guest needs. */
export function borderShape(plan: GuestPlan): BorderShape {
  const vectors = plan.rows.reduce((sum, { msi, msix }) => sum + msi + msix, 0);
  const rows = plan.rows.reduce((sum, device) => sum + rowCount(device), 0);
  return {
    eventfds: 2 * vectors + SPARE_EVENTFDS * plan.devices.length,
    doorbells: plan.doorbells.reduce((sum, { count }) => sum + count, 0),
    vcpus: plan.spec.vcpus,
    rows,
    fateDoubles: FateCounts.length(rows),
    ring: RING,
  };
}
