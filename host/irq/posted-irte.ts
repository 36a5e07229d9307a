/**
 * A remapping entry in posted format (VT-d specification 5.2.3 and 9.11; intel_ir_set_vcpu_affinity
 * in drivers/iommu/intel/irq_remapping.c): messages set a bit in a vCPU's descriptor, no CPU of the
 * host is interrupted, and no handler runs.
 */
import type { MachineEnv } from "../../src/run/contract.ts";
import { POSTED_FRESH, POSTED_NOTIFY, type PostedWriter } from "../../src/shm/posted-descriptor.ts";
import type { Waker } from "../../src/shm/waker.ts";
import type { DeviceMeter } from "../device/meter.ts";

/** struct vcpu_data, with the descriptor's memory and what a notification reaches. */
export interface VcpuInfo {
  readonly descriptors: PostedWriter;
  readonly vcpu: number;
  readonly vector: number;
  readonly notify: Waker;
}

export class PostedIrte {
  readonly #descriptors: PostedWriter;
  readonly #vcpu: number;
  readonly #vector: number;
  readonly #notify: Waker;
  readonly #meter: DeviceMeter;
  readonly #row: number;
  readonly #env: Pick<MachineEnv, "clock" | "costs">;

  /** `row` of `meter` is whose interrupts it posts. */
  constructor(
    info: VcpuInfo,
    meter: DeviceMeter,
    row: number,
    env: Pick<MachineEnv, "clock" | "costs">,
  ) {
    this.#descriptors = info.descriptors;
    this.#vcpu = info.vcpu;
    this.#vector = info.vector;
    this.#notify = info.notify;
    this.#meter = meter;
    this.#row = row;
    this.#env = env;
    this.#descriptors.use(info.vcpu, info.vector);
  }

  /** A message arrived. Hot path. */
  post(): void {
    const meter = this.#meter;
    const row = this.#row;
    this.#env.clock.spend(this.#env.costs.postedInterrupt);
    meter.posting(row);
    const found = this.#descriptors.post(this.#vcpu, this.#vector);
    if ((found & POSTED_NOTIFY) !== 0) this.#notify.wake();
    if ((found & POSTED_FRESH) !== 0) meter.injected(row);
    else meter.merged(row, "coalesced-pir");
  }
}
