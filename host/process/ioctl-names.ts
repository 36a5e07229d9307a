/** Names of the ioctls this kernel knows, for reports. */
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_IRQCHIP,
  KVM_ENABLE_CAP,
  KVM_IRQFD,
  KVM_SET_GSI_ROUTING,
  KVM_SET_IRQCHIP,
} from "../../src/uapi/kvm.ts";
import {
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
} from "../../src/uapi/vfio.ts";

const NAMES: ReadonlyMap<number, string> = new Map([
  [VFIO_DEVICE_GET_INFO, "VFIO_DEVICE_GET_INFO"],
  [VFIO_DEVICE_GET_REGION_INFO, "VFIO_DEVICE_GET_REGION_INFO"],
  [VFIO_DEVICE_GET_IRQ_INFO, "VFIO_DEVICE_GET_IRQ_INFO"],
  [VFIO_DEVICE_SET_IRQS, "VFIO_DEVICE_SET_IRQS"],
  [VFIO_DEVICE_RESET, "VFIO_DEVICE_RESET"],
  [KVM_IRQFD, "KVM_IRQFD"],
  [KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING"],
  [KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION"],
  [KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP"],
  [KVM_ENABLE_CAP, "KVM_ENABLE_CAP"],
  [KVM_SET_IRQCHIP, "KVM_SET_IRQCHIP"],
]);

/** The name of an ioctl; all unknown ones together are `unknown`, since a guest makes them up. */
export function ioctlName(cmd: number): string {
  return NAMES.get(cmd) ?? "unknown";
}
