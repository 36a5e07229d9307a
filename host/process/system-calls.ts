/** System calls of one VM process: what each request of src/wire/messages.ts does in the kernel. */
import { EBADF, EINVAL, EMFILE, ENODEV, ENOENT, ENOTTY } from "../../src/base/errno.ts";
import type { MachineEnv } from "../../src/run/contract.ts";
import type { HostPort } from "../../src/shm/border.ts";
import { type Process, sleep } from "../../src/time/process.ts";
import type { Request, VmExit } from "../../src/wire/messages.ts";
import type { IrqBypass } from "../kvm/bypass.ts";
import { KvmVm } from "../kvm/vm.ts";
import type { VfioPciDevice } from "../vfio/pci-device.ts";
import { ProcessEventfds } from "./eventfds.ts";
import { FdTable, type OpenFile } from "./fd-table.ts";
import { ioctlName } from "./ioctl-names.ts";

/** What a system call gives back: see Response. */
export interface CallResult {
  readonly ret: number;
  readonly data?: Uint8Array;
  readonly slot?: number;
}

/** What the machine gives a process. */
export interface ProcessWorld {
  readonly env: MachineEnv;
  readonly port: HostPort;
  /** Null if KVM may not post this VM's interrupts. */
  readonly bypass: IrqBypass | null;
  /** The device behind /dev/vfio/NAME if it exists, is bound to vfio-pci and given to this VM. */
  deviceOf(name: string): VfioPciDevice | null;
  /** Counts an ioctl for the report. */
  countIoctl(name: string): void;
  /** A call has ended: the device may have become busy, or quiet. */
  callEnded(): void;
}

const VFIO_PREFIX = "/dev/vfio/";
/** QEMU raises its soft limit to what systemd allows. */
const RLIMIT_NOFILE = 65_536;

export class SystemCalls {
  readonly #world: ProcessWorld;
  readonly eventfds: ProcessEventfds;
  readonly fds = new FdTable(RLIMIT_NOFILE);

  constructor(world: ProcessWorld) {
    this.#world = world;
    this.eventfds = new ProcessEventfds(world.port);
  }

  /** Runs one call to its end; every field of `request` is in range, none of them is trusted. */
  *call(request: Request): Process<CallResult> {
    yield* sleep(this.#world.env.costs.syscall);
    switch (request.op) {
      case "open":
        return { ret: yield* this.#open(request.path) };
      case "close":
        return { ret: yield* this.#close(request.fd) };
      case "eventfd2":
        return this.#eventfd2(request.initval, request.flags);
      case "ioctl":
        return yield* this.#ioctl(request.fd, request.cmd, request.arg);
      case "pread": {
        const file = this.fds.get(request.fd);
        if (file?.kind !== "vfio") return { ret: file === null ? -EBADF : -EINVAL };
        return yield* file.device.pread(request.offset, request.count);
      }
      case "pwrite": {
        const file = this.fds.get(request.fd);
        if (file?.kind !== "vfio") return { ret: file === null ? -EBADF : -EINVAL };
        return { ret: yield* file.device.pwrite(request.offset, request.data) };
      }
      case "vmexit":
        return { ret: this.#vmExit(request.fd, request.exit) };
    }
  }

  *#open(path: string): Process<number> {
    if (path === "/dev/null") return this.fds.install({ kind: "file" });
    if (path === "/dev/kvm") {
      const { env, port, bypass } = this.#world;
      const vm = new KvmVm(env, port, bypass);
      return this.fds.install({ kind: "kvm", vm });
    }
    if (!path.startsWith(VFIO_PREFIX)) return -ENOENT;
    const device = this.#world.deviceOf(path.slice(VFIO_PREFIX.length));
    if (device === null) return -ENOENT;
    const result = yield* device.open(this.fds);
    if (result < 0) return result;
    const fd = this.fds.install({ kind: "vfio", device });
    if (fd < 0) yield* device.release();
    return fd;
  }

  *#close(fd: number): Process<number> {
    const file = this.fds.remove(fd);
    if (file === null) return -EBADF;
    yield* this.#release(file);
    return 0;
  }

  /** The last reference to a file is gone: what its driver's release does. */
  *#release(file: OpenFile): Process {
    if (file.kind === "vfio") yield* file.device.release();
    else if (file.kind === "eventfd") file.ctx.release();
    else if (file.kind === "kvm") file.vm.release();
  }

  /** exit_files: everything still open is closed, lowest number first. */
  *closeAll(): Process {
    for (const fd of this.fds.fds()) yield* this.#close(fd);
  }

  /** Counts what waits in the VM's irqchip at the end of the run. */
  settle(): void {
    for (const fd of this.fds.fds()) {
      const file = this.fds.get(fd);
      if (file?.kind === "kvm") file.vm.settle();
    }
  }

  #eventfd2(initval: number, flags: number): CallResult {
    const ctx = this.eventfds.create(initval, flags);
    if (typeof ctx === "number") return { ret: ctx };
    const fd = this.fds.install({ kind: "eventfd", ctx });
    if (fd >= 0) return { ret: fd, slot: ctx.slot };
    ctx.release();
    return { ret: -EMFILE };
  }

  *#ioctl(fd: number, cmd: number, arg: Uint8Array): Process<CallResult> {
    this.#world.countIoctl(ioctlName(cmd));
    const file = this.fds.get(fd);
    if (file === null) return { ret: -EBADF };
    if (file.kind === "vfio") return yield* file.device.ioctl(cmd, arg);
    if (file.kind === "kvm") return { ret: yield* file.vm.ioctl(cmd, arg, this.fds) };
    return { ret: -ENOTTY };
  }

  #vmExit(fd: number, exit: VmExit): number {
    const file = this.fds.get(fd);
    if (file === null) return -EBADF;
    return file.kind === "kvm" ? file.vm.exit(exit) : -ENODEV;
  }
}
