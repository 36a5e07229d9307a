/** A guest's timeline: repetitions spelled out, in order of time, and possible. */
import type { Issue, Path } from "./issues.ts";
import { DEVICE_MODELS } from "./models.ts";
import { type GuestEntry, TIMES_MAX } from "./schema.ts";
import type { DeviceSpec, TimelineEntry, VmmName } from "./types.ts";

type Entry = NonNullable<GuestEntry["timeline"]>[number];

export interface TimelineContext {
  /** Of the run, ns. */
  readonly duration: number;
  /** When the timeline begins, ns into the run: all of its times count from there. */
  readonly startsAt: number;
  readonly vcpus: number;
  readonly vmm: VmmName;
  readonly devices: readonly DeviceSpec[];
  readonly report: (issue: Issue) => void;
}

/** Without a timeline a guest boots at 0. Entries of the same time keep the order they have. */
export function expandTimeline(
  entries: readonly Entry[] | undefined,
  path: Path,
  context: TimelineContext,
): TimelineEntry[] {
  if (entries === undefined) return [{ at: context.startsAt, do: "boot" }];
  const endsAt = lifeEnd(entries, context);
  const all: { entry: TimelineEntry; path: Path }[] = [];
  entries.forEach((entry, i) => {
    const at = [...path, i];
    checkArguments(entry, at, context);
    for (const time of times(entry, at, endsAt, context)) {
      const { to, cpu, channels, vectors, vector, cpus, queue, for: lasts, slots } = entry;
      all.push({
        entry: {
          at: time,
          do: entry.do,
          ...(to && { to }),
          ...(cpu !== undefined && { cpu }),
          ...(channels !== undefined && { channels }),
          ...(vectors !== undefined && { vectors }),
          ...(vector !== undefined && { vector }),
          ...(cpus && { cpus }),
          ...(queue !== undefined && { queue }),
          ...(lasts !== undefined && { for: lasts }),
          ...(slots !== undefined && { slots }),
        },
        path: at,
      });
    }
  });
  all.sort((a, b) => a.entry.at - b.entry.at);
  const first = all[0];
  if (first !== undefined && first.entry.do !== "boot") {
    context.report({
      path: [...first.path, "do"],
      message: `${first.entry.do} before the guest has booted`,
      hint: "begin the timeline with { at: 0ms, do: boot }",
    });
  }
  const end = all.findIndex(({ entry }) => entry.do === "kill" || entry.do === "shutdown");
  const late = end < 0 ? undefined : all[end + 1];
  if (late !== undefined) {
    context.report({
      path: [...late.path, "do"],
      message: `${late.entry.do} after ${all[end]!.entry.do}: the VM process is gone by then`,
      hint: "end the timeline there, or use reboot, reset or crash",
    });
  }
  checkSleep(all, context.report);
  return all.map(({ entry }) => entry);
}

/** What a guest that sleeps, or its machine, can still be asked. */
const WHILE_ASLEEP: readonly Entry["do"][] = [
  "resume",
  "reset",
  "kill",
  "shutdown",
  "stall",
  "corrupt",
];

function checkSleep(
  all: readonly { readonly entry: TimelineEntry; readonly path: Path }[],
  report: (issue: Issue) => void,
): void {
  let isAsleep = false;
  for (const { entry, path } of all) {
    if (isAsleep && !WHILE_ASLEEP.includes(entry.do)) {
      const message = `${entry.do} while the guest sleeps`;
      report({ path: [...path, "do"], message, hint: "resume it before, or use reset" });
    } else if (!isAsleep && entry.do === "resume") {
      const message = "resume of a guest that does not sleep";
      report({ path: [...path, "do"], message, hint: "suspend it before" });
    }
    if (entry.do === "suspend") isAsleep = true;
    if (entry.do === "resume" || entry.do === "reset") isAsleep = false;
  }
}

/** What is repeated without a number of times ends with the guest, or with the run. */
function lifeEnd(entries: readonly Entry[], { duration, startsAt }: TimelineContext): number {
  const ends = entries.filter((entry) => entry.do === "kill" || entry.do === "shutdown");
  return Math.min(duration, ...ends.map(({ at }) => startsAt + at));
}

function times(entry: Entry, path: Path, endsAt: number, context: TimelineContext): number[] {
  const { duration, startsAt, report } = context;
  const at = startsAt + entry.at;
  if (entry.every === undefined && entry.times !== undefined) {
    report({ path, message: "times needs every:", hint: "every: 300ms, times: 5" });
    return [at];
  }
  const { every = 0 } = entry;
  if (entry.every !== undefined && every <= 0) {
    report({ path: [...path, "every"], message: "every must be above zero" });
    return [at];
  }
  const untilEnd = every > 0 && at < endsAt ? Math.ceil((endsAt - at) / every) : 1;
  const n = entry.times ?? untilEnd;
  if (n > TIMES_MAX) {
    const message = `${entry.do} is repeated ${n} times until the end, more than ${TIMES_MAX}`;
    report({ path: [...path, "every"], message, hint: "make every longer, or give times:" });
    return [at];
  }
  if (at + (n - 1) * every > duration) {
    const which = n === 1 ? entry.do : `the last ${entry.do}`;
    const message = `${which} is planned for after the end of the run`;
    const stagger = startsAt > 0 ? ", stagger shorter" : "";
    const hint = `make duration longer${stagger} or this time earlier`;
    report({ path: [...path, n === 1 ? "at" : "times"], message, hint });
    return [at];
  }
  return Array.from({ length: n }, (_, i) => at + i * every);
}

/** `to` belongs to mode and must be on offer; `cpu` to the hotplug actions and must exist. */
function checkArguments(entry: Entry, path: Path, context: TimelineContext): void {
  const { report } = context;
  const hotplug = entry.do === "cpu-offline" || entry.do === "cpu-online";
  if (entry.do === "mode" && entry.to === undefined) {
    report({ path, message: "mode needs to:", hint: "to: intx, to: msi or to: msix" });
  }
  const hasMode = entry.do === "mode" || entry.do === "crash-kexec";
  if (!hasMode && entry.to !== undefined) {
    report({ path: [...path, "to"], atKey: true, message: `${entry.do} takes no to:` });
  }
  if (hotplug && entry.cpu === undefined) {
    report({ path, message: `${entry.do} needs cpu:`, hint: "cpu: 1" });
  }
  if (!hotplug && entry.cpu !== undefined) {
    report({ path: [...path, "cpu"], atKey: true, message: `${entry.do} takes no cpu:` });
  }
  if (hotplug && entry.cpu !== undefined) {
    if (entry.cpu >= context.vcpus) {
      const message = `there is no vCPU ${entry.cpu}: the guest has ${context.vcpus}, from 0`;
      report({ path: [...path, "cpu"], message });
    } else if (entry.cpu === 0) {
      const hint = "x86 Linux keeps its boot processor";
      report({ path: [...path, "cpu"], message: "vCPU 0 cannot go offline", hint });
    }
  }
  checkDeviceArguments(entry, path, context);
  checkTrouble(entry, path, report);
  if (entry.do === "msi-over-msix") needsBoth(context.devices, path, report);
  if (entry.do === "intx-swap" && context.vmm !== "minimal") {
    const message = `${context.vmm} never swaps the eventfd of INTx`;
    report({ path: [...path, "do"], message, hint: "use vmm: minimal" });
  }
  if (entry.do === "migrate" && context.vmm !== "qemu") {
    const message = `migration of ${context.vmm} is not modelled`;
    report({ path: [...path, "do"], message, hint: "use vmm: qemu" });
  }
  if (entry.do === "bist" && !context.devices.some(({ bist }) => bist === true)) {
    const hint = "give it a device with bist: true";
    report({ path: [...path, "do"], message: "no device of the guest has a self test", hint });
  }
  if (!hasMode) return;
  const { to = "intx" } = entry;
  const lacking = context.devices.find((device) => lacksMode(device, to));
  if (lacking === undefined) return;
  const message = `device ${lacking.name} (${lacking.model}) has no ${to}`;
  const at = entry.to === undefined ? path : [...path, "to"];
  report({ path: at, message, hint: "choose a mode that the device offers" });
}

/** True if no driver could use the device in this mode. */
export function lacksMode(device: DeviceSpec, mode: "intx" | "msi" | "msix"): boolean {
  if (mode === "intx") return !DEVICE_MODELS[device.model].intx;
  return (mode === "msix" ? device.msixVectors : device.msiVectors) === 0;
}

/** `for` belongs to stall, `slots` to corrupt. */
function checkTrouble(entry: Entry, path: Path, report: (issue: Issue) => void): void {
  const stalls = entry.do === "stall";
  if (stalls && !((entry.for ?? 0) > 0)) {
    report({ path, message: "stall needs for:, above zero", hint: "for: 20ms" });
  }
  if (!stalls && entry.for !== undefined) {
    report({ path: [...path, "for"], atKey: true, message: `${entry.do} takes no for:` });
  }
  if (entry.do !== "corrupt" && entry.slots !== undefined) {
    report({ path: [...path, "slots"], atKey: true, message: `${entry.do} takes no slots:` });
  }
}

function needsBoth(devices: readonly DeviceSpec[], path: Path, report: (issue: Issue) => void) {
  if (devices.some(({ msiVectors, msixVectors }) => msiVectors > 0 && msixVectors > 0)) return;
  const message = "no device of the guest has both MSI and MSI-X";
  report({ path: [...path, "do"], message, hint: "use a device of model nic" });
}

/** Actions that ask something of devices of certain models, and leave others alone. */
const MODELS_OF: Readonly<Partial<Record<Entry["do"], readonly DeviceSpec["model"][]>>> = {
  "link-up": ["nic", "ice-vf"],
  "link-down": ["nic", "ice-vf"],
  "ethtool-l": ["nic", "ice-vf"],
  "self-test": ["nic"],
  "wq-enable": ["idxd"],
  "wq-disable": ["idxd"],
  "rdma-up": ["ice-vf"],
  "rdma-down": ["ice-vf"],
};

/** Which actions need a key; no other takes it. */
const NEEDED_BY = {
  channels: { actions: ["ethtool-l"], hint: "channels: 2" },
  vector: { actions: ["set-affinity"], hint: "vector: 1" },
  cpus: { actions: ["set-affinity"], hint: "cpus: [1]" },
  queue: { actions: ["wq-enable", "wq-disable"], hint: "queue: 1" },
} as const satisfies Record<string, { actions: readonly Entry["do"][]; hint: string }>;

/** Keys of one kind of action, and devices that it is about. */
function checkDeviceArguments(entry: Entry, path: Path, context: TimelineContext): void {
  const { report, devices, vcpus } = context;
  for (const key of ["channels", "vector", "cpus", "queue"] as const) {
    const { hint } = NEEDED_BY[key];
    const actions: readonly Entry["do"][] = NEEDED_BY[key].actions;
    if (!actions.includes(entry.do) && entry[key] !== undefined) {
      const message = `${entry.do} takes no ${key}:`;
      report({ path: [...path, key], atKey: true, message });
    }
    if (actions.includes(entry.do) && entry[key] === undefined) {
      report({ path, message: `${entry.do} needs ${key}:`, hint });
    }
  }
  if (entry.vectors !== undefined && entry.do !== "rdma-up") {
    report({ path: [...path, "vectors"], atKey: true, message: `${entry.do} takes no vectors:` });
  }
  const models = MODELS_OF[entry.do];
  if (models !== undefined && !devices.some(({ model }) => models.includes(model))) {
    const hint = `give it a device of model ${models.join(" or ")}`;
    const message = `${entry.do}: the guest has no ${models.join(" and no ")}`;
    report({ path: [...path, "do"], message, hint });
  }
  const far = entry.cpus?.findIndex((cpu) => cpu >= vcpus) ?? -1;
  if (far >= 0) {
    const message = `there is no vCPU ${entry.cpus![far]}: the guest has ${vcpus}, from 0`;
    report({ path: [...path, "cpus", far], message });
  }
}
