// The host for rooms above that make one, and that complete the primary VM's devicetree and PCI
// bus.

export { boardOf } from "./boards.ts";
export type { FlashVariables } from "./boards/board.ts";
export { batteryNode, pl030Node, stallDetectorNode } from "./boards/crosvm/nodes.ts";
export { hostGuest } from "./primary/host-guest.ts";
export { nativeHost } from "./native-host.ts";
export { pciHostNode, qemuPciBus } from "./boards/qemu-virt/pci.ts";
export { type Visit, VisitedProgram } from "./primary/visited-program.ts";
export { devicetreeOf } from "./vm-contents.ts";
