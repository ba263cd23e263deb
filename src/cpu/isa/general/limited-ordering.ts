// Loads and stores that are ordered within a region of memory: FEAT_LOR (LDLAR, STLLR). Arm ARM
// C4.1.94, "Load/store ordered". Every ordering holds here (atomics.ts).

import { r, xsp } from "../notation/assembly.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { ORDERED } from "./atomics.ts";

const NARROW = ["b", "h", "", ""] as const;

/** LORegions. */
export const limitedOrdering = (): Instruction[] => [
  insn(
    "LDLAR/STLLR",
    "size 001000 1 L 0 Rs 0 Rt2 Rn Rt",
    { feature: "FEAT_LOR", shape: "size L", cold: true, unpredictable: (f) => f.Rs !== 31 || f.Rt2 !== 31 },
    (f) => `${f.L ? "ldlar" : "stllr"}${NARROW[f.size]}\t${r(f.size === 3 ? 1 : 0, f.Rt)}, [${xsp(f.Rn)}]`,
    ({ size, L, Rn, Rt }, $) => {
      if (L) $.setR(Rt, $.load("i64", 1 << size, $.XSP(Rn), ORDERED));
      else $.store(1 << size, $.XSP(Rn), $.X(Rt), ORDERED);
    },
  ),
];
