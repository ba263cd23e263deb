// The rules of el2's own board.

import { DEVICETREE_SIZE, el2Needs } from "./map.ts";
import type { BoardRules } from "../rules.ts";

export const EL2_RULES: BoardRules = {
  keys: ["base", "datamatch_flag", "firmware", "schedule", "windows"],
  ram: 0x8000_0000,
  firstLabel: 0,
  room: () => 0,
  devicetreeSize: DEVICETREE_SIZE,
  needs: el2Needs,
};
