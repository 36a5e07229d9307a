/**
 * Who keeps which irqs, machine-wide: each device's policy, and the reclaiming of idle irqs for
 * others, before an allocation fails or in the background.
 */
import { assert } from "../../../src/base/assert.ts";
import { IdleSpans } from "../../../src/measure/idle-spans.ts";
import type { MachineEnv, RetentionReport } from "../../../src/run/contract.ts";
import type { RetentionPolicy } from "../../../src/run/retention-policy.ts";
import type { Process } from "../../../src/time/process.ts";
import type { IrqClient, IrqPool } from "../../irq/types.ts";
import { DeviceRetention } from "./device-retention.ts";

const ACTOR = "kernel/reclaim";

/** Devices with the same policy, and what they measured together. */
interface PolicyGroup {
  readonly spans: IdleSpans;
  readonly devices: DeviceRetention[];
}

export class Retention {
  readonly #env: MachineEnv;
  readonly #pool: IrqPool;
  readonly #devices = new Map<string, DeviceRetention>();
  /** By the policy's key. */
  readonly #groups = new Map<string, PolicyGroup>();
  #watermarks = false;
  #reclaiming = false;

  constructor(env: MachineEnv, pool: IrqPool) {
    this.#env = env;
    this.#pool = pool;
  }

  /** A device with its policy; equal keys are one policy, whose devices are measured together. */
  add(device: string, policy: RetentionPolicy, key: string): void {
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { spans: new IdleSpans(), devices: [] };
      this.#groups.set(key, group);
    }
    const retention = new DeviceRetention(device, policy, group.spans);
    group.devices.push(retention);
    this.#devices.set(device, retention);
    if (policy.reclaim === undefined || !this.#pool.canAllocDynamically) return;
    this.#pool.relief = (client) => this.#relieve(client);
    if (policy.reclaim.watermark > 0) this.#watermarks = true;
  }

  of(device: string): DeviceRetention {
    const found = this.#devices.get(device);
    assert(found !== undefined, () => `${device} has no retention policy`);
    return found;
  }

  /** Up to now; what is still idle counts with its age. */
  report(): RetentionReport {
    const now = this.#env.clock.now();
    const devices = [...this.#devices.values()];
    return {
      ...this.#pool.holdings(),
      policies: [...this.#groups.values()].map((group) => ({
        devices: group.devices.map(({ device }) => device),
        spans: group.spans.report(group.devices.flatMap((device) => device.ages(now))),
      })),
      idle: devices.map(({ device, reused, released, refusedAgain }) => ({
        device,
        reused,
        refusedAgain,
        released: { ...released },
      })),
    };
  }

  /**
   * Frees the longest idle irq whose entry `client` could use; false if there is none. A device's
   * own idle irqs are taken as others' are.
   */
  *#relieve(client: IrqClient): Process<boolean> {
    let best: DeviceRetention | null = null;
    let since = Number.POSITIVE_INFINITY;
    for (const device of this.#devices.values()) {
      const idleSince = device.reclaimableSince(client);
      if (idleSince >= since || !this.#pool.sharesTable(client, device.client!)) continue;
      best = device;
      since = idleSince;
    }
    if (best === null) return false;
    yield* best.reclaim(client);
    return true;
  }

  /** A call has ended that may have left too little free; no lock is held any more. */
  lookAround(): void {
    if (!this.#watermarks || this.#reclaiming || this.#nextBelow() === null) return;
    this.#reclaiming = true;
    this.#env.scheduler.spawn("reclaim", this.#reclaim(), ACTOR);
  }

  *#reclaim(): Process {
    try {
      for (;;) {
        const device = this.#nextBelow();
        if (device === null) return;
        yield* device.reclaim(null);
      }
    } finally {
      this.#reclaiming = false;
    }
  }

  /** Who has the longest idle irq in a table that is below the watermark of its own policy. */
  #nextBelow(): DeviceRetention | null {
    let best: DeviceRetention | null = null;
    let since = Number.POSITIVE_INFINITY;
    for (const device of this.#devices.values()) {
      const { watermark = 0 } = device.policy.reclaim ?? {};
      if (watermark === 0) continue;
      const idleSince = device.reclaimableSince(null);
      if (idleSince >= since) continue;
      const room = this.#pool.room(device.client!);
      if (room === null || room.free >= watermark * room.size) continue;
      best = device;
      since = idleSince;
    }
    return best;
  }
}
