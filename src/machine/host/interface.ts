// The host for rooms above that plan one or read its events: plans of VMs, their layout and
// console. It loads no driver.

export { rulesOf } from "./board-rules.ts";
export { VM_VIRTIO_SLOTS } from "./boards/el2/map.ts";
export { FIRST_RESERVED_LABEL } from "./boards/labels.ts";
export { CONSOLE_INPUT_INTID, ConsoleInput, type KnownDevices, type LockedMemory, type StartWanted } from "./data/console-input.ts";
export { endedByOwnWill, type HostEvent, VM_EXIT_REASONS, VM_PHASES, type VmExitReason, type VmPhase } from "./data/events.ts";
export { hypercallErrno, rmErrno } from "./gunyah/rm-errors.ts";
export {
  type DriverQuirks,
  GZVM_PROBES,
  type NativeHostPlan,
  type OwnSchedule,
  type SharedBuffer,
  type StaleImage,
  type VariablesPlan,
  VM_PLATFORMS,
  type VmFirmware,
  type VmFlash,
  type VmImage,
  type VmLink,
  type VmPlan,
  type VmStart,
} from "./data/plan.ts";
export { QEMU_ECAM, QEMU_FLASH_MAX, QEMU_INTX, QEMU_PCI_MEMORY, QEMU_PCI_PORTS, qemuDeviceId, qemuPciSpi } from "./boards/qemu-virt/map.ts";
