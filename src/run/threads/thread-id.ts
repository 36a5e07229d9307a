/** The kernel's number of the calling thread, which Node does not tell (gettid(2), proc(5)). */
import { readlinkSync } from "node:fs";

/** Null where there is no /proc/thread-self. */
export function threadId(): number | null {
  try {
    // `PID/task/TID`.
    const id = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    return Number.isInteger(id) ? id : null;
  } catch {
    return null;
  }
}
