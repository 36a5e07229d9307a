/** The board of a VMM that leaves all interrupt controllers to KVM. */
import type { Process } from "../../../src/time/process.ts";
import type { AssignedDevice, Board, PlannedFunction, VmmContext } from "./context.ts";
import type { KvmClient } from "./kvm-client.ts";
import { MsiRoutes } from "./msi-routes.ts";

export abstract class KernelIrqchipBoard implements Board {
  readonly ctx: VmmContext;
  readonly kvm: KvmClient;
  readonly routes: MsiRoutes;

  /** `gsiEnd`: one more than the highest GSI the VMM gives out. */
  constructor(ctx: VmmContext, kvm: KvmClient, gsiEnd: number) {
    this.ctx = ctx;
    this.kvm = kvm;
    this.routes = new MsiRoutes(kvm, gsiEnd);
  }

  abstract realize(fn: PlannedFunction): Process<AssignedDevice>;

  *ioapicWrite(pin: number, low: number, high: number): Process {
    yield* this.ctx.sys.vmexit(this.kvm.fd, { reason: "ioapic-write", pin, low, high });
  }

  eoi(vcpu: number, vector: number): void {
    this.ctx.sys.postVmexit(this.kvm.fd, { reason: "eoi", vcpu, vector });
  }

  *reset(): Process {
    yield* this.kvm.resetIoapic();
  }

  *close(): Process {
    yield* this.kvm.close();
  }
}
