/** Named platforms: which domains a machine's interrupts pass, and how much its boot has taken. */
import { UsageError } from "../../src/base/errors.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { BootUse, HostSpec } from "../../src/scenario/types.ts";
import { kernelProfile } from "../kernel-profile.ts";
import { IoApicLines } from "./ioapic-lines.ts";
import { IrqNumbers } from "./irq-numbers.ts";
import { MsiDomain } from "./msi-domain.ts";
import { PoolSamples } from "./pool-samples.ts";
import { SystemIrqPool } from "./system-irq-pool.ts";
import { VectorMatrix } from "./vector-matrix.ts";
import { IrTable } from "./vtd.ts";

/** What the pool needs of the machine. */
export type IrqPoolEnv = Pick<MachineEnv, "clock" | "costs" | "tracer">;

/**
 * The recorded machine with three root ports: 18 IO-APIC pins and 3 MSI-X vectors have remapping
 * entries; 10 CPU vectors are in use, so that 201 a CPU leave 191 with one CPU and 392 with two;
 * the first irq number a VM can get is 28; the ports keep lines 21 to 23 open.
 */
export const RECORDED_BOOT_USE: BootUse = {
  irtes: 21,
  irqs: 4,
  vectors: 10,
  reservations: 12,
  lines: [21, 22, 23],
};

/** Builds the IRQ pool of `host`. Throws UsageError where the boot alone does not fit. */
export function createIrqPool(host: HostSpec, env: IrqPoolEnv): SystemIrqPool {
  const boot = host.boot ?? RECORDED_BOOT_USE;
  const { clock, costs, tracer } = env;
  const matrix = bootMatrix(host, boot, tracer);
  const table = host.platform === "x86-vtd" ? bootTable(host, boot, tracer) : null;
  const samples = new PoolSamples(clock, matrix, table);
  const domain = new MsiDomain(matrix, table, new IrqNumbers(boot.irqs), samples);
  const { dynamicMsix } = kernelProfile(host.kernel);
  const lines = new IoApicLines({ clock, costs, tracer, matrix, table, samples }, boot.lines);
  return new SystemIrqPool(lines, domain, dynamicMsix);
}

function bootMatrix(host: HostSpec, boot: BootUse, tracer: IrqPoolEnv["tracer"]): VectorMatrix {
  const matrix = new VectorMatrix(host.cpus, host.vectorsPerCpu, tracer);
  if (boot.vectors > matrix.size) {
    throw new UsageError(
      `host: ${matrix.size} CPU vectors are less than the ${boot.vectors} its boot takes`,
      { hint: "raise host.cpus or host.vectorsPerCpu" },
    );
  }
  for (let i = 0; i < boot.vectors; i++) matrix.alloc(false);
  for (let i = 0; i < boot.reservations; i++) matrix.reserve();
  // Events are counted from here on, as the recorder does from a script's start.
  Object.assign(matrix.events, { alloc: 0, reserve: 0, unreserve: 0, free: 0, allocFail: 0 });
  return matrix;
}

function bootTable(host: HostSpec, boot: BootUse, tracer: IrqPoolEnv["tracer"]): IrTable {
  const table = new IrTable(host.irtes, tracer);
  if (boot.irtes > table.size) {
    throw new UsageError(
      `host: ${table.size} remapping entries are less than the ${boot.irtes} its boot takes`,
      { hint: "raise host.irtes" },
    );
  }
  for (let i = 0; i < boot.irtes; i++) table.alloc(1, "boot");
  return table;
}
