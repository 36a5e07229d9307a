/** The header of an ioctl log: devices and machine, where the log's maker knew them. */
import { didYouMean } from "../../scenario/suggest.ts";
import type { HostSpec, Platform } from "../../scenario/types.ts";
import { type LineFields, shown } from "./line-fields.ts";
import type { DescribedDevice, LogHeader } from "./log.ts";

export const KERNELS: readonly HostSpec["kernel"][] = ["linux-6.1", "linux-6.12", "linux-7.2"];
export const PLATFORMS: readonly Platform[] = [
  "x86-vtd",
  "x86-amd",
  "x86-flat",
  "arm64-its",
  "arm64-v2m",
];
/** A line with one of these is a call. */
const CALL_KEYS = ["op", "index", "ret", "start", "count", "flags", "fds", "device", "dev", "t"];
const KEYS = ["devices", "kernel", "platform", "cpus", "irtes", "time"];
const DEVICE_KEYS = ["name", "model", "msixVectors", "msi", "intx"];
const DEVICES_HINT =
  'devices are described as {"name":"nvme0","model":"nvme","msixVectors":65,"msi":0,"intx":true}';
const MSIX_MAX = 2048;
const MSI_MAX = 32;
const CPUS_MAX = 512;
const IRTES_MIN = 64;
const IRTES_MAX = 65_536;

/** True for a line that tells of the machine, and of no call. */
export function isHeader(fields: LineFields): boolean {
  return !CALL_KEYS.some((key) => fields.has(key));
}

/** What `t` counts, if the header says. */
export function timeUnitOf(fields: LineFields): "s" | "ns" | null {
  const unit = fields.get("time");
  if (unit === undefined || unit === "s" || unit === "ns") return unit ?? null;
  return fields.fail("time", `time ${shown(unit)} is no unit`, 'write "time":"s" or "time":"ns"');
}

export function headerOf(fields: LineFields): LogHeader {
  for (const key of fields.keys) {
    if (!KEYS.includes(key)) fields.fail(key, `unknown key ${key}`, didYouMean(key, KEYS));
  }
  const devices = fields.has("devices") ? fields.array("devices", DEVICES_HINT) : [];
  const described = devices.map((device) => deviceOf(fields, device));
  const twice = described.find(({ name }, i) => described.findIndex((d) => d.name === name) < i);
  if (twice !== undefined) {
    fields.fail("devices", `two devices are named ${twice.name}`, "give each its own name");
  }
  const word = <T extends string>(key: string, all: readonly T[]): T | null => {
    if (!fields.has(key)) return null;
    const name = fields.text(key, `known: ${all.join(", ")}`);
    const found = all.find((one) => one === name);
    return found ?? fields.fail(key, `there is no ${key} ${name}`, `known: ${all.join(", ")}`);
  };
  const number = (key: string, min: number, max: number): number | null =>
    fields.has(key) ? fields.integer(key, min, max, `such as "${key}":${min}`) : null;
  return {
    devices: described,
    kernel: word("kernel", KERNELS),
    platform: word("platform", PLATFORMS),
    cpus: number("cpus", 1, CPUS_MAX),
    irtes: number("irtes", IRTES_MIN, IRTES_MAX),
  };
}

function deviceOf(fields: LineFields, value: unknown): DescribedDevice {
  const fail = (message: string): never => fields.fail("devices", message, DEVICES_HINT);
  if (typeof value !== "object" || value === null) return fail("a device is no object");
  const device = value as Record<string, unknown>;
  for (const key of Object.keys(device)) {
    if (DEVICE_KEYS.includes(key) || key === "msiVectors") continue;
    fields.fail("devices", `unknown key ${key} of a device`, didYouMean(key, DEVICE_KEYS));
  }
  const { name, model, msixVectors, intx } = device;
  // Scenarios call it msiVectors.
  const msi = device.msi ?? device.msiVectors;
  if (typeof name !== "string" || name === "") return fail("a device has no name");
  if (model !== undefined && typeof model !== "string") return fail(`model of ${name} is no text`);
  if (intx !== undefined && typeof intx !== "boolean") return fail(`intx of ${name} is no boolean`);
  const number = (key: string, found: unknown, max: number): number | null => {
    if (found === undefined) return null;
    const isFine = Number.isInteger(found) && (found as number) >= 0 && (found as number) <= max;
    return isFine ? (found as number) : fail(`${key} of ${name} is not from 0 to ${max}`);
  };
  return {
    name,
    model: model ?? null,
    msixVectors: number("msixVectors", msixVectors, MSIX_MAX),
    msiVectors: number("msi", msi, MSI_MAX),
    intx: intx ?? null,
    place: fields.placeOf("devices"),
  };
}
