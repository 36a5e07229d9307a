/** The same eventfd on two vectors (recordings h04 h24, and kernel messages of random-irte/). */
import { describe, expect, it } from "vitest";
import { createHost } from "../../../../host/host.ts";
import { RecorderVm } from "../../../../src/conform/recorder-vm.ts";
import type { HostSpec } from "../../../../src/scenario/types.ts";
import { encodeIrqSet, packFds, VFIO_DEVICE_SET_IRQS } from "../../../../src/uapi/vfio.ts";
import { EVENTFD_TRIGGER, HOST, NVME, ROCKER } from "./machine.ts";

const MSIX = 2;

/** A process with two devices open, and what its kernel printed. */
function machine(kernel: HostSpec["kernel"] = "linux-6.12") {
  const messages: string[] = [];
  const tracer = {
    emit: (point: string, args: Readonly<Record<string, string | number>> = {}) => {
      if (point === "printk") messages.push(String(args.text));
    },
  };
  const vm = new RecorderVm(createHost, { ...HOST, kernel }, [NVME, ROCKER], 8, tracer);
  const fds = [NVME, ROCKER].map(({ name }) => {
    return vm.call({ op: "open", path: `/dev/vfio/${name}` }).ret;
  });
  // What opening printed is nobody's business here.
  messages.length = 0;
  const set = (device: number, start: number, ...eventfds: number[]): number => {
    const data = packFds(eventfds);
    const header = { flags: EVENTFD_TRIGGER, index: MSIX, start, count: eventfds.length };
    const arg = encodeIrqSet({ argsz: 20 + data.length, ...header }, data);
    return vm.call({ op: "ioctl", fd: fds[device]!, cmd: VFIO_DEVICE_SET_IRQS, arg }).ret;
  };
  const eventfd = (): number => vm.call({ op: "eventfd2", initval: 0, flags: 0 }).ret;
  return { set, eventfd, take: () => messages.splice(0) };
}

const refused = (bdf: string, word = "token") =>
  expect.stringMatching(
    new RegExp(`^vfio-pci ${bdf}: irq bypass producer \\(${word} \\d+\\) registration fails: -16$`),
  );

describe("an eventfd on two vectors", () => {
  it("works, and the kernel says once for each further one that there is no bypass", () => {
    const { set, eventfd, take } = machine();
    const [e0, e1] = [eventfd(), eventfd()];
    expect(set(0, 0, e0, e1, e0, e0)).toBe(0);
    expect(take()).toEqual([refused("0000:00:01.0"), refused("0000:00:01.0")]);
  });

  it("is refused on another device too", () => {
    const { set, eventfd, take } = machine();
    const e0 = eventfd();
    set(0, 0, e0);
    set(1, 0, e0);
    expect(take()).toEqual([refused("0000:00:02.0")]);
  });

  it("is registered anew once the first has gone, and not before", () => {
    const { set, eventfd, take } = machine();
    const e0 = eventfd();
    set(0, 0, e0, e0);
    // The refused one goes: the first is still there.
    set(0, 1, -1);
    set(0, 1, e0);
    expect(take()).toHaveLength(2);
    set(0, 0, -1, -1);
    set(0, 1, e0);
    expect(take()).toEqual([]);
  });

  it("replaced by itself on its own vector is no second one", () => {
    const { set, eventfd, take } = machine();
    const e0 = eventfd();
    set(0, 0, e0);
    set(0, 0, e0);
    expect(take()).toEqual([]);
  });

  it("is called an eventfd by Linux 7.2", () => {
    const { set, eventfd, take } = machine("linux-7.2");
    const e0 = eventfd();
    set(0, 0, e0, e0);
    expect(take()).toEqual([refused("0000:00:01.0", "eventfd")]);
  });
});
