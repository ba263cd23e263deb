// The rules of el2's own board.

import { DEVICETREE_SIZE, el2Needs } from "./map.ts";
import type { BoardRules } from "../rules.ts";

export const EL2_RULES: BoardRules = {
  ram: 0x8000_0000,
  movesRam: true,
  firstLabel: 0,
  room: () => 0,
  devicetreeSize: DEVICETREE_SIZE,
  needs: el2Needs,
};
