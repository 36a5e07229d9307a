import { beforeEach, describe, expect, it } from "vitest";
import { FATE } from "../../../../src/measure/fates.ts";
import type { GuestSpec, HostSpec } from "../../../../src/scenario/types.ts";
import {
  encodeIrqfd,
  encodeRouting,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  type KvmRoute,
} from "../../../../src/uapi/kvm.ts";
import { NVME, ROCKER, ROCKER_TEST_IRQ, TestVm } from "../vfio/machine.ts";

const MSIX = 2;
const DEASSIGN = 1;
const GSI = 30;
/** Rocker's first MSI-X row: INTx comes before it. */
const ROW = 1;

/** kvm_pi_irte_update as `gvec/vcpu/set`. */
let updates: string[] = [];
let wakes = 0;

beforeEach(() => {
  updates = [];
  wakes = 0;
});

interface Machine {
  readonly path?: GuestSpec["path"];
  readonly platform?: HostSpec["platform"];
}

function setUp({ path = "posted", platform = "x86-vtd" }: Machine = {}) {
  const tracer = {
    emit: (point: string, args: Readonly<Record<string, string | number>> = {}) => {
      if (point === "kvm_pi_irte_update") updates.push(`${args.gvec}/${args.vcpu}/${args.set}`);
    },
  };
  const waker = { wake: () => void wakes++ };
  const host = { platform, irtes: 512 };
  const vm = new TestVm([ROCKER, NVME], host, 64, tracer, { path, vcpus: 2, waker });
  vm.open("rk");
  vm.open("n8");
  vm.configWrite("rk", 4, 2, 0x6);
  const kvm = vm.call({ op: "open", path: "/dev/kvm" }).ret;
  const out = new Int32Array(2048);
  return {
    vm,
    kvm,
    route: (...routes: KvmRoute[]): number =>
      vm.call({ op: "ioctl", fd: kvm, cmd: KVM_SET_GSI_ROUTING, arg: encodeRouting(routes) }).ret,
    irqfd: (fd: number, gsi = GSI, flags = 0): number => {
      const arg = encodeIrqfd({ fd, gsi, flags, resamplefd: -1 });
      return vm.call({ op: "ioctl", fd: kvm, cmd: KVM_IRQFD, arg }).ret;
    },
    arm: (fd: number, vector = 0): number => vm.set("rk", MSIX, vector, [fd]),
    /** How often the guest is woken for it, beside the answer to the write. */
    raise: (vector = 0): number => {
      wakes = -1;
      vm.barWrite("rk", 0, ROCKER_TEST_IRQ, vector);
      return wakes;
    },
    /** What was posted, and what KVM injected, as vCPU << 8 | vector. */
    taken: () => ({
      posted: [...out.subarray(0, vm.port.posted.take(out))],
      injected: [...out.subarray(0, vm.port.interrupts.take(out))],
    }),
    fate: (name: keyof typeof FATE, row = ROW): number => {
      const { fates } = vm.host.report().guests[0]!;
      return fates[row * Object.keys(FATE).length + FATE[name]]!;
    },
    /** Tokens that left for the guest. */
    sent: (): number => vm.host.report().guests[0]!.injected[ROW]!,
  };
}

const msi = (vector: number, vcpu = 0, data = 0, address = 0, gsi = GSI): KvmRoute => ({
  gsi,
  type: "msi",
  addressLo: (0xfee00000 + vcpu * 0x1000) | address,
  addressHi: 0,
  data: vector | data,
});

const POSTED = { posted: [0x41], injected: [] };
const INJECTED = { posted: [], injected: [0x41] };

/** A vector whose irqfd and trigger have met. */
function posted(machine: Machine = {}) {
  const m = setUp(machine);
  const trigger = m.vm.eventfd();
  m.route(msi(0x41));
  m.irqfd(trigger.fd);
  m.arm(trigger.fd);
  return { ...m, trigger };
}

describe("an eventfd that is both a vector's trigger and an irqfd", () => {
  it("lets the device post past the host: no handler, no signal, one notification", () => {
    const { raise, taken, vm, trigger, sent } = posted();
    expect([raise(), taken(), sent()]).toEqual([1, POSTED, 1]);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    expect(updates).toEqual(["65/0/1"]);
  });

  it("does so whichever comes first", () => {
    const { vm, route, irqfd, arm, raise, taken } = setUp();
    const trigger = vm.eventfd();
    arm(trigger.fd);
    raise();
    expect(vm.readEventfd(trigger.slot)).toBe(1n);
    route(msi(0x41));
    irqfd(trigger.fd);
    raise();
    expect(taken()).toEqual(POSTED);
  });

  it("does so again after the trigger or the irqfd has gone and come back", () => {
    const { vm, trigger, irqfd, arm, raise, taken } = posted();
    arm(-1);
    arm(trigger.fd);
    raise();
    expect(taken()).toEqual(POSTED);
    irqfd(trigger.fd, GSI, DEASSIGN);
    raise();
    expect([taken(), vm.readEventfd(trigger.slot)]).toEqual([{ posted: [], injected: [] }, 1n]);
    irqfd(trigger.fd);
    raise();
    expect(taken()).toEqual(POSTED);
    expect(updates.map((update) => update.at(-1))).toEqual(["1", "0", "1", "0", "1"]);
  });

  it("merges what comes again before the vCPU has looked, and notifies once", () => {
    const { raise, taken, fate } = posted();
    expect([raise(), raise(), raise()]).toEqual([1, 0, 0]);
    expect([fate("coalesced-pir"), taken()]).toEqual([2, POSTED]);
  });

  it("stays with the irqfd where the eventfd has a producer already", () => {
    const { trigger, arm, raise, taken } = posted();
    arm(trigger.fd, 1);
    raise(1);
    expect(taken()).toEqual(INJECTED);
    raise(0);
    expect(taken()).toEqual(POSTED);
  });

  it("is injected when vfio is told to trigger it itself", () => {
    const { vm, taken } = posted();
    vm.setRaw("rk", MSIX, 0, 1, 0x21);
    expect(taken()).toEqual(INJECTED);
  });
});

describe("a route", () => {
  it("that changes takes the entry along, one that does not leaves it alone", () => {
    const { route, raise, taken } = posted();
    route(msi(0x41), msi(0x50, 0, 0, 0, 31));
    expect(updates).toEqual(["65/0/1"]);
    route(msi(0x42, 1));
    raise();
    expect([taken().posted, updates]).toEqual([[0x142], ["65/0/1", "66/1/1"]]);
  });

  it("keeps what was posted to the old vector", () => {
    const { route, raise, taken } = posted();
    raise();
    route(msi(0x42));
    raise();
    expect(taken().posted).toEqual([0x42, 0x41]);
  });

  const SMI = 2 << 8;
  const NMI = 4 << 8;
  const LOGICAL = 4;
  const PIN: KvmRoute = { gsi: GSI, type: "irqchip", irqchip: 2, pin: 5 };
  it.each<[string, KvmRoute[]]>([
    ["to all vCPUs", [msi(0x41, 0xff)]],
    ["to a set of logical IDs", [msi(0x41, 0, 0, LOGICAL)]],
    ["of an SMI", [msi(0x41, 0, SMI)]],
    ["of an NMI", [msi(0x41, 0, NMI)]],
    ["with an illegal vector", [msi(0x0f)]],
    ["to a vCPU that does not exist", [msi(0x41, 2)]],
    ["to a pin", [PIN]],
    ["that is gone", []],
  ])("%s is the host's again, and posted as soon as it can be", (_, routes) => {
    const { vm, trigger, route, raise, taken } = posted();
    route(...routes);
    raise();
    expect(taken().posted).toEqual([]);
    expect(vm.readEventfd(trigger.slot)).toBe(0n);
    route(msi(0x41));
    raise();
    expect(taken().posted).toEqual([0x41]);
  });

  it("of lowest priority to one vCPU is posted like a fixed one", () => {
    const { route, raise, taken } = posted();
    route(msi(0x41, 1, 1 << 8));
    raise();
    expect(taken().posted).toEqual([0x141]);
  });
});

describe("posting ends", () => {
  it("when QEMU swaps the eventfd of a masked vector; what was posted is not lost", () => {
    const { vm, raise, arm, taken, fate, sent } = posted();
    const own = vm.eventfd();
    raise();
    arm(own.fd);
    raise();
    expect(vm.readEventfd(own.slot)).toBe(1n);
    expect(taken()).toEqual(POSTED);
    expect([sent(), fate("coalesced-pir"), vm.raised(ROW)]).toEqual([1, 0, 2]);
  });

  it("when the eventfd is closed", () => {
    const { vm, trigger, raise, taken, fate } = posted();
    vm.close(trigger.fd);
    raise();
    expect([taken().posted, fate("dropped-closed")]).toEqual([[], 1]);
  });

  it("when the VM is closed", () => {
    const { vm, kvm, trigger, raise, taken } = posted();
    vm.close(kvm);
    raise();
    expect([taken().posted, vm.readEventfd(trigger.slot)]).toEqual([[], 1n]);
  });

  it("when MSI-X is turned off, or the device closed, and no irq is freed that still posts", () => {
    const { vm, raise, taken } = posted();
    vm.set("rk", MSIX, 0, 0);
    raise();
    expect(taken().posted).toEqual([]);
    vm.close(vm.fd("rk"));
    expect(updates.at(-1)).toBe("65/0/0");
  });
});

describe("nothing is posted", () => {
  it.each<[string, Machine]>([
    ["on the irqfd path", { path: "irqfd" }],
    ["behind an AMD IOMMU", { platform: "x86-amd" }],
    ["without interrupt remapping", { platform: "x86-flat" }],
  ])("%s", (_, machine) => {
    const { raise, taken } = posted(machine);
    raise();
    expect([taken(), updates]).toEqual([INJECTED, []]);
  });

  it("without an irqfd, as with x-no-kvm-msix: the signal goes to userspace", () => {
    const { vm, arm, raise, taken } = setUp();
    const trigger = vm.eventfd();
    arm(trigger.fd);
    raise();
    expect([taken().posted, vm.readEventfd(trigger.slot)]).toEqual([[], 1n]);
  });
});
