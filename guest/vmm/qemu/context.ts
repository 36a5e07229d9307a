/** What the parts of one QEMU process share. */
import { FATE } from "../../../src/measure/fates.ts";
import type { MachineEnv } from "../../../src/run/contract.ts";
import type { Syscalls } from "../../syscalls.ts";
import type { MainLoop } from "../common/main-loop.ts";
import type { Counters } from "../counters.ts";
import type { Tokens } from "../tokens.ts";
import type { InterruptRemapping } from "./interrupt-remapping.ts";
import type { KvmIrqchip } from "./kvm-irqchip.ts";
import type { QemuProfile } from "./profile.ts";

export const DROPPED_RESET = FATE["dropped-guest-reset"];

export interface QemuContext {
  readonly env: MachineEnv;
  readonly profile: QemuProfile;
  readonly sys: Syscalls;
  readonly counters: Counters;
  readonly tokens: Tokens;
  readonly loop: MainLoop;
  /** Null without KVM; what goes through it `profile.bypass` says. */
  readonly kvm: KvmIrqchip | null;
  /** The guest's vIOMMU; null: messages are for the local APICs as they are. */
  readonly remapping: InterruptRemapping | null;
}
