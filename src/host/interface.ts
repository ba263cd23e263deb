// The host for rooms above that plan one or read its events: plans of VMs, their layout and
// console. It loads no driver.

export { CONSOLE_INPUT_INTID, ConsoleInput, type LockedMemory, type StartWanted } from "./console-input.ts";
export { CROSVM_FIRMWARE } from "./crosvm-map.ts";
export { endedByOwnWill, type HostEvent, VM_EXIT_REASONS, VM_STATES, type VmExitReason, type VmState } from "./events.ts";
export { hypercallErrno, rmErrno } from "./gunyah/rm-errors.ts";
export {
  type DriverQuirks,
  GZVM_PROBES,
  type NativeHostPlan,
  type OwnSchedule,
  type SharedBuffer,
  type StaleImage,
  type VariablesPlan,
  type VmFirmware,
  type VmFlash,
  type VmImage,
  type VmLink,
  type VmPlan,
  type VmStart,
} from "./plan.ts";
export {
  QEMU_DEVICETREE_SIZE,
  QEMU_ECAM,
  QEMU_FLASH_MAX,
  QEMU_INTX,
  QEMU_PCI_MEMORY,
  QEMU_PCI_PORTS,
  QEMU_RAM_BASE,
  qemuDeviceId,
  qemuPciSpi,
} from "./qemu-virt-map.ts";
export { devicetreeSize, FIRST_RESERVED_LABEL, neededMemory, virtioIntid, virtioRegisters, VM_VIRTIO_SLOTS } from "./vm-layout.ts";
