// The rules of QEMU's `virt` board.

import { BANK_MIN } from "../flash-size.ts";
import { QEMU_DEVICETREE_SIZE, QEMU_RAM_BASE, qemuNeeds } from "./map.ts";
import type { BoardRules } from "../rules.ts";

export const QEMU_RULES: BoardRules = {
  vmm: "QEMU",
  ports: "its own pl011",
  ram: 0x8000_0000,
  flashRam: QEMU_RAM_BASE,
  sendsMessages: true,
  bios: "flash",
  firstLabel: 128,
  // The usual banks, and the devicetree.
  room: ({ hasBios }) => hasBios ? QEMU_DEVICETREE_SIZE + 2 * BANK_MIN : 0,
  devicetreeSize: QEMU_DEVICETREE_SIZE,
  needs: qemuNeeds,
};
