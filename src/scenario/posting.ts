/** Whether a host can post interrupts to vCPUs, as `path: posted` asks of it. */
import type { Issue } from "./issues.ts";
import type { Platform } from "./types.ts";

const WHY: Readonly<Record<Exclude<Platform, "x86-vtd">, string>> = {
  "x86-amd": "AVIC has no descriptors, and is not modelled",
  "x86-flat": "nothing remaps interrupts there",
  "arm64-its": "GICv4 is not modelled",
  "arm64-v2m": "a GICv2m sends them to CPUs",
};

/** Reports every guest whose interrupts the host's platform cannot post. */
export function checkPosting(
  platform: Platform,
  guests: readonly { readonly name: string; readonly path?: string | undefined }[],
  report: (issue: Issue) => void,
): void {
  if (platform === "x86-vtd") return;
  for (const [i, { name, path }] of guests.entries()) {
    if (path !== "posted") continue;
    const message = `guest ${name}: ${platform} cannot post interrupts: ${WHY[platform]}`;
    const hint = "use path: irqfd, or platform: x86-vtd";
    report({ path: ["guests", i, "path"], message, hint });
  }
}
