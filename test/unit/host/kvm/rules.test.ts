/** Rules of virt/kvm/eventfd.c, virt/kvm/irqchip.c and arch/x86/kvm, one test a rule. */
import { describe, expect, it } from "vitest";
import { FATE, type Fate } from "../../../../src/measure/fates.ts";
import {
  encodeCapability,
  encodeEnableCap,
  encodeIrqfd,
  encodeRouting,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_IRQCHIP,
  KVM_ENABLE_CAP,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  type KvmIrqfd,
  type KvmRoute,
} from "../../../../src/uapi/kvm.ts";
import { ROCKER, ROCKER_TEST_IRQ, TestVm } from "../vfio/machine.ts";

const EBADF = -9;
const EFAULT = -14;
const EBUSY = -16;
const EEXIST = -17;
const EINVAL = -22;
const ENOTTY = -25;
const DEASSIGN = 1;
const RESAMPLE = 2;
const MSIX = 2;
/** Rows of the one device: INTx, then MSI-X vectors. */
const VECTOR_0 = 1;
const GSI = 30;
const CAP_IRQ_ROUTING = 25;
const CAP_SPLIT_IRQCHIP = 121;
const ROUTES_MAX = 4096;

const msi = (gsi: number, vector = 0x41): KvmRoute => ({
  gsi,
  type: "msi",
  addressLo: 0xfee00000,
  addressHi: 0,
  data: vector,
});
const pin = (gsi: number, irqchip: number, at: number): KvmRoute => ({
  gsi,
  type: "irqchip",
  irqchip,
  pin: at,
});

class Machine {
  readonly vm = new TestVm([ROCKER]);
  readonly kvm: number;

  constructor() {
    this.vm.open("rk");
    this.vm.configWrite("rk", 4, 2, 0x6);
    this.kvm = this.vm.call({ op: "open", path: "/dev/kvm" }).ret;
  }

  ioctl(cmd: number, arg: Uint8Array): number {
    return this.vm.call({ op: "ioctl", fd: this.kvm, cmd, arg }).ret;
  }

  irqfd(args: Partial<KvmIrqfd>): number {
    const arg = encodeIrqfd({ fd: -1, gsi: GSI, flags: 0, resamplefd: -1, ...args });
    return this.ioctl(KVM_IRQFD, arg);
  }

  route(...routes: KvmRoute[]): number {
    return this.ioctl(KVM_SET_GSI_ROUTING, encodeRouting(routes));
  }

  /** Rocker's vector 0 on an eventfd of its own. */
  armed(): { fd: number; slot: number } {
    const trigger = this.vm.eventfd();
    expect(this.vm.set("rk", MSIX, 0, [trigger.fd])).toBe(0);
    return trigger;
  }

  raise(times = 1): void {
    for (let i = 0; i < times; i++) this.vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
  }

  taken(): number[] {
    const out = new Int32Array(1024);
    return [...out.subarray(0, this.vm.port.interrupts.take(out))];
  }

  fate(name: Fate): number {
    const { fates } = this.vm.host.report().guests[0]!;
    return fates[VECTOR_0 * Object.keys(FATE).length + FATE[name]]!;
  }

  get injected(): number {
    return this.vm.host.report().guests[0]!.injected[VECTOR_0]!;
  }
}

describe("an irqfd on an eventfd that is readable already", () => {
  it("injects at once, with the token that was there, and the count stays", () => {
    const machine = new Machine();
    const trigger = machine.armed();
    machine.route(msi(GSI));
    machine.raise();
    expect(machine.irqfd({ fd: trigger.fd })).toBe(0);
    expect(machine.taken()).toEqual([0x41]);
    expect(machine.injected).toBe(1);
    expect(machine.vm.port.eventfds.count(trigger.slot)).toBe(1n);
  });

  it("injects once however often it was signalled: the others have merged with the oldest", () => {
    const machine = new Machine();
    const trigger = machine.armed();
    machine.route(msi(GSI));
    machine.raise(3);
    machine.irqfd({ fd: trigger.fd });
    expect(machine.taken()).toEqual([0x41]);
    expect([machine.injected, machine.fate("coalesced-eventfd")]).toEqual([1, 2]);
    expect(machine.vm.raised(VECTOR_0)).toBe(3);
  });

  it("takes the old count away with the next signal, whose token is the only one then", () => {
    const machine = new Machine();
    const trigger = machine.armed();
    machine.route(msi(GSI));
    machine.raise();
    machine.irqfd({ fd: trigger.fd });
    machine.raise();
    expect(machine.taken()).toEqual([0x41, 0x41]);
    expect([machine.injected, machine.fate("coalesced-eventfd")]).toEqual([2, 0]);
    expect(machine.vm.readEventfd(trigger.slot)).toBe(0n);
  });

  it("loses the token where its GSI has no route", () => {
    const machine = new Machine();
    const trigger = machine.armed();
    machine.raise();
    machine.irqfd({ fd: trigger.fd });
    expect([machine.injected, machine.fate("dropped-no-handler")]).toEqual([0, 1]);
  });

  it("injects with no token for a count that userspace wrote", () => {
    const machine = new Machine();
    const trigger = machine.vm.eventfd(7);
    machine.route(msi(GSI));
    machine.irqfd({ fd: trigger.fd });
    expect(machine.taken()).toEqual([0x41]);
    expect(machine.injected).toBe(0);
  });

  it("leaves nothing in the counter when it goes (eventfd_ctx_remove_wait_queue)", () => {
    const machine = new Machine();
    const trigger = machine.armed();
    machine.route(msi(GSI));
    machine.raise();
    machine.irqfd({ fd: trigger.fd });
    machine.irqfd({ fd: trigger.fd, flags: DEASSIGN });
    expect(machine.vm.readEventfd(trigger.slot)).toBe(0n);
    machine.raise();
    expect(machine.vm.readEventfd(trigger.slot)).toBe(1n);
  });
});

describe("KVM_IRQFD", () => {
  it("takes an eventfd once a VM: -EBUSY for any GSI, until it is deassigned", () => {
    const machine = new Machine();
    const { fd } = machine.vm.eventfd();
    expect(machine.irqfd({ fd })).toBe(0);
    expect(machine.irqfd({ fd })).toBe(EBUSY);
    expect(machine.irqfd({ fd, gsi: GSI + 1 })).toBe(EBUSY);
    expect(machine.irqfd({ fd, flags: DEASSIGN })).toBe(0);
    expect(machine.irqfd({ fd, gsi: GSI + 1 })).toBe(0);
  });

  it("looks at the eventfd first, then at the resample eventfd, then whether it is taken", () => {
    const machine = new Machine();
    const [taken, free] = [machine.vm.eventfd().fd, machine.vm.eventfd().fd];
    machine.irqfd({ fd: taken, gsi: 20 });
    expect(machine.irqfd({ fd: 99, flags: RESAMPLE, resamplefd: machine.kvm })).toBe(EBADF);
    expect(machine.irqfd({ fd: taken, flags: RESAMPLE, resamplefd: machine.kvm })).toBe(EINVAL);
    expect(machine.irqfd({ fd: taken, flags: RESAMPLE, resamplefd: free })).toBe(EBUSY);
  });

  it("does not care whether a GSI has a route, or can ever have one", () => {
    const machine = new Machine();
    expect(machine.irqfd({ fd: machine.vm.eventfd().fd, gsi: ROUTES_MAX })).toBe(0);
    expect(machine.irqfd({ fd: machine.vm.eventfd().fd, gsi: 2 ** 32 - 1 })).toBe(0);
  });

  it("puts several eventfds on one GSI", () => {
    const machine = new Machine();
    for (let i = 0; i < 3; i++) expect(machine.irqfd({ fd: machine.vm.eventfd().fd })).toBe(0);
  });

  it("deassigns what has both the eventfd and the GSI, and is content with nothing", () => {
    const machine = new Machine();
    const { fd } = machine.vm.eventfd();
    expect(machine.irqfd({ fd, flags: DEASSIGN })).toBe(0);
    machine.irqfd({ fd });
    expect(machine.irqfd({ fd, gsi: GSI + 1, flags: DEASSIGN })).toBe(0);
    expect(machine.irqfd({ fd })).toBe(EBUSY);
  });

  it("deassigns no descriptor that is closed (-EBADF) or no eventfd (-EINVAL)", () => {
    const machine = new Machine();
    expect(machine.irqfd({ fd: 99, flags: DEASSIGN })).toBe(EBADF);
    expect(machine.irqfd({ fd: machine.kvm, flags: DEASSIGN })).toBe(EINVAL);
  });

  it("reads 32 bytes, or -EFAULT", () => {
    expect(new Machine().ioctl(KVM_IRQFD, new Uint8Array(31))).toBe(EFAULT);
  });
});

describe("KVM_SET_GSI_ROUTING", () => {
  const table = (n: number): KvmRoute[] => Array.from({ length: n }, (_, gsi) => msi(gsi));

  it("takes as many routes as KVM_CAP_IRQ_ROUTING says, and one more is -EINVAL", () => {
    const machine = new Machine();
    const limit = machine.ioctl(KVM_CHECK_EXTENSION, encodeCapability(CAP_IRQ_ROUTING));
    expect(limit).toBe(ROUTES_MAX);
    expect(machine.route(...table(limit))).toBe(0);
    expect(machine.route(...table(limit), msi(0))).toBe(EINVAL);
  });

  it("looks at number and flags before it reads the routes, or -EFAULT", () => {
    const machine = new Machine();
    const header = (nr: number, flags: number): Uint8Array =>
      new Uint8Array(new Uint32Array([nr, flags]).buffer);
    expect(machine.ioctl(KVM_SET_GSI_ROUTING, header(ROUTES_MAX + 1, 0))).toBe(EINVAL);
    expect(machine.ioctl(KVM_SET_GSI_ROUTING, header(1, 1))).toBe(EINVAL);
    expect(machine.ioctl(KVM_SET_GSI_ROUTING, header(1, 0))).toBe(EFAULT);
    expect(machine.ioctl(KVM_SET_GSI_ROUTING, new Uint8Array(7))).toBe(EFAULT);
    expect(machine.ioctl(KVM_SET_GSI_ROUTING, header(0, 0))).toBe(0);
  });

  it("moves irqfds that are there already", () => {
    const machine = new Machine();
    const { fd } = machine.armed();
    machine.route(msi(GSI, 0x41));
    machine.irqfd({ fd });
    machine.route(msi(GSI, 0x52));
    machine.raise();
    expect(machine.taken()).toEqual([0x52]);
  });

  it("leaves all as it was where one route is refused", () => {
    const machine = new Machine();
    const { fd } = machine.armed();
    machine.route(msi(GSI));
    machine.irqfd({ fd });
    expect(machine.route(msi(GSI, 0x52), msi(ROUTES_MAX))).toBe(EINVAL);
    machine.raise();
    expect(machine.taken()).toEqual([0x41]);
  });

  it("takes routes away: what is signalled then is lost, and told", () => {
    const machine = new Machine();
    const { fd } = machine.armed();
    machine.route(msi(GSI));
    machine.irqfd({ fd });
    machine.route();
    machine.raise();
    expect([machine.taken().length, machine.fate("dropped-no-handler")]).toEqual([0, 1]);
  });
});

describe("a split irqchip", () => {
  function split(): Machine {
    const machine = new Machine();
    expect(machine.ioctl(KVM_ENABLE_CAP, encodeEnableCap(CAP_SPLIT_IRQCHIP, 24))).toBe(0);
    return machine;
  }

  it("has no pins: routes to an irqchip are -EINVAL, messages are not", () => {
    const machine = split();
    expect(machine.route(pin(20, 2, 20))).toBe(EINVAL);
    expect(machine.route(pin(3, 0, 3))).toBe(EINVAL);
    expect(machine.route(msi(20))).toBe(0);
  });

  it("has no route at the start", () => {
    const machine = split();
    const { fd } = machine.armed();
    machine.irqfd({ fd, gsi: 20 });
    machine.raise();
    expect(machine.fate("dropped-no-handler")).toBe(1);
  });

  it("keeps its routes while KVM is asked what it can", () => {
    const machine = split();
    const { fd } = machine.armed();
    machine.route(msi(20));
    machine.ioctl(KVM_CHECK_EXTENSION, encodeCapability(CAP_SPLIT_IRQCHIP));
    machine.irqfd({ fd, gsi: 20 });
    machine.raise();
    expect(machine.taken()).toEqual([0x41]);
  });

  it("refuses an irqfd with resample before it looks at descriptors: nobody sees the EOI", () => {
    const machine = split();
    const { fd } = machine.vm.eventfd();
    expect(machine.irqfd({ fd: 99, flags: RESAMPLE, resamplefd: fd })).toBe(EINVAL);
    expect(machine.irqfd({ fd })).toBe(0);
  });

  it("is there or not: a VM cannot have another irqchip later", () => {
    const machine = split();
    expect(machine.ioctl(KVM_CREATE_IRQCHIP, new Uint8Array(0))).toBe(EEXIST);
    const full = new Machine();
    expect(full.ioctl(KVM_CREATE_IRQCHIP, new Uint8Array(0))).toBe(0);
    expect(full.ioctl(KVM_ENABLE_CAP, encodeEnableCap(CAP_SPLIT_IRQCHIP, 24))).toBe(EEXIST);
  });

  it("has at most as many pins as there are routes; other capabilities cannot be enabled", () => {
    const machine = new Machine();
    const enable = (cap: number, arg: number): number =>
      machine.ioctl(KVM_ENABLE_CAP, encodeEnableCap(cap, arg));
    expect(enable(CAP_SPLIT_IRQCHIP, ROUTES_MAX + 1)).toBe(EINVAL);
    expect(enable(CAP_IRQ_ROUTING, 0)).toBe(EINVAL);
    expect(machine.ioctl(KVM_ENABLE_CAP, new Uint8Array(103))).toBe(EFAULT);
    expect(enable(CAP_SPLIT_IRQCHIP, ROUTES_MAX)).toBe(0);
  });
});

it("says 0 of capabilities it has not, and -ENOTTY of ioctls", () => {
  const machine = new Machine();
  expect(machine.ioctl(KVM_CHECK_EXTENSION, encodeCapability(9999))).toBe(0);
  expect(machine.ioctl(0xae99, new Uint8Array(8))).toBe(ENOTTY);
});
