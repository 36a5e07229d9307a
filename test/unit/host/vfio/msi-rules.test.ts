/** MSI and MSI-X of vfio-pci, rule by rule (recordings h01 to h09; vfio_pci_intrs.c). */
import { describe, expect, it } from "vitest";
import type { DeviceSpec, HostSpec } from "../../../../src/scenario/types.ts";
import { encodeIrqSet, VFIO_DEVICE_RESET } from "../../../../src/uapi/vfio.ts";
import { EDU, NVME, ROCKER, ROCKER_TEST_IRQ, TestVm } from "./machine.ts";

const [EINVAL, EBADF, ENOSPC, ERANGE] = [-22, -9, -28, -34];
const [INTX, MSI, MSIX] = [0, 1, 2];
const [BOOL, TRIGGER] = [2, 32];
const SET_IRQS = 0x3b6e;
const CLOSED = 60_000;
const XHCI: DeviceSpec = { name: "x16", model: "nec-usb-xhci", msixVectors: 16, msiVectors: 16 };

class Vm extends TestVm {
  constructor(host: Partial<HostSpec> = {}) {
    super([ROCKER, EDU, XHCI, NVME], host);
    for (const name of ["rk", "edu", "x16", "n8"]) this.open(name);
    this.configWrite("rk", 4, 2, 0x6);
  }

  /** Fresh eventfds. */
  fds(count: number): number[] {
    return Array.from({ length: count }, () => this.eventfd().fd);
  }

  state(name = "rk") {
    const { kind, held, armed } = this.host.inspect(name);
    return { kind, held: held.length, armed };
  }

  /** DATA_BOOL from `start` on. */
  setBool(name: string, index: number, start: number, values: number[]): number {
    const header = { argsz: 20 + values.length, flags: BOOL | TRIGGER, index, start };
    const arg = encodeIrqSet({ ...header, count: values.length }, Uint8Array.from(values));
    return this.call({ op: "ioctl", fd: this.fd(name), cmd: SET_IRQS, arg }).ret;
  }

  inUse(): { vectors: number; irtes: number } {
    const { vectorsUsed, irtesUsed } = this.host.report().pool;
    return { vectors: vectorsUsed, irtes: irtesUsed };
  }
}

describe("modes exclude each other:", () => {
  it("with another mode on, every trigger of MSI or MSI-X is EINVAL", () => {
    const vm = new Vm();
    vm.set("x16", MSI, 0, vm.fds(2));
    expect(vm.set("x16", MSIX, 0, vm.fds(2))).toBe(EINVAL);
    expect(vm.set("x16", MSIX, 0, 1)).toBe(EINVAL);
    expect(vm.set("x16", INTX, 0, vm.fds(1))).toBe(EINVAL);
    expect(vm.state("x16")).toEqual({ kind: "msi", held: 2, armed: [0, 1] });
    vm.set("x16", MSI, 0, 0);
    expect(vm.set("x16", INTX, 0, vm.fds(1))).toBe(0);
    expect(vm.set("x16", MSI, 0, vm.fds(2))).toBe(EINVAL);
    expect(vm.host.inspect("x16").intx).toBe(true);
  });

  it("disabling a mode that is not on is EINVAL, also where none is on", () => {
    const vm = new Vm();
    expect(vm.set("x16", MSIX, 0, 0)).toBe(EINVAL);
    vm.set("x16", MSIX, 0, vm.fds(1));
    expect(vm.set("x16", MSI, 0, 0)).toBe(EINVAL);
    expect(vm.set("x16", MSIX, 0, 0)).toBe(0);
    expect(vm.set("x16", MSIX, 0, 0)).toBe(EINVAL);
  });

  it("disabling is count 0 with DATA_NONE, whatever the start", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(4));
    expect(vm.set("rk", MSIX, 3, 0)).toBe(0);
    expect(vm.state()).toEqual({ kind: null, held: 0, armed: [] });
  });
});

describe("enable", () => {
  it("allocates up to the last vector of the range and arms the range", () => {
    const vm = new Vm();
    expect(vm.set("rk", MSIX, 3, vm.fds(2))).toBe(0);
    expect(vm.state()).toEqual({ kind: "msix", held: 5, armed: [3, 4] });
  });

  it("with -1 allocates and arms nothing, so that there is an irq to add to", () => {
    const vm = new Vm();
    expect(vm.set("rk", MSIX, 0, [-1])).toBe(0);
    expect(vm.state()).toEqual({ kind: "msix", held: 1, armed: [] });
  });

  it("of an empty range is ERANGE at 0, and a mode without handlers from a start on", () => {
    const vm = new Vm();
    expect(vm.set("rk", MSIX, 0, [])).toBe(ERANGE);
    expect(vm.state().kind).toBe(null);
    expect(vm.set("rk", MSIX, 2, [])).toBe(0);
    expect(vm.state()).toEqual({ kind: "msix", held: 2, armed: [] });
  });

  it("whose block fails is taken back as a whole", () => {
    const vm = new Vm();
    const before = vm.inUse();
    expect(vm.set("rk", MSIX, 0, [...vm.fds(2), CLOSED, ...vm.fds(1)])).toBe(EBADF);
    expect(vm.state()).toEqual({ kind: null, held: 0, armed: [] });
    expect(vm.inUse()).toEqual(before);
  });

  it("short of irqs is the positive number there would have been, and holds nothing", () => {
    const vm = new Vm({ irtes: 32 });
    // 21 entries are the machine's, lines that are open have one more each.
    const free = 32 - vm.inUse().irtes;
    expect(vm.set("rk", MSIX, 0, vm.fds(free + 1))).toBe(free);
    expect(vm.state()).toEqual({ kind: null, held: 0, armed: [] });
    expect(vm.set("rk", MSIX, 0, vm.fds(free))).toBe(0);
    expect(vm.set("x16", MSIX, 0, vm.fds(1))).toBe(ENOSPC);
  });

  it("without an eventfd is EINVAL: DATA_NONE and DATA_BOOL need the mode on", () => {
    const vm = new Vm();
    expect(vm.set("rk", MSIX, 0, 1)).toBe(EINVAL);
    expect(vm.setBool("rk", MSIX, 0, [1])).toBe(EINVAL);
    expect(vm.setBool("edu", MSI, 0, [1])).toBe(EINVAL);
    expect(vm.state().kind).toBe(null);
  });
});

describe("software triggers", () => {
  it("signal the armed vectors of the range and skip the others", () => {
    const vm = new Vm();
    const eventfds = Array.from({ length: 4 }, () => vm.eventfd());
    vm.set("rk", MSIX, 0, [eventfds[0]!.fd, -1, eventfds[2]!.fd, eventfds[3]!.fd]);
    expect(vm.set("rk", MSIX, 0, 3)).toBe(0);
    expect(eventfds.map(({ slot }) => vm.readEventfd(slot))).toEqual([1n, 0n, 1n, 0n]);
    expect(vm.set("rk", MSIX, 3, 1)).toBe(0);
    expect(vm.readEventfd(eventfds[3]!.slot)).toBe(1n);
  });

  it("of DATA_BOOL signal where the byte is not 0", () => {
    const vm = new Vm();
    const eventfds = Array.from({ length: 3 }, () => vm.eventfd());
    vm.set(
      "rk",
      MSIX,
      0,
      eventfds.map(({ fd }) => fd),
    );
    expect(vm.setBool("rk", MSIX, 0, [1, 0, 255])).toBe(0);
    expect(eventfds.map(({ slot }) => vm.readEventfd(slot))).toEqual([1n, 0n, 1n]);
  });

  it("beyond what is allocated do nothing; on a static kernel they are EINVAL", () => {
    for (const [kernel, result] of [
      ["linux-6.12", 0],
      ["linux-6.1", EINVAL],
    ] as const) {
      const vm = new Vm({ kernel });
      const { fd, slot } = vm.eventfd();
      vm.set("rk", MSIX, 0, [fd]);
      expect(vm.set("rk", MSIX, 0, 2)).toBe(result);
      expect(vm.readEventfd(slot)).toBe(result === 0 ? 1n : 0n);
      expect(vm.set("rk", MSIX, 1, 1)).toBe(result);
      // Of DATA_BOOL an empty range at the end of what is allocated is fine on both.
      expect(vm.setBool("rk", MSIX, 1, [])).toBe(0);
    }
  });

  it("work for MSI as well", () => {
    const vm = new Vm();
    const { fd, slot } = vm.eventfd();
    vm.set("x16", MSI, 0, [-1, fd]);
    expect(vm.set("x16", MSI, 0, 2)).toBe(0);
    expect(vm.readEventfd(slot)).toBe(1n);
  });
});

describe("a vector's eventfd", () => {
  it("is torn down before the new descriptor is looked at, so that a bad one disarms", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(2));
    expect(vm.set("rk", MSIX, 1, [CLOSED])).toBe(EBADF);
    expect(vm.state()).toEqual({ kind: "msix", held: 2, armed: [0] });
    expect(vm.set("rk", MSIX, 0, [vm.fd("rk")])).toBe(EINVAL);
    expect(vm.state()).toEqual({ kind: "msix", held: 2, armed: [] });
  });

  it("is swapped in one call: signals go to the new one only", () => {
    const vm = new Vm();
    const [a, b] = [vm.eventfd(), vm.eventfd()];
    vm.set("rk", MSIX, 0, [a.fd]);
    vm.set("rk", MSIX, 0, [b.fd]);
    vm.barWrite("rk", 0, ROCKER_TEST_IRQ, 0);
    expect([vm.readEventfd(a.slot), vm.readEventfd(b.slot)]).toEqual([0n, 1n]);
  });

  it("is removed by any negative descriptor", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(3));
    expect(vm.set("rk", MSIX, 0, [-1])).toBe(0);
    expect(vm.set("rk", MSIX, 1, [-2])).toBe(0);
    expect(vm.set("rk", MSIX, 2, [-(2 ** 31)])).toBe(0);
    expect(vm.state()).toEqual({ kind: "msix", held: 3, armed: [] });
  });

  it("without an irq is an irq more on a dynamic kernel, of that vector alone", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(1));
    expect(vm.set("rk", MSIX, 9, vm.fds(2))).toBe(0);
    expect(vm.host.inspect("rk").held).toEqual([0, 9, 10]);
  });

  it("-1 for a vector without an irq allocates none", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(1));
    expect(vm.set("rk", MSIX, 5, [-1])).toBe(0);
    expect(vm.host.inspect("rk").held).toEqual([0]);
  });

  it("beyond the allocated range of MSI is EINVAL on every kernel", () => {
    for (const kernel of ["linux-6.1", "linux-6.12", "linux-7.2"] as const) {
      const vm = new Vm({ kernel });
      vm.set("x16", MSI, 0, vm.fds(2));
      expect(vm.set("x16", MSI, 2, vm.fds(1))).toBe(EINVAL);
      expect(vm.state("x16")).toEqual({ kind: "msi", held: 2, armed: [0, 1] });
    }
  });
});

describe("a block that fails in the middle", () => {
  it("disarms everything from its start to the failing vector, also what was armed before", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(6));
    expect(vm.set("rk", MSIX, 1, [...vm.fds(2), CLOSED, ...vm.fds(1)])).toBe(EBADF);
    expect(vm.state()).toEqual({ kind: "msix", held: 6, armed: [0, 4, 5] });
  });

  it("keeps the irqs it allocated on its way, and the mode", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(1));
    expect(vm.set("rk", MSIX, 4, [...vm.fds(2), CLOSED])).toBe(EBADF);
    expect(vm.host.inspect("rk")).toMatchObject({ kind: "msix", held: [0, 4, 5, 6], armed: [0] });
  });

  it("leaves -1 entries before it as they are", () => {
    const vm = new Vm();
    vm.set("rk", MSIX, 0, vm.fds(3));
    expect(vm.set("rk", MSIX, 0, [-1, CLOSED])).toBe(EBADF);
    expect(vm.state().armed).toEqual([2]);
  });

  it("has no side effect on a static kernel if the range is too long", () => {
    const vm = new Vm({ kernel: "linux-6.1" });
    vm.set("rk", MSIX, 0, vm.fds(4));
    expect(vm.set("rk", MSIX, 2, [-1, -1, -1])).toBe(EINVAL);
    expect(vm.set("rk", MSIX, 4, [])).toBe(EINVAL);
    expect(vm.state()).toEqual({ kind: "msix", held: 4, armed: [0, 1, 2, 3] });
    expect(vm.set("rk", MSIX, 3, [])).toBe(0);
    expect(vm.set("rk", MSIX, 2, [-1, -1])).toBe(0);
    expect(vm.state().armed).toEqual([0, 1]);
  });
});

describe("only disable and close give irqs back:", () => {
  it("an eventfd that goes leaves the irq, but not its CPU vector", () => {
    const vm = new Vm();
    const before = vm.inUse();
    vm.set("rk", MSIX, 0, vm.fds(4));
    expect(vm.inUse()).toEqual({ vectors: before.vectors + 4, irtes: before.irtes + 4 });
    vm.set("rk", MSIX, 0, [-1, -1, -1, -1]);
    expect(vm.inUse()).toEqual({ vectors: before.vectors, irtes: before.irtes + 4 });
    vm.set("rk", MSIX, 0, 0);
    expect(vm.inUse()).toEqual(before);
  });

  it("a reset of the device changes neither irqs nor handlers, and interrupts go on", () => {
    const vm = new Vm();
    const { fd, slot } = vm.eventfd();
    vm.set("n8", MSIX, 0, [fd, ...vm.fds(2)]);
    const call = { fd: vm.fd("n8"), cmd: VFIO_DEVICE_RESET, arg: new Uint8Array(0) };
    expect(vm.call({ op: "ioctl", ...call }).ret).toBe(0);
    expect(vm.state("n8")).toEqual({ kind: "msix", held: 3, armed: [0, 1, 2] });
    expect(vm.set("n8", MSIX, 0, 1)).toBe(0);
    expect(vm.readEventfd(slot)).toBe(1n);
  });

  it("an eventfd that userspace closes stays armed, and its slot taken", () => {
    const vm = new Vm();
    const [fd] = vm.fds(1);
    vm.set("rk", MSIX, 0, [fd!]);
    vm.close(fd!);
    expect(vm.state().armed).toEqual([0]);
  });
});

describe("MSI", () => {
  it("takes a block rounded up to a power of two, and holds what was asked for", () => {
    const vm = new Vm();
    const before = vm.inUse();
    expect(vm.set("x16", MSI, 0, vm.fds(5))).toBe(0);
    expect(vm.state("x16")).toEqual({ kind: "msi", held: 5, armed: [0, 1, 2, 3, 4] });
    expect(vm.inUse()).toEqual({ vectors: before.vectors + 5, irtes: before.irtes + 8 });
  });

  it("without remapping grants one vector, whatever is asked for", () => {
    const vm = new Vm({ platform: "x86-flat" });
    expect(vm.set("x16", MSI, 0, vm.fds(4))).toBe(1);
    expect(vm.state("x16")).toEqual({ kind: null, held: 0, armed: [] });
    expect(vm.set("x16", MSI, 0, vm.fds(1))).toBe(0);
  });

  it("keeps its CPU vectors when eventfds go", () => {
    const vm = new Vm();
    vm.set("x16", MSI, 0, vm.fds(2));
    const before = vm.inUse();
    vm.set("x16", MSI, 0, [-1, -1]);
    expect(vm.inUse()).toEqual(before);
  });
});

it("interrupt set-up turns memory decoding on while it lasts, and leaves it as it was", () => {
  const vm = new Vm();
  const { slot, fd } = vm.eventfd();
  vm.configWrite("rk", 4, 2, 0x4);
  const memory = () => vm.host.inspect("rk").config[4]! & 2;
  const seen = new Set<number>();
  const data = new Uint8Array(4);
  new DataView(data.buffer).setInt32(0, fd, true);
  const header = { argsz: 24, flags: 4 | TRIGGER, index: MSIX, start: 0, count: 1 };
  const arg = encodeIrqSet(header, data);
  vm.post({ op: "ioctl", fd: vm.fd("rk"), cmd: SET_IRQS, arg });
  for (let us = 0; us < 50; us++) {
    vm.sleep(1000);
    seen.add(memory());
  }
  expect([...seen].sort()).toEqual([0, 2]);
  expect(memory()).toBe(0);
  expect(vm.set("rk", MSIX, 0, 1)).toBe(0);
  expect(vm.readEventfd(slot)).toBe(1n);
});
