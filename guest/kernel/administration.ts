/** What an administrator does to running devices: sleep, resets, links, channels, affinity. */
import { EINVAL } from "../../src/base/errno.ts";
import type { TimelineEntry } from "../../src/scenario/types.ts";
import type { Process } from "../../src/time/process.ts";
import type { GuestDriver, NetworkActions } from "../driver/types.ts";
import type { PciDevice } from "./pci-device.ts";

/** System sleep: every driver puts its device to rest, the last one first. */
export function* suspendDevices(drivers: readonly GuestDriver[]): Process {
  for (const driver of [...drivers].reverse()) {
    if (driver.state === "bound") yield* driver.suspend();
  }
}

export function* resumeDevices(drivers: readonly GuestDriver[]): Process {
  for (const driver of drivers) yield* driver.resume();
}

/** A write to the device's `reset`: its driver, if it is bound, is told before and after. */
export function* resetFunction(dev: PciDevice, driver: GuestDriver | null): Process {
  const isBound = driver?.state === "bound";
  if (isBound) yield* driver.resetPrepare();
  yield* dev.resetFunction();
  if (isBound) yield* driver.resetDone();
}

/** Actions of the timeline that ask something of every bound driver that knows it. */
export function* administer(
  drivers: readonly GuestDriver[],
  entry: Omit<TimelineEntry, "at">,
  failed: (driver: GuestDriver, errno: number) => void,
): Process {
  for (const driver of drivers) {
    if (driver.state !== "bound") continue;
    const result =
      entry.do === "set-affinity"
        ? yield* driver.vectors.setAffinity(entry.vector ?? 0, entry.cpus ?? [])
        : yield* networkAction(driver.network, entry);
    if (result < 0) failed(driver, result);
  }
}

function* networkAction(
  network: NetworkActions | null,
  entry: Omit<TimelineEntry, "at">,
): Process<number> {
  if (network === null) return 0;
  switch (entry.do) {
    case "link-up":
      return yield* network.open();
    case "link-down":
      yield* network.close();
      return 0;
    case "ethtool-l":
      return yield* network.setChannels(entry.channels ?? 1);
    case "self-test":
      yield* network.selfTest();
      return 0;
    default:
      return -EINVAL;
  }
}
