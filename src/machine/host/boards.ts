// The boards by the names that `platform` of a VM has, whole. `board-rules.ts` has their rules.

import type { Board } from "./boards/board.ts";
import { CROSVM_BOARD } from "./boards/crosvm/board.ts";
import { EL2_BOARD } from "./boards/el2/board.ts";
import { QEMU_BOARD } from "./boards/qemu-virt/board.ts";
import type { VmPlan, VmPlatform } from "./boards/vm-plan.ts";

const BOARDS: Readonly<Record<VmPlatform, Board>> = { el2: EL2_BOARD, crosvm: CROSVM_BOARD, "qemu-virt": QEMU_BOARD };

/** The board of a VM. */
export function boardOf({ platform = "el2" }: Pick<VmPlan, "platform">): Board {
  return BOARDS[platform];
}
