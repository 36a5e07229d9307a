/** Puts threads on CPUs of the user's choice: sched_setaffinity(2) by taskset(1) of util-linux. */
import { execFile } from "node:child_process";
import type { ThreadInfo } from "../outcome.ts";
import type { Warning } from "../result.ts";

const LIMIT_MS = 5_000;

/** `0-3,8` as taskset prints it; null if it is no such list. */
export function parseCpuList(text: string): number[] | null {
  const cpus: number[] = [];
  for (const part of text.trim().split(",")) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (first === undefined) return null;
    for (let cpu = Number(first); cpu <= Number(last); cpu++) cpus.push(cpu);
  }
  return cpus;
}

/** CPUs that this process may run on; null where nobody can tell. */
export async function allowedCpus(): Promise<number[] | null> {
  try {
    const printed = await taskset(["-p", "-c", `${process.pid}`]);
    return parseCpuList(printed.slice(printed.lastIndexOf(":") + 1));
  } catch {
    return null;
  }
}

/** The host's worker gets the first CPU, guests the others in turns. */
export function cpuOf(index: number, cpus: readonly number[]): number {
  if (index === 0 || cpus.length === 1) return cpus[0]!;
  return cpus[1 + ((index - 1) % (cpus.length - 1))]!;
}

/**
 * Pins each thread to one CPU, the host's first. Where single threads are not known by number the
 * whole process is confined to `cpus`. Returns what has to be said if it could not be done.
 */
export async function pinThreads(
  threads: readonly ThreadInfo[],
  cpus: readonly number[],
): Promise<Warning[]> {
  const list = cpus.join(",");
  try {
    if (threads.some(({ id }) => id === null)) {
      await taskset(["-a", "-p", "-c", list, `${process.pid}`]);
      return [
        {
          text: `the numbers of the threads are not known: all of them share CPUs ${list}`,
          advice: "for a CPU for each thread run where /proc/thread-self is",
        },
      ];
    }
    for (const [index, { id }] of threads.entries()) {
      await taskset(["-p", "-c", `${cpuOf(index, cpus)}`, `${id}`]);
    }
    return [];
  } catch (error) {
    return [unpinned(list, error as NodeJS.ErrnoException)];
  }
}

/** What it prints; rejects with its complaint. */
function taskset(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("taskset", args, { timeout: LIMIT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === "ENOENT") reject(error);
      else reject(new Error(stderr.trim().split("\n")[0] ?? error.message));
    });
  });
}

function unpinned(list: string, { code, message }: NodeJS.ErrnoException): Warning {
  const text = `threads are not pinned to CPUs ${list}`;
  if (code === "ENOENT") {
    return {
      text: `${text}: there is no taskset`,
      advice: "install util-linux; only Linux has it",
    };
  }
  return {
    text: `${text}: ${message}`,
    advice: "name CPUs that this process may use: taskset -pc $$ tells them",
  };
}
