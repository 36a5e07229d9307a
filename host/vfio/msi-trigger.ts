/** vfio_msihandler with its eventfd: the trigger of one MSI or MSI-X vector. */
import type { MachineEnv } from "../../src/run/contract.ts";
import type { DeviceMeter } from "../device/meter.ts";
import { PostedIrte, type VcpuInfo } from "../irq/posted-irte.ts";
import type { IrqAction, IrqClient, IrqPool } from "../irq/types.ts";
import type { BypassProducer } from "../kvm/bypass.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";

/** The interrupt that a trigger handles: a vector of a function. */
export interface TriggerIrq {
  readonly pool: IrqPool;
  readonly client: IrqClient;
  readonly vector: number;
}

export class MsiTrigger implements IrqAction, BypassProducer {
  readonly ctx: EventfdCtx;
  readonly #meter: DeviceMeter;
  readonly #row: number;
  readonly #env: Pick<MachineEnv, "clock" | "costs">;
  readonly #irq: TriggerIrq;

  /** Takes over the reference to `ctx`; `row` is the vector's ledger row. */
  constructor(
    ctx: EventfdCtx,
    meter: DeviceMeter,
    row: number,
    env: Pick<MachineEnv, "clock" | "costs">,
    irq: TriggerIrq,
  ) {
    this.ctx = ctx;
    this.#meter = meter;
    this.#row = row;
    this.#env = env;
    this.#irq = irq;
  }

  setVcpuAffinity(info: VcpuInfo | null): number {
    const { pool, client, vector } = this.#irq;
    const entry = info === null ? null : new PostedIrte(info, this.#meter, this.#row, this.#env);
    return pool.setVcpuAffinity(client, vector, entry);
  }

  /** Hard interrupt context. Hot path. */
  handleIrq(): boolean {
    const meter = this.#meter;
    const row = this.#row;
    meter.handler(row);
    this.#env.clock.spend(this.#env.costs.eventfdSignal);
    meter.signalled(row);
    this.ctx.signal(row, meter);
    return true;
  }

  /** Software triggers the vector (SET_IRQS with DATA_NONE or DATA_BOOL): a token of its own. */
  loopback(): void {
    this.#meter.raise(this.#row, this.#env.clock.now());
    this.ctx.signal(this.#row, this.#meter);
  }
}
