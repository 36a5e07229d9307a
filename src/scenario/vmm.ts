/** Which VMM a guest runs on: keys, versions, and which keys of QEMU's others have no use for. */
import { z } from "zod";
import type { Issue, Path } from "./issues.ts";
import type { GuestSpec, VmmName } from "./types.ts";
import { expandVmmMachine, type VmmMachineEntry, vmmMachineKeys } from "./vmm-machine.ts";

const VERSIONS = ["7.2", "10.0", "11.1", "51.0", "52.0", "main"] as const;

type Version = (typeof VERSIONS)[number];

/** Of each VMM, the default first. */
const VERSIONS_OF: Readonly<Record<VmmName, readonly Version[]>> = {
  qemu: ["10.0", "7.2", "11.1"],
  "cloud-hypervisor": ["main", "52.0", "51.0"],
  crosvm: ["main"],
  dpdk: ["main"],
  minimal: ["main"],
};

/** Keys of a guest in a scenario file. */
export const vmmKeys = {
  vmm: z
    .enum(["qemu", "cloud-hypervisor", "crosvm", "dpdk", "minimal"])
    .default("qemu")
    .meta({
      description:
        "Whose calls vfio gets. dpdk is a driver in a process, with no guest; minimal is " +
        "hypothetical: no trigger (fd -1) while a vector is masked.",
    }),
  vmmVersion: z
    // Unquoted, YAML reads 10.0 as a number.
    .preprocess((value) => (typeof value === "number" ? value.toFixed(1) : value), z.enum(VERSIONS))
    .optional()
    .meta({
      description:
        "Which QEMU: 7.2 regrows all vectors, 10.0 (the default) and 11.1 add one. Which " +
        "cloud-hypervisor: 51.0 gives each vector a GSI at once, 52.0 at its first use; main, " +
        "the default, may have more than 1024 routes.",
    }),
  ...vmmMachineKeys,
};

/** Those keys as a user has written them. */
export interface VmmEntry extends VmmMachineEntry {
  readonly vmm: VmmName;
  readonly vmmVersion?: Version | undefined;
}

type Vmm = Pick<GuestSpec, "vmm" | "vmmVersion" | "path" | "irqchip" | "intremap">;

/** The VMM they mean; what it cannot be is reported. */
export function expandVmm(entry: VmmEntry, at: Path, report: (issue: Issue) => void): Vmm {
  const { vmm } = entry;
  const versions = VERSIONS_OF[vmm];
  const vmmVersion = entry.vmmVersion ?? versions[0]!;
  if (!versions.includes(vmmVersion)) {
    const hint = versions.length === 1 ? "leave it out" : `use ${versions.join(", ")}`;
    const message = `there is no ${vmm} ${vmmVersion} here`;
    report({ path: [...at, "vmmVersion"], message, hint });
  }
  if (vmm === "qemu") return { vmm, vmmVersion, ...expandVmmMachine(entry, at, report) };
  for (const key of ["irqchip", "bypass", "intremap", "defersRoutes"] as const) {
    if (entry[key] === undefined) continue;
    const hint = "leave it out, or use vmm: qemu";
    report({ path: [...at, key], atKey: true, message: `${vmm} has no choice of ${key}`, hint });
  }
  return { vmm, vmmVersion, path: expandPath(entry, at, report) };
}

/** DPDK reads its eventfds; those with KVM always have irqfds. */
function expandPath(
  { vmm, path }: VmmEntry,
  at: Path,
  report: (issue: Issue) => void,
): GuestSpec["path"] {
  const isDriver = vmm === "dpdk";
  if (path !== undefined && isDriver !== (path === "userspace")) {
    const what = isDriver ? "has no KVM: it reads its eventfds" : "leaves injecting to KVM";
    report({ path: [...at, "path"], message: `${vmm} ${what}`, hint: "leave path out" });
  }
  return isDriver ? "userspace" : (path ?? "irqfd");
}
