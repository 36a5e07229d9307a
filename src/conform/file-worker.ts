/** A worker thread's part of a comparison: one recording a task. */
import { type InputPlace, InvariantError, UsageError } from "../base/errors.ts";
import type { CreateHost } from "../run/contract.ts";
import { loadHost, loadReplayGuest, loadVmm } from "../run/entries.ts";
import { conformFile, type FileConformance, type ScriptCache } from "./conform.ts";
import type { CreateReplayGuest } from "./guest/machine.ts";
import type { CreateVmm } from "./vmm/machine.ts";

export interface FileTask {
  readonly path: string;
  readonly kernel?: string;
}

/** Errors lose their class between threads; what a user did wrong has to keep its place. */
export type FileOutcome =
  | { readonly done: FileConformance | null }
  | { readonly broken: string }
  | { readonly wrong: { message: string; place: InputPlace; hint: string | undefined } };

export interface Sides {
  readonly createHost: CreateHost;
  readonly createVmm: CreateVmm;
  readonly createReplayGuest: CreateReplayGuest;
}

const scripts: ScriptCache = new Map();
let sides: Promise<Sides> | null = null;

/** The models of this package. */
export async function loadSides(): Promise<Sides> {
  const [{ createHost }, { createVmm }, { createReplayGuest }] = await Promise.all([
    loadHost(),
    loadVmm<CreateVmm>(),
    loadReplayGuest<CreateReplayGuest>(),
  ]);
  return { createHost, createVmm, createReplayGuest };
}

/** What piscina calls. */
export async function runTask({ path, kernel }: FileTask): Promise<FileOutcome> {
  sides ??= loadSides();
  const options = { ...(await sides), ...(kernel === undefined ? {} : { kernel }) };
  try {
    return { done: conformFile(path, options, scripts) };
  } catch (error) {
    if (error instanceof InvariantError) return { broken: `${path}: ${error.message}` };
    if (!(error instanceof UsageError)) throw error;
    const { message, place, hint } = error;
    return { wrong: { message, place, hint } };
  }
}
