/** What drives devices before the kernel does: firmware by INTx, a boot loader by a single MSI. */
import type { IrqKind } from "../../src/measure/rows.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import type { GuestDriver } from "../driver/types.ts";
import type { GuestInterrupts } from "./interrupts.ts";
import type { GuestKernel } from "./kernel.ts";

/** How long each of them is at work: loading what comes next takes some reads. */
const STAGE_NS = 20_000_000;

/**
 * One stage: its own drivers on the boot processor, I/O for a while, and all given back before the
 * next stage begins (UEFI's ExitBootServices stops its drivers too). `kernel` stands for it.
 */
export function* runStage(
  env: MachineEnv,
  interrupts: GuestInterrupts,
  kernel: GuestKernel,
  mode: IrqKind,
  drivers: readonly GuestDriver[],
): Process {
  interrupts.table.clearHandlers();
  kernel.bootProcessorOnly();
  interrupts.enable();
  for (const driver of drivers) {
    driver.mode = mode;
    const { device } = driver;
    const result = yield* driver.probe();
    if (result < 0) {
      env.tracer.emit("guest_driver_error", { device, what: `probe (${mode})`, errno: result });
      continue;
    }
    env.tracer.emit("guest_mode", { device, mode });
    yield* driver.startIo();
  }
  yield* sleep(STAGE_NS);
  for (const driver of [...drivers].reverse()) if (driver.state === "bound") yield* driver.remove();
  interrupts.disable();
  kernel.halt();
}
