/** Named platforms: which domains a machine's interrupts pass, and how much its boot has taken. */
import { UsageError } from "../../src/base/errors.ts";
import type { MachineEnv, TableInspection } from "../../src/run/contract.ts";
import type { BootUse, HostSpec, Platform } from "../../src/scenario/types.ts";
import { kernelProfile } from "../kernel-profile.ts";
import { AmdIrqRemapping, IRQS_PER_TABLE_2K } from "./amd-vi.ts";
import { CpuVectors } from "./cpu-vectors.ts";
import { GicIts } from "./gic-its.ts";
import { V2M_SPIS, V2mFrame, V2mMsiDomain } from "./gic-v2m.ts";
import { IoApicLines } from "./ioapic-lines.ts";
import { IrqNumbers } from "./irq-numbers.ts";
import { ItsMsiDomain } from "./its-msi-domain.ts";
import { GIC_LINE_PARENT, IoApicLineParent } from "./line-parent.ts";
import { LPIS } from "./lpi-ranges.ts";
import { MsiDomain } from "./msi-domain.ts";
import type { MsiParent } from "./msi-parent.ts";
import { PoolSamples, type SharedTable } from "./pool-samples.ts";
import type { IrqRemapping } from "./remapping.ts";
import { BOOT_HOLDER, Shortages } from "./shortage.ts";
import { SystemIrqPool } from "./system-irq-pool.ts";
import { VectorMatrix } from "./vector-matrix.ts";
import { IrTable } from "./vtd.ts";

/** What a host bridge answers where nothing decodes: a q35's, or an arm64 virt machine's. */
export function unmappedRead(platform: Platform): number {
  return platform === "arm64-its" || platform === "arm64-v2m" ? 0xffffffff : 0;
}

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

/** The recorded arm64 machine: three root ports have an LPI or SPI each, irqs 1 to 26 are taken. */
export const RECORDED_ARM64_BOOT_USE: BootUse = {
  irtes: 3,
  irqs: 26,
  vectors: 0,
  reservations: 0,
  lines: [],
};

/** Linux irq numbers of the four INTx lines there, in the order of their pins. */
const RECORDED_ARM64_LINE_IRQS = [23, 20, 22, 24];

/** A GIC has no vectors a CPU could run out of. */
const NO_VECTORS = { totalAllocated: 0, size: 0 };

/** Builds the IRQ pool of `host`. Throws UsageError where the boot alone does not fit. */
export function createIrqPool(host: HostSpec, env: IrqPoolEnv): SystemIrqPool {
  const build: Readonly<Record<Platform, () => SystemIrqPool>> = {
    "x86-vtd": () => x86Pool(host, env, bootTable),
    "x86-amd": () => x86Pool(host, env, bootAmdTables),
    "x86-flat": () => x86Pool(host, env, () => null),
    "arm64-its": () => itsPool(host, env),
    "arm64-v2m": () => v2mPool(host, env),
  };
  return build[host.platform]();
}

type BuildRemapping = (
  host: HostSpec,
  env: IrqPoolEnv,
  shortages: Shortages,
) => IrqRemapping | null;

function x86Pool(host: HostSpec, env: IrqPoolEnv, build: BuildRemapping): SystemIrqPool {
  const boot = host.boot ?? RECORDED_BOOT_USE;
  const { clock, costs, tracer } = env;
  const matrix = bootMatrix(host, boot, tracer);
  const shortages = new Shortages(tracer);
  const remapping = build(host, env, shortages);
  const samples = new PoolSamples(clock, matrix, remapping);
  const vectors = new CpuVectors(matrix, shortages);
  const numbers = new IrqNumbers(boot.irqs);
  const parent = new IoApicLineParent(vectors, remapping, costs.iecFlush);
  return new SystemIrqPool({
    lines: new IoApicLines({ clock, costs, tracer, parent, samples }, boot.lines),
    domain: new MsiDomain(vectors, remapping, numbers, samples, costs.iecFlush),
    dynamicMsix: kernelProfile(host.kernel).dynamicMsix,
    shortages,
    tables: remapping,
    x86: { matrix, remapping },
  });
}

function itsPool(host: HostSpec, env: IrqPoolEnv): SystemIrqPool {
  const { itsBlocks } = kernelProfile(host.kernel);
  const shortages = new Shortages(env.tracer);
  const its = new GicIts({
    lpis: host.lpis ?? LPIS,
    tracer: env.tracer,
    shortages,
    teardownWithDomain: itsBlocks === "domain",
    fixed: host.fixed ?? [],
  });
  return arm64Pool(host, env, { table: its, shortages }, (numbers, samples) => {
    return new ItsMsiDomain(its, itsBlocks, numbers, samples);
  });
}

function v2mPool(host: HostSpec, env: IrqPoolEnv): SystemIrqPool {
  const shortages = new Shortages(env.tracer);
  const frame = new V2mFrame(V2M_SPIS, shortages);
  return arm64Pool(host, env, { table: frame, shortages }, (numbers, samples) => {
    return new V2mMsiDomain(frame, numbers, samples);
  });
}

/** Interrupt ids of a GIC, some of which the machine's own ports take. */
type BootTable = SharedTable & { takeAtBoot(): boolean; inspect(): TableInspection[] };

function arm64Pool(
  host: HostSpec,
  { clock, costs, tracer }: IrqPoolEnv,
  { table, shortages }: { table: BootTable; shortages: Shortages },
  domain: (numbers: IrqNumbers, samples: PoolSamples) => MsiParent,
): SystemIrqPool {
  const boot = host.boot ?? RECORDED_ARM64_BOOT_USE;
  for (let i = 0; i < boot.irtes; i++) {
    if (table.takeAtBoot()) continue;
    throw new UsageError(
      `host: ${table.size} interrupt ids are less than the ${boot.irtes} its boot takes`,
      { hint: "raise host.lpis" },
    );
  }
  const samples = new PoolSamples(clock, NO_VECTORS, table);
  const env = { clock, costs, tracer, parent: GIC_LINE_PARENT, samples };
  return new SystemIrqPool({
    lines: new IoApicLines(env, boot.lines),
    domain: domain(new IrqNumbers(boot.irqs, 1), samples),
    dynamicMsix: kernelProfile(host.kernel).dynamicMsix,
    shortages,
    tables: table,
    lineIrqs: boot.lineIrqs ?? RECORDED_ARM64_LINE_IRQS,
  });
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

function bootAmdTables(host: HostSpec, { tracer }: IrqPoolEnv, shortages: Shortages): IrqRemapping {
  const { irtes } = host.boot ?? RECORDED_BOOT_USE;
  const entries = host.irtes;
  // A bound of alloc_irq_index's search, as MAX_IRQS_PER_TABLE is: no need for a power of two.
  if (entries > IRQS_PER_TABLE_2K) {
    throw new UsageError(`host: AMD-Vi has no table of ${entries} entries`, {
      hint: "host.irtes is 512 there, or another number up to 2048",
    });
  }
  return new AmdIrqRemapping(entries, irtes, tracer, shortages);
}

function bootTable(host: HostSpec, { tracer }: IrqPoolEnv, shortages: Shortages): IrqRemapping {
  const { irtes } = host.boot ?? RECORDED_BOOT_USE;
  const table = new IrTable(host.irtes, tracer, shortages);
  if (irtes > table.size) {
    throw new UsageError(
      `host: ${table.size} remapping entries are less than the ${irtes} its boot takes`,
      { hint: "raise host.irtes" },
    );
  }
  for (let i = 0; i < irtes; i++) table.alloc(1, BOOT_HOLDER);
  return table;
}
