/** The shim that writes logs, under a small VMM, where there is a C compiler: replay takes it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { createHost } from "../../host/host.ts";
import { parseIoctlLog } from "../../src/conform/replay/log-parser.ts";
import { replayLog } from "../../src/conform/replay/replay.ts";
import { entryText } from "../../src/conform/replay/rows.ts";

const SHIM = fileURLToPath(new URL("./logs/vfio-log.c", import.meta.url));
const DIRECTORY = mkdtempSync(join(tmpdir(), "shim-"));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;

/** A kernel with one device: MSI-X of four vectors, one of which cannot be had. */
const KERNEL = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
int ioctl(int fd, unsigned long cmd, ...) {
  va_list list;
  va_start(list, cmd);
  uint32_t *arg = va_arg(list, uint32_t *);
  va_end(list);
  (void)fd;
  if (cmd == 0x3b6a) return open("/dev/null", O_RDWR);
  if (cmd == 0x3b6d) { arg[1] = 1; arg[3] = 4; return 0; }
  if (cmd == 0x3b6e && arg[3] + arg[4] > 4) { errno = EINVAL; return -1; }
  return 0;
}
`;
const VMM = `
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
int main(void) {
  int group = 99, device = ioctl(group, 0x3b6a, "0000:03:00.0");
  uint32_t info[4] = {16, 0, 2, 0};
  ioctl(device, 0x3b6d, info);
  int a = eventfd(0, 0), b = eventfd(0, 0);
  uint32_t set[7] = {28, 0x24, 2, 0, 2, a, b}, beyond[6] = {24, 0x24, 2, 4, 1, a};
  ioctl(device, 0x3b6e, set);
  ioctl(device, 0x3b6e, beyond);
  uint32_t irqfd[8] = {a, 24};
  ioctl(group, 0x4020ae76, irqfd);
  uint32_t off[5] = {20, 0x21, 2, 0, 0};
  ioctl(device, 0x3b6e, off);
  ioctl(device, 0x3b6f);
  close(b);
  close(device);
  return 0;
}
`;

function compile(name: string, source: string, flags: readonly string[]): string {
  const path = join(DIRECTORY, name);
  execFileSync("gcc", [...flags, "-o", path, "-x", "c", "-"], { input: source });
  return path;
}

it.skipIf(!hasCompiler)("a VMM under the shim writes a log that replays without divergence", () => {
  const library = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"];
  const shim = compile("vfio-log.so", readFileSync(SHIM, "utf8"), library);
  const kernel = compile("kernel.so", KERNEL, library);
  const vmm = compile("vmm", VMM, []);
  const file = join(DIRECTORY, "vmm.log.jsonl");
  execFileSync(vmm, { env: { ...process.env, VFIO_LOG: file, LD_PRELOAD: `${shim} ${kernel}` } });
  const log = parseIoctlLog(readFileSync(file, "utf8"), file);
  expect(log.entries.map(entryText)).toEqual([
    "open",
    "get_irq_info MSIX",
    expect.stringMatching(/^eventfd \d+$/),
    expect.stringMatching(/^eventfd \d+$/),
    expect.stringMatching(/^MSIX 0 2 EVENTFD\|TRIGGER \[\d+ \d+\]$/),
    expect.stringMatching(/^MSIX 4 1 EVENTFD\|TRIGGER \[\d+\]$/),
    expect.stringMatching(/^irqfd assign \d+ gsi 24$/),
    "MSIX 0 0 NONE|TRIGGER",
    "reset",
    expect.stringMatching(/^close eventfd \d+$/),
    "close",
  ]);
  const { divergences, devices } = replayLog(log, { createHost }, entryText);
  expect(divergences).toEqual([]);
  expect(devices[0]).toMatchObject({ name: "0000:03:00.0", about: "4 MSI-X, reset" });
});
