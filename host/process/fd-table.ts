/** The open files of one VM process (fs/file.c): lowest free number first, from 3. */
import { EBADF, EINVAL, EMFILE } from "../../src/base/errno.ts";
import type { KvmVm } from "../kvm/vm.ts";
import type { VfioPciDevice } from "../vfio/pci-device.ts";
import type { EventfdCtx } from "./eventfd-ctx.ts";

/** An open file description. */
export type OpenFile =
  | { readonly kind: "vfio"; readonly device: VfioPciDevice }
  | { readonly kind: "kvm"; readonly vm: KvmVm }
  | { readonly kind: "eventfd"; readonly ctx: EventfdCtx }
  /** Any other file: /dev/null. */
  | { readonly kind: "file" };

/** How vfio and KVM turn a number given by userspace into an eventfd. */
export interface EventfdLookup {
  /** eventfd_ctx_fdget with its reference taken, -EBADF if not open, -EINVAL if no eventfd. */
  eventfdGet(fd: number): EventfdCtx | number;
  /** 0 for a vfio device's file (which is its group's as well), -EBADF, or -EINVAL for others. */
  vfioFile(fd: number): number;
}

/** 0, 1 and 2 are open in any process. */
const FIRST_FD = 3;

export class FdTable implements EventfdLookup {
  readonly #files: (OpenFile | null)[] = [];
  readonly #limit: number;
  #free = 0;

  /** At most `limit` files (RLIMIT_NOFILE). */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Installs a file; its number, or -EMFILE. */
  install(file: OpenFile): number {
    let at = this.#free;
    while (at < this.#files.length && this.#files[at] !== null) at++;
    if (at >= this.#limit) return -EMFILE;
    this.#files[at] = file;
    this.#free = at + 1;
    return at + FIRST_FD;
  }

  get(fd: number): OpenFile | null {
    return this.#files[fd - FIRST_FD] ?? null;
  }

  /** Takes a file out of the table; the caller closes it. */
  remove(fd: number): OpenFile | null {
    const at = fd - FIRST_FD;
    const file = this.#files[at] ?? null;
    if (file === null) return null;
    this.#files[at] = null;
    this.#free = Math.min(this.#free, at);
    return file;
  }

  /** Numbers of all open files, ascending: the order in which exit closes them. */
  fds(): number[] {
    return this.#files.flatMap((file, at) => (file === null ? [] : [at + FIRST_FD]));
  }

  eventfdGet(fd: number): EventfdCtx | number {
    const file = this.get(fd);
    if (file === null) return -EBADF;
    return file.kind === "eventfd" ? file.ctx.get() : -EINVAL;
  }

  vfioFile(fd: number): number {
    const file = this.get(fd);
    if (file === null) return -EBADF;
    return file.kind === "vfio" ? 0 : -EINVAL;
  }
}
