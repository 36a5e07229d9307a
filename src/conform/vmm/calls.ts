/** Calls of a VMM to the kernel in one form, whether recorded or made by the model. */
import { numberOf, type RecordedLine, type RecordedVmm, traceEvent } from "./recording.ts";

/** An eventfd's name, or -1 for none. */
export type FdName = string | -1;

/** A call as far as it is compared. Fields that a call does not have are not there. */
export interface VmmCall {
  /** `i` of the recorded line; for a call of the model that of the input that led to it. */
  readonly line: number;
  /**
   * set_irqs, get_irq_info, reset, hot_reset_info, hot_reset, device_close, kvm_irqfd, kvm_routing,
   * eventfd_close.
   */
  readonly op: string;
  /** Null for a call on no device: see `sortByDevice`. */
  readonly dev: string | null;
  /** Calls with the same words do the same thing: `MSIX 0 1 EVENTFD|TRIGGER`, `assign`. */
  readonly what: string;
  /** Eventfds by what they are there for, in the order of the call. */
  readonly fds: readonly FdName[];
  /** 0 or a negative errno. */
  readonly ret: number;
  /** Entries of msi_irqs before and after. */
  readonly msiIrqs?: readonly [number, number];
  /** The pool after the call, where somebody watches it. */
  readonly pool?: PoolUse;
  readonly gsi?: number;
  /** Of GET_IRQ_INFO: count and flags. */
  readonly info?: readonly [number, number];
  readonly routes?: Routes;
  /** Calls of one thread are in order; the model has one. */
  readonly thread: string;
  /** A write of configuration space or of the table: it only tells whose calls follow. */
  readonly silent: boolean;
}

/** What all devices of the host hold. */
export interface PoolUse {
  readonly irqs: number;
  readonly irtes: number;
  readonly vectors: number;
}

/** What a KVM_SET_GSI_ROUTING changed. */
export interface Routes {
  readonly nr: number;
  /** `gsi address data`, sorted by GSI. */
  readonly set: readonly string[];
  readonly gone: readonly number[];
}

/** A changed route as text. */
export function routeText(gsi: number, address: number, data: number): string {
  return `${gsi} 0x${address.toString(16)} 0x${data.toString(16)}`;
}

/** 0 or a negative errno. */
export function retOf({ ret, errno }: RecordedLine): number {
  return numberOf(ret) < 0 ? -numberOf(errno) : numberOf(ret);
}

function pairOf(value: unknown, after: unknown): [number, number] {
  return Array.isArray(value)
    ? [Number(value[0]), Number(value[1])]
    : [numberOf(value), numberOf(after ?? value)];
}

function fdName(value: unknown): FdName {
  return value === -1 || value === undefined ? -1 : String(value);
}

/** The recorded call of a line; null if it is none, or none that is compared. */
export function recordedCall(line: RecordedLine): VmmCall | null {
  const common = {
    line: line.i,
    op: line.op,
    dev: line.dev ?? null,
    thread: line.thr ?? "",
    fds: [],
    ret: retOf(line),
    silent: false,
  };
  switch (line.op) {
    case "set_irqs": {
      const { index, start, count, flags, fds } = line;
      return {
        ...common,
        what: `${index} ${start} ${count} ${flags}`,
        fds: ((fds ?? []) as unknown[]).map(fdName),
        msiIrqs: pairOf(line.msi_irqs, undefined),
      };
    }
    case "get_irq_info":
      return { ...common, what: String(line.index), ...infoOf(line) };
    case "hot_reset_info":
      return { ...common, what: "" };
    case "hot_reset":
    case "reset":
      return { ...common, what: "", msiIrqs: pairOf(line.msi_irqs, undefined) };
    case "device_close":
      return { ...common, what: "", msiIrqs: pairOf(line.msi_irqs, line.msi_irqs_after) };
    case "kvm_irqfd": {
      const fds = [
        fdName(line.fd),
        ...(line.resample === undefined ? [] : [fdName(line.resample)]),
      ];
      return { ...common, what: String(line.act), fds, gsi: numberOf(line.gsi) };
    }
    case "kvm_routing":
      return { ...common, what: "", routes: recordedRoutes(line) };
    case "eventfd_close":
      return { ...common, what: "", fds: [fdName(line.fd)] };
    case "cfgw":
      return { ...common, what: "", silent: true };
    case "g_tblw":
      return { ...common, what: "", silent: true, thread: `cpu${line.cpu}` };
    default:
      return null;
  }
}

/** What an answer says; one with an error says nothing. */
function infoOf(line: RecordedLine): { info?: readonly [number, number] } {
  if (retOf(line) < 0) return {};
  return { info: [numberOf(line.count), numberOf(line.iflags)] };
}

function recordedRoutes({ nr, set, gone }: RecordedLine): Routes {
  const routes = ((set ?? []) as [number, string, string][]).slice().sort(([a], [b]) => a - b);
  return {
    nr: numberOf(nr),
    set: routes.map(([gsi, address, data]) => routeText(gsi, Number(address), Number(data))),
    gone: ((gone ?? []) as number[]).slice().sort((a, b) => a - b),
  };
}

/** Pins of a q35's IOAPIC; their GSIs are the same numbers. */
export const IOAPIC_PINS = 24;

/** True if no changed route is a device's, where the pins of the VMM's IOAPIC have routes, too. */
function isIoapicRouting({ set }: Routes): boolean {
  return set.every((route) => Number.parseInt(route, 10) < IOAPIC_PINS);
}

/** Eventfds of multi-vector MSI: which of them get a route and an irqfd is not determined. */
function multiMsiFds(calls: readonly VmmCall[]): Set<FdName> {
  const enables = calls.filter(({ op, what }) => op === "set_irqs" && /^MSI 0 /.test(what));
  return new Set(enables.flatMap(({ fds }) => (fds.length > 1 ? fds : [])));
}

/**
 * The calls of each device that are compared, in order. A call on KVM or on an eventfd is for the
 * device that its thread last had to do with, but for routes of the VMM's IOAPIC. Left out are the
 * closing of an eventfd that no call had, routes that the guest remaps, and the numbers of GSIs
 * where it is not determined which messages of several have taken one.
 */
export function sortByDevice(
  calls: readonly VmmCall[],
  vmm: Pick<RecordedVmm, "irqchip" | "isRemapped">,
): Map<string, VmmCall[]> {
  const last = new Map<string, string>();
  const used = new Set<FdName>();
  const multi = multiMsiFds(calls);
  const isGsiFree = vmm.isRemapped && multi.size > 0;
  const byDevice = new Map<string, VmmCall[]>();
  for (const call of calls) {
    const { dev, thread, silent, op, fds, routes } = call;
    if (dev !== null) last.set(thread, dev);
    if (silent || (op === "eventfd_close" && !used.has(fds[0]!))) continue;
    if ((op === "kvm_irqfd" && multi.has(fds[0]!)) || (routes && vmm.isRemapped)) continue;
    for (const fd of fds) used.add(fd);
    const isPins = vmm.irqchip === "split" && routes !== undefined && isIoapicRouting(routes);
    const device = isPins ? "" : (last.get(thread) ?? "");
    const list = byDevice.get(device);
    const compared = isGsiFree ? withoutGsi(call) : call;
    if (list === undefined) byDevice.set(device, [compared]);
    else list.push(compared);
  }
  return byDevice;
}

function withoutGsi({ gsi, ...call }: VmmCall): VmmCall {
  return call;
}

/** All recorded calls of a file. */
export function recordedCalls(lines: readonly RecordedLine[]): VmmCall[] {
  return lines.map(recordedCall).filter((call) => call !== null);
}

/** Whether the guest, and not the VMM itself, made a traced write of configuration space. */
export function guestWrites(lines: readonly RecordedLine[]): ReadonlySet<RecordedLine> {
  const found = new Set<RecordedLine>();
  for (const [at, line] of lines.entries()) {
    if (line.op === "g_tblw") found.add(line);
    if (line.op !== "g_cfgw") continue;
    const done = lines
      .slice(at + 1, at + 200)
      .find(
        ({ op, dev, off, len }) =>
          op === "cfgw" && dev === line.dev && off === line.off && len === line.len,
      );
    if (done === undefined || done.thr !== "main") found.add(line);
  }
  return found;
}

/** Names of events that begin a device's reset. */
export function beginsReset(line: RecordedLine): "all" | "one" | null {
  const event = traceEvent(line);
  if (event === "vfio_reset_handler") return "all";
  if (event === "vfio_pci_reset") return "one";
  return event === "vfio_pci_hot_reset" && line.args === "multi" ? "one" : null;
}
