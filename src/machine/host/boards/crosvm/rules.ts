// The rules of crosvm's board.

import { CROSVM_DEVICETREE_SIZE, CROSVM_FIRMWARE, crosvmNeeds } from "./map.ts";
import type { BoardRules } from "../rules.ts";
import { MiB } from "../../../../kit/support/values/sizes.ts";

export const CROSVM_RULES: BoardRules = {
  vmm: "crosvm",
  ports: "four 16550A ports and no pl011",
  ram: 0x8000_0000,
  bios: "ram",
  swiotlb: 64 * MiB,
  firstLabel: 64,
  room: ({ isProtected }) => isProtected ? CROSVM_FIRMWARE.size : 0,
  devicetreeSize: CROSVM_DEVICETREE_SIZE,
  needs: crosvmNeeds,
};
