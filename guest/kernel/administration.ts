/** What an administrator does to running devices: sleep, resets, links, channels, affinity. */
import { EINVAL } from "../../src/base/errno.ts";
import type { TimelineEntry } from "../../src/scenario/types.ts";
import type { Process } from "../../src/time/process.ts";
import type { GuestDriver, LateQueues, NetworkActions } from "../driver/types.ts";
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
    const result = yield* deviceAction(driver, entry);
    if (result < 0) failed(driver, result);
  }
}

function* deviceAction(driver: GuestDriver, entry: Omit<TimelineEntry, "at">): Process<number> {
  switch (entry.do) {
    case "set-affinity":
      return yield* driver.vectors.setAffinity(entry.vector ?? 0, entry.cpus ?? []);
    case "wq-enable":
    case "wq-disable":
      return yield* switchQueue(driver.workQueues, entry.queue ?? 0, entry.do === "wq-enable");
    case "rdma-up":
    case "rdma-down":
      return yield* switchQueue(driver.rdma, entry.vectors ?? 0, entry.do === "rdma-up");
    default:
      return yield* networkAction(driver.network, entry);
  }
}

function* switchQueue(
  queues: LateQueues | undefined,
  queue: number,
  isOn: boolean,
): Process<number> {
  if (queues === undefined) return 0;
  return yield* isOn ? queues.enable(queue) : queues.disable(queue);
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
