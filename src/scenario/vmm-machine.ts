/** The machine that a guest's VMM makes: its irqchip, bypass and vIOMMU as scenario keys. */
import { z } from "zod";
import type { Issue, Path } from "./issues.ts";
import type { GuestSpec } from "./types.ts";

/** Keys of a guest in a scenario file. */
export const vmmMachineKeys = {
  path: z
    .enum(["irqfd", "posted", "userspace"])
    .optional()
    .meta({
      description:
        "irqfd: KVM injects; posted: the IOMMU posts to the vCPU past the host (x86-vtd); " +
        "userspace: QEMU reads eventfds and injects. Default: irqfd, unless " +
        "there is no bypass or no KVM.",
    }),
  irqchip: z
    .enum(["full", "split", "none"])
    .optional()
    .meta({
      description:
        "kernel-irqchip. full: all of it in KVM; split: the IOAPIC in QEMU; none: no KVM, which " +
        "is userspace only. Default: full, split with intremap, none on the userspace path.",
    }),
  bypass: z.boolean().optional().meta({
    description:
      "false is x-no-kvm-intx, -msi and -msix: there is KVM, but no irqfds, and QEMU injects.",
  }),
  intremap: z
    .boolean()
    .optional()
    .meta({ description: "The guest has a vIOMMU that remaps interrupts; not with irqchip full." }),
  defersRoutes: z
    .boolean()
    .optional()
    .meta({
      description:
        "false: KVM hears of each route by itself, as before QEMU 6.2, also where several " +
        "vectors come on at once.",
    }),
};

/** Those keys as a user has written them. */
export interface VmmMachineEntry {
  readonly path?: GuestSpec["path"] | undefined;
  readonly irqchip?: GuestSpec["irqchip"] | undefined;
  readonly bypass?: boolean | undefined;
  readonly intremap?: boolean | undefined;
  readonly defersRoutes?: boolean | undefined;
}

type VmmMachine = Pick<GuestSpec, "path" | "irqchip" | "intremap" | "defersRoutes">;

/** The machine they mean; what contradicts itself is reported. */
export function expandVmmMachine(
  entry: VmmMachineEntry,
  at: Path,
  report: (issue: Issue) => void,
): VmmMachine {
  const { irqchip, bypass, intremap, defersRoutes } = entry;
  const path = entry.path ?? (bypass === false || irqchip === "none" ? "userspace" : "irqfd");
  if (path !== "userspace" && irqchip === "none") {
    const hint = "use path: userspace, or irqchip: full or split";
    report({ path: [...at, "irqchip"], message: "irqfds are KVM's: they need an irqchip", hint });
  }
  if (entry.path !== undefined && bypass !== undefined && bypass !== (path !== "userspace")) {
    const message = `bypass: ${bypass} contradicts path: ${path}`;
    report({ path: [...at, "bypass"], message, hint: "leave one of them out" });
  }
  if (intremap === true && irqchip === "full") {
    const message = "QEMU remaps interrupts with a split irqchip only";
    report({ path: [...at, "irqchip"], message, hint: "use irqchip: split" });
  }
  const kind = irqchip ?? (intremap === true ? "split" : bypass === false ? "full" : undefined);
  return {
    path,
    ...(kind === undefined ? {} : { irqchip: kind }),
    ...(intremap === undefined ? {} : { intremap }),
    ...(defersRoutes === undefined ? {} : { defersRoutes }),
  };
}
