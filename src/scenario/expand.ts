/** Spells out a scenario document (`count`, defaults by model) and checks that it can be run. */
import { nameIssues } from "./expect.ts";
import type { Issue, Path } from "./issues.ts";
import { DEVICE_MODELS } from "./models.ts";
import { checkPosting } from "./posting.ts";
import { expandRetention } from "./retention.ts";
import type { DeviceEntry, GuestEntry, ScenarioDocument, WorkloadEntry } from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { expandTimeline, lacksMode } from "./timeline.ts";
import type { DeviceSpec, GuestSpec, HostSpec, RunSpec, Scenario, WorkloadSpec } from "./types.ts";
import { expandVmm } from "./vmm.ts";

type Report = (issue: Issue) => void;

interface Context {
  readonly directory: string;
  readonly report: Report;
}

/**
 * The scenario, and what is wrong with it; it must not be run unless that is nothing. Files that it
 * names are found from `directory`.
 */
export function expandScenario(
  document: ScenarioDocument,
  fallbackName: string,
  directory = ".",
): { scenario: Scenario; issues: Issue[] } {
  const issues: Issue[] = [];
  const report: Report = (issue) => issues.push(issue);
  const devices = document.devices.flatMap((entry, i) =>
    expandDevice(entry, i, { directory, report }),
  );
  uniqueNames("device", devices, report);
  if (document.host.platform === "arm64-its") noBridges(document.devices, report);
  const byName = new Map(devices.map(({ spec }) => [spec.name, spec]));
  const owners = new Map<string, string>();
  const guests = document.guests.flatMap((entry, i) =>
    expandGuest(entry, ["guests", i], { byName, owners, duration: document.duration, report }),
  );
  uniqueNames("guest", guests, report);
  checkPosting(document.host.platform, document.guests, report);
  if (document.duration <= 0)
    report({ path: ["duration"], message: "duration must be above zero" });
  if (document.run.limit <= 0)
    report({ path: ["run", "limit"], message: "limit must be above zero" });
  if (document.run.warmup !== undefined && document.run.warmup >= document.duration)
    report({ path: ["run", "warmup"], message: "the run is over before the warm-up is" });
  const hostTimeline = expandHostTimeline(document, byName, report);
  const subjects = {
    guests: guests.map(({ spec }) => spec.name),
    devices: devices.map(({ spec }) => spec.name),
  };
  document.expect.forEach((text, i) => {
    issues.push(...nameIssues(text, subjects, ["expect", i]));
  });
  const scenario: Scenario = {
    name: document.name ?? fallbackName,
    seed: document.seed,
    host: { ...expandHost(document.host, { directory, report }), ...hostTimeline },
    devices: devices.map(({ spec }) => spec),
    guests: guests.map(({ spec }) => spec),
    duration: document.duration,
    run: expandRun(document),
    costs: Object.fromEntries(
      Object.entries(document.costs).filter((entry): entry is [string, number] => entry[1] != null),
    ),
    expect: document.expect,
  };
  return { scenario, issues };
}

function expandRun({ run: { warmup, breakOn, ...run } }: ScenarioDocument): RunSpec {
  return {
    ...run,
    ...(warmup === undefined ? {} : { warmupNs: warmup }),
    ...(breakOn === undefined ? {} : { breakOnNs: breakOn }),
  };
}

/** Entries of a table: VT-d has one for the machine, AMD-Vi several; both may be given fewer. */
function expandHost(host: ScenarioDocument["host"], { directory, report }: Context): HostSpec {
  const amd = host.platform === "x86-amd";
  const irtes = host.irtes ?? (amd ? 512 : 65_536);
  if (amd && irtes > 2048) {
    const message = `AMD-Vi has no table of ${irtes} entries`;
    report({ path: ["host", "irtes"], message, hint: "use 512, or up to 2048" });
  }
  const { lpis, fixed, bugs, retention, timeline: _, ...rest } = host;
  if (lpis !== undefined && host.platform !== "arm64-its") {
    const hint = "leave it out, or use platform: arm64-its";
    report({ path: ["host", "lpis"], message: `${host.platform} has no LPIs`, hint });
  }
  return {
    ...rest,
    irtes,
    retention: expandRetention(retention, directory),
    ...(lpis === undefined ? {} : { lpis }),
    ...(fixed === undefined ? {} : { fixed }),
    ...(bugs === undefined ? {} : { bugs }),
  };
}

/** In order of time, of devices that there are. */
function expandHostTimeline(
  { host, duration }: ScenarioDocument,
  devices: ReadonlyMap<string, DeviceSpec>,
  report: Report,
): Pick<HostSpec, "timeline"> {
  const { timeline } = host;
  if (timeline === undefined) return {};
  for (const [i, { at, device, do: action }] of timeline.entries()) {
    const path = ["host", "timeline", i];
    if (!devices.has(device)) {
      const hint = didYouMean(device, [...devices.keys()].slice(0, 20));
      report({ path: [...path, "device"], message: `there is no device ${device}`, hint });
    }
    if (at > duration) {
      const hint = "make duration longer or this time earlier";
      const message = `${action} is planned for after the end of the run`;
      report({ path: [...path, "at"], message, hint });
    }
  }
  return { timeline: [...timeline].sort((a, b) => a.at - b.at) };
}

/** Functions with one requester id would share one ITS device; nobody has recorded that. */
function noBridges(devices: readonly DeviceEntry[], report: Report): void {
  for (const [i, { bridge }] of devices.entries()) {
    if (bridge === undefined) continue;
    const message = "devices behind a bridge are not modelled on arm64-its";
    report({ path: ["devices", i, "bridge"], message, hint: "leave it out, or use x86-amd" });
  }
}

interface Placed<T> {
  readonly spec: T;
  readonly path: Path;
}

/** Names of a counted entry: NAME0, NAME1, ...; without a count just NAME. */
function numbered(name: string, count: number | undefined): string[] {
  return count === undefined ? [name] : Array.from({ length: count }, (_, i) => `${name}${i}`);
}

function uniqueNames(what: string, all: readonly Placed<{ name: string }>[], report: Report): void {
  const seen = new Set<string>();
  for (const { spec, path } of all) {
    if (seen.has(spec.name)) {
      const hint = `rename one of them; a count makes NAME0, NAME1, ...`;
      report({ path: [...path, "name"], message: `two ${what}s are named ${spec.name}`, hint });
    }
    seen.add(spec.name);
  }
}

function expandDevice(
  entry: DeviceEntry,
  index: number,
  { directory, report }: Context,
): Placed<DeviceSpec>[] {
  const path = ["devices", index];
  const model = DEVICE_MODELS[entry.model];
  for (const key of ["msixVectors", "msiVectors"] as const) {
    const asked = entry[key];
    if (asked === undefined || asked === model[key]) continue;
    const most = key === "msiVectors" ? (model.msiMax ?? 0) : 0;
    const fixed = !model.resizable || (model[key] === 0 && asked > most);
    if (!fixed) continue;
    const kind = key === "msixVectors" ? "MSI-X" : "MSI";
    const message = `${entry.model} has ${model[key]} ${kind} vectors`;
    report({ path: [...path, key], message, hint: `leave ${key} out, or use another model` });
  }
  const msiVectors = entry.msiVectors ?? model.msiVectors;
  if ((msiVectors & (msiVectors - 1)) !== 0) {
    const message = `MSI offers a power of two, not ${msiVectors} vectors`;
    report({ path: [...path, "msiVectors"], message, hint: "use 1, 2, 4, 8, 16 or 32" });
  }
  if (entry.moderation !== undefined && entry.model !== "nic") {
    const message = `${entry.model} does not moderate its interrupts`;
    report({ path: [...path, "moderation"], atKey: true, message, hint: "only a nic does" });
  }
  const msixVectors = entry.msixVectors ?? model.msixVectors;
  return numbered(entry.name, entry.count).map((name) => ({
    spec: {
      name,
      model: entry.model,
      msixVectors,
      msiVectors,
      ...(entry.bist === true ? { bist: true } : {}),
      ...(entry.bridge === undefined ? {} : { bridge: entry.bridge }),
      ...(entry.moderation === undefined ? {} : { moderationNs: entry.moderation }),
      ...(entry.retention === undefined
        ? {}
        : { retention: expandRetention(entry.retention, directory) }),
    },
    path,
  }));
}

interface GuestContext {
  readonly byName: ReadonlyMap<string, DeviceSpec>;
  /** Which guest has which device already. */
  readonly owners: Map<string, string>;
  readonly duration: number;
  readonly report: Report;
}

function expandGuest(entry: GuestEntry, path: Path, context: GuestContext): Placed<GuestSpec>[] {
  const { report } = context;
  if ((entry.device === undefined) === (entry.devices === undefined)) {
    const message = `guest ${entry.name} needs either device: or devices:`;
    report({ path: entry.device === undefined ? path : [...path, "device"], message });
    return [];
  }
  const workload = expandWorkload(entry.workload, [...path, "workload"], report);
  const names = numbered(entry.name, entry.count);
  if (entry.stagger !== undefined && entry.count === undefined) {
    const message = "stagger is of a guest with a count";
    report({ path: [...path, "stagger"], atKey: true, message, hint: "add count:" });
  }
  let told = false;
  return names.map((name, i) => {
    const suffix = entry.count === undefined ? "" : `${i}`;
    const devices = assign(entry, path, name, suffix, context);
    const driver = driverOf(entry, path, devices, report);
    // The timeline depends on the devices' abilities, which are the same for all of a count.
    const silent = i > 0;
    // With a stagger the last one is the first that gets past the end.
    const tells = i === 0 || (i === names.length - 1 && !told);
    const timeline = expandTimeline(entry.timeline, [...path, "timeline"], {
      duration: context.duration,
      startsAt: i * (entry.stagger ?? 0),
      vcpus: entry.vcpus,
      vmm: entry.vmm,
      devices,
      report: (issue) => {
        if (!tells) return;
        told = true;
        report(issue);
      },
    });
    return {
      spec: {
        name,
        ...expandVmm(entry, path, silent ? () => {} : report),
        vcpus: entry.vcpus,
        devices: devices.map((device) => device.name),
        driver,
        ...(entry.kernel === undefined ? {} : { kernel: entry.kernel }),
        ...expandFirmware(entry, path, devices, silent ? () => {} : report),
        workload,
        timeline,
      },
      path,
    };
  });
}

/** Firmware is QEMU's, and needs what the devices offer. */
function expandFirmware(
  { vmm, firmware }: GuestEntry,
  path: Path,
  devices: readonly DeviceSpec[],
  report: Report,
): Pick<GuestSpec, "firmware"> {
  if (firmware === undefined) return {};
  if (vmm !== "qemu") {
    const hint = "leave it out, or use vmm: qemu";
    report({ path: [...path, "firmware"], atKey: true, message: `${vmm} has no firmware`, hint });
  }
  for (const [i, mode] of firmware.entries()) {
    const lacking = devices.find((device) => lacksMode(device, mode));
    if (lacking === undefined) continue;
    const message = `device ${lacking.name} (${lacking.model}) has no ${mode}`;
    const hint = "choose modes that the devices offer";
    report({ path: [...path, "firmware", i], message, hint });
  }
  return { firmware };
}

/** The guest's devices; each must exist and belong to nobody else. */
function assign(
  entry: GuestEntry,
  path: Path,
  guest: string,
  suffix: string,
  { byName, owners, report }: GuestContext,
): DeviceSpec[] {
  const places: [string, Path][] =
    entry.device !== undefined
      ? [[entry.device, [...path, "device"]]]
      : entry.devices!.map((name, i) => [name, [...path, "devices", i]]);
  const found: DeviceSpec[] = [];
  for (const [base, at] of places) {
    const name = base + suffix;
    const device = byName.get(name);
    if (device === undefined) {
      const hint =
        suffix === ""
          ? didYouMean(name, [...byName.keys()].slice(0, 20))
          : `guest ${guest} takes ${base} with its own number: give that device a count too`;
      report({ path: at, message: `guest ${guest}: there is no device ${name}`, hint });
      continue;
    }
    const owner = owners.get(name);
    if (owner !== undefined) {
      const whose = owner === guest ? "is listed twice" : `belongs to guest ${owner} already`;
      const hint = "vfio gives a device to one VM process at a time; add another device";
      report({ path: at, message: `guest ${guest}: device ${name} ${whose}`, hint });
      continue;
    }
    owners.set(name, guest);
    found.push(device);
  }
  return found;
}

/** Models that guests have drivers for. */
const DRIVEN = Object.entries(DEVICE_MODELS)
  .filter(([, { driver }]) => driver !== null)
  .map(([model]) => model)
  .join(", ");

function driverOf(
  entry: GuestEntry,
  path: Path,
  devices: readonly DeviceSpec[],
  report: Report,
): GuestSpec["driver"] {
  const driver = entry.driver ?? (devices[0] && DEVICE_MODELS[devices[0].model].driver) ?? "nvme";
  for (const device of devices) {
    if (DEVICE_MODELS[device.model].driver === driver) continue;
    const what = `${device.name} (${device.model})`;
    const message = `guest ${entry.name}: driver ${driver} cannot drive ${what}`;
    const hint = `a guest drives one of ${DRIVEN}; the other models serve conform`;
    report({ path: entry.driver === undefined ? path : [...path, "driver"], message, hint });
    break;
  }
  return driver;
}

function expandWorkload(
  entry: WorkloadEntry | undefined,
  path: Path,
  report: Report,
): WorkloadSpec {
  const { rate, depth, storm, per = "queue" } = entry ?? {};
  const arrivals =
    entry?.arrivals ?? (rate !== undefined ? "poisson" : depth !== undefined ? "closed" : "none");
  const open = arrivals === "poisson" || arrivals === "fixed";
  if (open && rate === undefined) {
    report({ path, message: `${arrivals} arrivals need a rate`, hint: "add rate: 20k/s" });
  }
  if (rate !== undefined && rate <= 0) {
    const hint = "leave the workload out for a guest without load";
    report({ path: [...path, "rate"], message: "the rate must be above zero", hint });
  }
  if (rate !== undefined && !open) {
    const message = `${arrivals} arrivals have no rate`;
    report({ path: [...path, "rate"], message, hint: "use arrivals: poisson or fixed" });
  }
  if (depth !== undefined && arrivals !== "closed") {
    const message = `${arrivals} arrivals have no depth`;
    report({ path: [...path, "depth"], message, hint: "use arrivals: closed" });
  }
  if (storm !== undefined && !open) {
    const message = `${arrivals} arrivals know no storm`;
    report({ path: [...path, "storm"], message, hint: "use arrivals: poisson or fixed" });
  }
  if (storm !== undefined && !(storm.rate > 0 && storm.for > 0 && storm.for < storm.every)) {
    const hint = "storm: { every: 100ms, for: 5ms, rate: 500k/s }";
    const message = "a storm has a rate and lasts, but not from one to the next";
    report({ path: [...path, "storm"], message, hint });
  }
  return { arrivals, rate: rate ?? 0, per, depth: depth ?? 1, ...(storm && { storm }) };
}
