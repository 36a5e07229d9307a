/** MSI of an assigned device: all vectors at once, with fewer where not all can be had. */
import type { Process } from "../../../src/time/process.ts";
import type { MsiMessage } from "./kvm-irqchip.ts";
import { VectorSet } from "./vectors.ts";
import type { VfioPciDevice } from "./vfio-pci.ts";

export class VfioMsi {
  readonly #device: VfioPciDevice;
  readonly #set: VectorSet;

  constructor(device: VfioPciDevice) {
    this.#device = device;
    this.#set = new VectorSet(device, "msi");
  }

  /** Message data of `vector`: the low bits are the vector's where the guest enabled several. */
  data(vector: number): number {
    const msi = this.#device.fn.msi!;
    return (msi.data & ~(msi.allotted - 1)) | vector;
  }

  #message(vector: number): MsiMessage {
    const { addressLo, addressHi } = this.#device.fn.msi!;
    return { addressLo, addressHi, data: this.data(vector) };
  }

  /** vfio_msi_enable: the guest set the Enable bit. */
  *enable(): Process {
    const device = this.#device;
    yield* device.leaveOtherModes();
    let wanted = device.fn.msi!.allotted;
    for (;;) {
      const result = yield* this.#tryEnable(wanted);
      if (result === 0) break;
      this.#set.error(-1, result);
      yield* this.#set.release();
      if (result < 0) return;
      wanted = result;
    }
    device.ctx.env.tracer.emit("vfio_msi_enable_qemu", {
      device: device.slot.name,
      vectors: wanted,
    });
  }

  *#tryEnable(count: number): Process<number> {
    const set = this.#set;
    const { kvm, profile } = this.#device.ctx;
    set.allocate(count);
    set.nr = count;
    let routes = 0;
    for (let v = 0; v < count; v++) {
      yield* set.take(v);
      set.listen(v);
      if (!set.addRoute(v, this.#message(v))) continue;
      routes++;
      if (profile.defersRoutes) continue;
      yield* kvm!.commitRoutes();
      yield* set.connect(v);
    }
    if (profile.defersRoutes) {
      if (kvm !== null && routes > 0) yield* kvm.commitRoutes();
      for (let v = 0; v < count; v++) yield* set.connect(v);
    }
    this.#device.mode = "msi";
    return yield* set.signalAll((vector) => set.fdOf(vector));
  }

  /** vfio_update_msi: the guest rewrote the message or the masks while MSI is on. */
  *update(): Process {
    for (let v = 0; v < this.#set.nr; v++) {
      if (this.#set.vectors[v]!.virq >= 0) yield* this.#set.updateRoute(v, this.#message(v));
    }
  }

  /** The vIOMMU's table changed; true if there are routes. */
  remapRoutes(): boolean {
    return this.#set.remapRoutes((v) => this.#message(v));
  }

  /** vfio_msi_disable. */
  *disable(): Process {
    const device = this.#device;
    yield* this.#set.disableIndex();
    yield* this.#set.release();
    yield* device.intx.enable();
    device.ctx.env.tracer.emit("vfio_msi_disable_qemu", { device: device.slot.name });
  }
}
