/** Where the two sides enter an engine's own thread, from sources or from dist. */
import type { CreateGuest, CreateHost } from "./contract.ts";
import { moduleUrl } from "./module-url.ts";

const entry = (path: string): URL => moduleUrl(path, import.meta.url);

/** The host side, loaded only by engines that run it in their own thread. */
export async function loadHost(): Promise<{ createHost: CreateHost }> {
  return (await import(entry("host/host").href)) as { createHost: CreateHost };
}

/** The guest side. */
export async function loadGuest(): Promise<{ createGuest: CreateGuest }> {
  return (await import(entry("guest/guest").href)) as { createGuest: CreateGuest };
}

/** The VMM alone, without a guest kernel on it; `T` is what the caller takes it for. */
export async function loadVmm<T>(): Promise<{ createVmm: T }> {
  return (await import(entry("guest/vmm/create").href)) as { createVmm: T };
}

/** A guest's kernel and drivers without a VMM beneath them; `T` as for `loadVmm`. */
export async function loadReplayGuest<T>(): Promise<{ createReplayGuest: T }> {
  return (await import(entry("guest/kernel/replay").href)) as { createReplayGuest: T };
}
