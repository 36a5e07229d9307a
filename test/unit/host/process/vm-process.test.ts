import { Packr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { Prng } from "../../../../src/base/prng.ts";
import { EDU, NVME, TestVm } from "../vfio/machine.ts";

const EBADF = -9;
const EINVAL = -22;
const EMFILE = -24;
const ENOENT = -2;
const ENOTTY = -25;
const EBUSY = -16;

/** Puts raw bytes into the request ring, as a hostile guest would. */
function scribble(vm: TestVm, payload: Uint8Array): void {
  const ring = vm.port.requests;
  const slot = ring.reserve();
  if (slot < 0) return;
  const at = slot * ring.shape.slotBytes;
  ring.words[at >>> 2] = payload.length;
  ring.bytes.set(payload, at + 4);
  ring.commit();
  ring.publish();
}

describe("system calls", () => {
  it("open what the process was given, and nothing else", () => {
    const vm = new TestVm([EDU]);
    expect(vm.call({ op: "open", path: "/dev/vfio/other" }).ret).toBe(ENOENT);
    expect(vm.call({ op: "open", path: "/etc/passwd" }).ret).toBe(ENOENT);
    expect(vm.open("edu")).toBe(3);
    expect(vm.call({ op: "open", path: "/dev/vfio/edu" }).ret).toBe(EBUSY);
  });

  it("refuse calls that the file is not for", () => {
    const vm = new TestVm([EDU]);
    const { fd } = vm.eventfd();
    expect(vm.call({ op: "ioctl", fd, cmd: 0x3b6e, arg: new Uint8Array(20) }).ret).toBe(ENOTTY);
    expect(vm.call({ op: "ioctl", fd: 99, cmd: 0, arg: new Uint8Array(0) }).ret).toBe(EBADF);
    expect(vm.call({ op: "pread", fd, offset: 0, count: 4 }).ret).toBe(EINVAL);
    expect(vm.close(99)).toBe(EBADF);
  });

  it("run out of eventfds with EMFILE, and get a slot back with the last reference only", () => {
    const vm = new TestVm([NVME], {}, 4);
    vm.open("n8");
    const eventfds = [vm.eventfd(), vm.eventfd(), vm.eventfd(), vm.eventfd()];
    expect(vm.eventfd().fd).toBe(EMFILE);
    expect(vm.set("n8", 2, 0, [eventfds[0]!.fd])).toBe(0);
    vm.close(eventfds[0]!.fd);
    expect(vm.eventfd().fd).toBe(EMFILE);
    vm.set("n8", 2, 0, 0);
    expect(vm.eventfd().fd).toBeGreaterThan(0);
  });

  it("refuse unknown eventfd2 flags", () => {
    const vm = new TestVm([EDU]);
    expect(vm.call({ op: "eventfd2", initval: 0, flags: 0x10 }).ret).toBe(EINVAL);
  });
});

describe("a hostile VM process", () => {
  it("is answered with EINVAL where a request makes no sense but has an id", () => {
    const vm = new TestVm([EDU]);
    const bad = { op: "ioctl", fd: "three", cmd: 1, arg: new Uint8Array(0) };
    expect(vm.call(bad as never).ret).toBe(EINVAL);
    expect(vm.host.report().guests[0]!.hostile).toEqual({ "bad-fd": 1 });
  });

  it("cannot crash the host with bytes of any kind, and neighbours' calls still work", () => {
    const vm = new TestVm([EDU, NVME]);
    const random = Prng.stream(1, "hostile");
    const packr = new Packr();
    const values = [null, 7, "x", [], {}, { id: 1 }, { id: -1, op: "open" }, { id: 2, op: {} }];
    for (let i = 0; i < 300; i++) {
      const bytes = Uint8Array.from({ length: random.nextBelow(64) }, () => random.nextBelow(256));
      scribble(vm, random.nextBelow(2) === 0 ? bytes : packr.pack(values[i % values.length]));
      vm.sleep(1000);
    }
    expect(vm.open("edu")).toBeGreaterThanOrEqual(3);
    const { hostile } = vm.host.report().guests[0]!;
    expect(Object.values(hostile).reduce((a, b) => a + b, 0)).toBeGreaterThan(250);
  });

  it("cannot crash the host with ioctl arguments of any kind", () => {
    const vm = new TestVm([EDU, NVME]);
    vm.open("edu");
    vm.open("n8");
    const kvm = vm.call({ op: "open", path: "/dev/kvm" }).ret;
    const random = Prng.stream(2, "hostile");
    const cmds = [0x3b6b, 0x3b6c, 0x3b6d, 0x3b6e, 0x3b6f, 0x4008ae6a, 0x4020ae76, 0];
    const fds = [vm.fd("edu"), vm.fd("n8"), kvm];
    for (let i = 0; i < 400; i++) {
      const arg = Uint8Array.from({ length: random.nextBelow(80) }, () =>
        random.nextBelow(4) === 0 ? random.nextBelow(256) : random.nextBelow(3),
      );
      const cmd = cmds[random.nextBelow(cmds.length)]!;
      const fd = fds[random.nextBelow(fds.length)]!;
      expect(vm.call({ op: "ioctl", fd, cmd, arg }).ret).toBeLessThanOrEqual(0);
    }
    expect(vm.host.report().pool.irqsHeld).toBeLessThanOrEqual(9);
  });

  it("rings doorbells and marks eventfds it does not have without any effect", () => {
    const vm = new TestVm([EDU]);
    for (let slot = 0; slot < 64; slot++) vm.port.hostPoll.mark(slot);
    vm.sleep(1000);
    expect(vm.open("edu")).toBeGreaterThanOrEqual(3);
  });
});

describe("taking a device away", () => {
  it("asks userspace again every ten seconds until it closes, and then refuses to open", () => {
    const vm = new TestVm([EDU]);
    vm.open("edu");
    const request = vm.eventfd();
    expect(vm.set("edu", 4, 0, [request.fd])).toBe(0);
    vm.host.unbind("edu");
    vm.sleep(25e9);
    expect(vm.readEventfd(request.slot)).toBe(3n);
    vm.close(vm.fd("edu"));
    vm.sleep(25e9);
    expect(vm.readEventfd(request.slot)).toBe(0n);
    expect(vm.open("edu")).toBe(ENOENT);
    vm.host.bind("edu");
    expect(vm.open("edu")).toBeGreaterThanOrEqual(3);
  });
});
