/** vfio_msihandler with its eventfd: the trigger of one MSI or MSI-X vector. */
import type { MachineEnv } from "../../src/run/contract.ts";
import type { DeviceMeter } from "../device/meter.ts";
import type { IrqAction } from "../irq/types.ts";
import type { EventfdCtx } from "../process/eventfd-ctx.ts";

export class MsiTrigger implements IrqAction {
  readonly ctx: EventfdCtx;
  readonly #meter: DeviceMeter;
  readonly #row: number;
  readonly #env: Pick<MachineEnv, "clock" | "costs">;

  /** Takes over the reference to `ctx`; `row` is the vector's ledger row. */
  constructor(
    ctx: EventfdCtx,
    meter: DeviceMeter,
    row: number,
    env: Pick<MachineEnv, "clock" | "costs">,
  ) {
    this.ctx = ctx;
    this.#meter = meter;
    this.#row = row;
    this.#env = env;
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
