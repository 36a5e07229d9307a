/** Steps as system calls, each with the errors that the kernel can return there. */
import { errnoName } from "../../src/base/errno.ts";
import type { DeviceSpec, Platform } from "../../src/scenario/types.ts";
import {
  encodeIrqfd,
  encodeRouting,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  type KvmRoute,
} from "../../src/uapi/kvm.ts";
import {
  encodeIrqSet,
  packFds,
  packWords,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_OFFSET_UNIT,
} from "../../src/uapi/vfio.ts";
import type { VmExit } from "../../src/wire/messages.ts";
import type { Call, IoctlGuest } from "./ioctl-guest.ts";
import type { SetStep, Step } from "./ioctl-steps.ts";

const DATA = { none: 1, bool: 2, eventfd: 4 };
const ACTION = { nothing: 0, mask: 8, unmask: 16, trigger: 32 };
const LEVEL = 1 << 15;

/** Registers that make devices interrupt, acknowledge, or change their queues; bar, offset. */
const REGISTERS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  nvme: [
    [0, 0x14],
    [0, 0xf00],
    [0, 0x1000],
    [0, 0x1008],
    [0, 0x100c],
    [0, 0x0c],
    [0, 0x10],
    [0, 0x2000],
  ],
  edu: [
    [0, 0x60],
    [0, 0x64],
    [0, 0x08],
    [0, 0x20],
    [0, 0x24],
  ],
  e1000e: [
    [0, 0xc8],
    [0, 0xd0],
    [0, 0xc0],
    [0, 0xd8],
    [0, 0xe4],
    [0, 0xdc],
    [3, 0x0c],
  ],
  rocker: [
    [0, 0x20],
    [0, 0x10],
    [1, 0x0c],
  ],
  "nec-usb-xhci": [
    [0, 0x20],
    [0, 0x3000],
    [0, 0x4000],
  ],
};

/** A judge that lets pass success and these errors. */
function allows(...errors: string[]): Call["judge"] {
  return ({ ret }) =>
    ret >= 0 || errors.includes(errnoName(ret)) ? null : `${errnoName(ret)} cannot come from here`;
}

/** What SET_IRQS may return, from the argument and the platform alone. */
function judgeSet(step: SetStep, count: number, platform: Platform): Call["judge"] {
  const { index, data, start, fds } = step;
  const errors = ["EINVAL", "ENOTTY", "EBADF"];
  const arms = data === "eventfd" && index <= 2;
  if (step.extra > 0) errors.push("EFAULT");
  if (arms) errors.push("ENOSPC");
  // Without an LPI a device has no interrupts, or since 6.16 no MSI domain.
  if (arms && platform === "arm64-its") errors.push("ENOMEM", "ENODEV");
  if (arms && start + count === 0 && index > 0) errors.push("ERANGE");
  if (arms && index === 0) errors.push("EBUSY", "ENODEV");
  if (data === "eventfd" && fds.length === 0 && start === 0) errors.push("ERANGE");
  return ({ ret }) => {
    if (ret === 0) return null;
    if (ret < 0) return errors.includes(errnoName(ret)) ? null : `${errnoName(ret)} makes no sense`;
    const short = arms && index > 0 && step.action === "trigger" && ret < start + count;
    return short ? null : "nothing can be had in part here";
  };
}

function setCall(guest: IoctlGuest, step: SetStep, device: string): Call {
  const { index, data, action, start, fds, extra } = step;
  const count = Math.max(0, fds.length + extra);
  const bytes =
    data === "eventfd"
      ? packFds(fds.map((choice) => guest.choose(choice)))
      : Uint8Array.from(data === "bool" ? fds : [], (choice) => (choice === "none" ? 0 : 1));
  const argsz = 20 + (data === "none" ? 0 : count * (data === "bool" ? 1 : 4));
  const flags = DATA[data] | ACTION[action];
  const arg = encodeIrqSet({ argsz, flags, index, start, count }, bytes);
  const body = { op: "ioctl", fd: guest.fdOf(device), cmd: VFIO_DEVICE_SET_IRQS, arg } as const;
  return { body, judge: judgeSet(step, count, guest.bed.spec.platform) };
}

function openCall(guest: IoctlGuest, path: string, kind: "vfio" | "kvm", name: string): Call {
  const errors = kind === "kvm" ? ["EMFILE"] : ["EMFILE", "EBUSY", "ENOENT", "ENOMEM"];
  return {
    body: { op: "open", path },
    judge: (response) => {
      const wrong = allows(...errors)(response);
      if (response.ret >= 0) guest.files.push({ fd: response.ret, kind, name, slot: -1 });
      return wrong;
    },
  };
}

function eventfdCall(guest: IoctlGuest, initval: number): Call {
  return {
    body: { op: "eventfd2", initval, flags: 0 },
    judge: ({ ret, slot }) => {
      if (ret < 0) return errnoName(ret) === "EMFILE" ? null : `${errnoName(ret)} cannot be`;
      if (slot === undefined) return "it has no counter";
      guest.files.push({ fd: ret, kind: "eventfd", name: "", slot });
      return null;
    },
  };
}

function closeCall(guest: IoctlGuest, selector: number): Call {
  // One more than there are: a descriptor that is not open.
  const [file] = guest.files.splice(selector % (guest.files.length + 1), 1);
  const expected = file === undefined ? -9 : 0;
  return {
    body: { op: "close", fd: file?.fd ?? 60_000 },
    judge: ({ ret }) => (ret === expected ? null : `and not ${expected}`),
  };
}

function accessCall(
  fd: number,
  region: number,
  at: number,
  size: number,
  value: number | null,
): Call {
  const offset = region * VFIO_PCI_OFFSET_UNIT + at;
  const errors = allows("EBADF", "EINVAL", "EFAULT", "EIO");
  if (value === null) {
    const judge: Call["judge"] = (response) => {
      if (response.ret !== (response.data?.length ?? response.ret)) return "data of another length";
      return response.ret > size ? "more than was asked for" : errors(response);
    };
    return { body: { op: "pread", fd, offset, count: size }, judge };
  }
  const data = packWords([value]).subarray(0, size);
  return { body: { op: "pwrite", fd, offset, data }, judge: errors };
}

function routesOf(targets: readonly number[]): KvmRoute[] {
  return targets.map((target, gsi) =>
    target < 0x100
      ? {
          gsi,
          type: "msi",
          addressLo: 0xfee00000 | ((target & 1) << 12),
          addressHi: 0,
          data: target,
        }
      : { gsi: target & 31, type: "irqchip", irqchip: (target >> 5) & 3, pin: target & 31 },
  );
}

function exitOf(pin: number, low: number | "eoi"): VmExit {
  if (low === "eoi") return { reason: "eoi", vcpu: 0, vector: 0x40 + (pin & 3) };
  // Mostly unmasked level entries of few vectors, which EOIs then meet.
  const entry = (low & 1) === 0 ? LEVEL | (0x40 + (pin & 3)) : low;
  return { reason: "ioapic-write", pin, low: entry, high: 0 };
}

/** The call that a step makes, or null for a step that makes none. */
export function callOf(guest: IoctlGuest, step: Step, device: DeviceSpec): Call | null {
  const kvm = guest.of("kvm")[0]?.fd ?? 60_000;
  const fd = guest.fdOf(device.name);
  const ioctl = (on: number, cmd: number, arg: Uint8Array, ...errors: string[]): Call => ({
    body: { op: "ioctl", fd: on, cmd, arg },
    judge: allows("EBADF", "ENODEV", "EINVAL", ...errors),
  });
  switch (step.do) {
    case "open":
      return openCall(guest, `/dev/vfio/${device.name}`, "vfio", device.name);
    case "kvm":
      return openCall(guest, "/dev/kvm", "kvm", "");
    case "eventfd":
      return eventfdCall(guest, step.initval);
    case "close":
      return closeCall(guest, step.file);
    case "reset":
      return ioctl(fd, VFIO_DEVICE_RESET, new Uint8Array(0));
    case "info":
      return ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, packWords([16, 0, step.index, 0]));
    case "set":
      return setCall(guest, step, device.name);
    case "config":
      return accessCall(fd, VFIO_PCI_CONFIG_REGION_INDEX, step.at, step.size, step.value);
    case "poke": {
      const registers = REGISTERS[device.model]!;
      const [bar, at] = registers[step.register % registers.length]!;
      return accessCall(fd, bar, at, 4, step.value);
    }
    case "irqfd": {
      const [trigger, resamplefd] = [guest.choose(step.fd), guest.choose(step.resample)];
      const arg = encodeIrqfd({ fd: trigger, gsi: step.gsi, flags: step.flags, resamplefd });
      return ioctl(kvm, KVM_IRQFD, arg, "EBUSY");
    }
    case "route":
      return ioctl(kvm, KVM_SET_GSI_ROUTING, encodeRouting(routesOf(step.targets)));
    case "vmexit":
      return {
        body: { op: "vmexit", fd: kvm, exit: exitOf(step.pin, step.low) },
        judge: allows("EBADF"),
      };
    default:
      return null;
  }
}
