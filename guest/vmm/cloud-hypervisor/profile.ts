/** How cloud-hypervisor's versions differ in the interrupts of assigned devices. */
import type { CloudHypervisorVersion, GuestSpec } from "../../../src/scenario/types.ts";

export interface CloudHypervisorProfile {
  readonly version: CloudHypervisorVersion;
  /**
   * A vector gets its GSI when it is unmasked first; before pull request 7940 (merged after 51.0)
   * every vector a device advertises got one when the device was added.
   */
  readonly lazyGsis: boolean;
  /**
   * Routes in one KVM_SET_GSI_ROUTING: kvm-bindings refused more than 1,024 until rust-vmm/kvm pull
   * request 381 (July 2026), from when on the kernel's own limit counts.
   */
  readonly routesMax: number;
}

const KVM_BINDINGS_ROUTES = 1024;

const PROFILES: Readonly<Record<CloudHypervisorVersion, CloudHypervisorProfile>> = {
  "51.0": { version: "51.0", lazyGsis: false, routesMax: KVM_BINDINGS_ROUTES },
  "52.0": { version: "52.0", lazyGsis: true, routesMax: KVM_BINDINGS_ROUTES },
  main: { version: "main", lazyGsis: true, routesMax: Number.POSITIVE_INFINITY },
};

export function cloudHypervisorProfile(spec: GuestSpec): CloudHypervisorProfile {
  return PROFILES[spec.vmmVersion as CloudHypervisorVersion];
}
