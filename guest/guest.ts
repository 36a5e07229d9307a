/** Entry of the guest side: what an engine calls for each VM process. */
import type { CreateGuest } from "../src/run/contract.ts";
import { VmProcess } from "./vm-process.ts";
import { createVmm } from "./vmm/create.ts";

export const createGuest: CreateGuest = (env, plan, port) =>
  new VmProcess(env, plan, port, createVmm(env, plan, port));
