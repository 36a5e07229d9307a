/** Timed actions of a guest's timeline, and the same as a user injects them by name. */
import { UsageError } from "../../src/base/errors.ts";
import type { TimelineAction, TimelineEntry } from "../../src/scenario/types.ts";

/** What to do, without a time. */
export type Action = Omit<TimelineEntry, "at">;

const ACTIONS: readonly TimelineAction[] = [
  "boot",
  "reboot",
  "reset",
  "crash",
  "shutdown",
  "kill",
  "unbind",
  "bind",
  "mode",
  "cpu-offline",
  "cpu-online",
  "io-start",
  "io-stop",
  "link-up",
  "link-down",
  "ethtool-l",
  "self-test",
  "set-affinity",
  "wq-enable",
  "wq-disable",
  "rdma-up",
  "rdma-down",
  "kexec",
  "crash-kexec",
  "suspend",
  "resume",
  "msi-over-msix",
  "bist",
  "intx-swap",
  "migrate",
  "stall",
  "corrupt",
];

const MODES = ["intx", "msi", "msix"] as const;

/**
 * An action with its arguments, as a user types it: `reboot`, `mode intx`, `cpu-offline 3`,
 * `set-affinity 1 2 3` (a vector, and vCPUs).
 */
export function parseAction(text: string): Action {
  const [name = "", argument, ...cpus] = text.trim().split(/\s+/);
  const action = ACTIONS.find((known) => known === name);
  if (action === undefined) {
    throw new UsageError(`unknown guest action "${name}"`, {
      hint: `one of ${ACTIONS.join(", ")}`,
    });
  }
  if (action === "mode" || (action === "crash-kexec" && argument !== undefined)) {
    const to = MODES.find((mode) => mode === argument);
    if (to === undefined) throw new UsageError(`${action} to what?`, { hint: MODES.join(", ") });
    return { do: action, to };
  }
  if (action === "ethtool-l") {
    return { do: action, channels: count(argument, "how many channels?") };
  }
  if (action === "wq-enable" || action === "wq-disable") {
    return { do: action, queue: count(argument, "which work queue?") };
  }
  if (action === "set-affinity") {
    const vector = count(argument, "which vector?");
    return { do: action, vector, cpus: cpus.map((cpu) => count(cpu, "which CPUs?")) };
  }
  if (action === "stall") return { do: action, for: milliseconds(argument) };
  if (action !== "cpu-offline" && action !== "cpu-online") return { do: action };
  const cpu = Number(argument);
  if (!Number.isInteger(cpu) || cpu < 0) throw new UsageError(`${action}: which CPU?`);
  return { do: action, cpu };
}

/** `20`: ns of so many ms. */
function milliseconds(text: string | undefined): number {
  const ms = Number(text);
  if (text === undefined || !(ms > 0)) throw new UsageError("stall: for how many ms?");
  return ms * 1e6;
}

/** A number from 0 on, or what to ask for. */
function count(text: string | undefined, question: string): number {
  const number = Number(text);
  if (text === undefined || !Number.isInteger(number) || number < 0) throw new UsageError(question);
  return number;
}
