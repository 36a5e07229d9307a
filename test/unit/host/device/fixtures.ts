/** Devices on a virtual clock with a sink that writes down what they send. */

import type { DeviceEnv } from "../../../../host/device/types.ts";
import { Prng } from "../../../../src/base/prng.ts";
import type { DeviceSpec } from "../../../../src/scenario/types.ts";
import { Scheduler } from "../../../../src/time/scheduler.ts";
import { VirtualClock } from "../../../../src/time/virtual-clock.ts";

export class World implements DeviceEnv {
  readonly clock = new VirtualClock();
  readonly scheduler = new Scheduler(this.clock);

  random(name: string): Prng {
    return Prng.stream(7, name);
  }

  /** Runs every event up to `until` (ns). */
  run(until = Number.POSITIVE_INFINITY): void {
    while (this.scheduler.runNext(until)) {
      // Each turn runs one event.
    }
  }
}

export function spec(
  model: DeviceSpec["model"],
  msixVectors: number,
  msiVectors = 0,
  name = "dev0",
): DeviceSpec {
  return { name, model, msixVectors, msiVectors };
}
