// Manipulation of the condition flags: FEAT_FlagM (RMIF, SETF8, SETF16, CFINV) and FEAT_FlagM2
// (AXFLAG, XAFLAG). Arm ARM C4.1.95 ("Rotate right into flags", "Evaluate into flags"), C4.1.93
// ("PSTATE").

import { r, x } from "../notation/assembly.ts";
import type { Builder } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";

const FLAGM = { feature: "FEAT_FlagM", cold: true } as const;
const FLAGM2 = { feature: "FEAT_FlagM2", cold: true } as const;

/** Sets N and Z by the low `bits` bits; V where the next bit differs from the highest of them. */
function setFlagsOf($: Builder, bits: 8 | 16, value: ReturnType<Builder["W"]>): void {
  const shifted = $.let($.lsl($.zeroExtend64(value), 64 - bits));
  const overflow = $.let($.lsl($.zeroExtend64($.eor(value, $.lsr(value, 1))), 64 - bits));
  $.setFlags(shifted, shifted, $.flag("C"), overflow);
}

/** FlagM and FlagM2. */
export const flags = (): Instruction[] => [
  insn(
    "RMIF",
    "10111010000 imm6 00001 Rn 0 mask:4",
    FLAGM,
    (f) => `rmif\t${x(f.Rn)}, #${f.imm6}, #${f.mask}`,
    ({ imm6, Rn, mask }, $) => {
      const rotated = $.wrap($.ror($.X(Rn), imm6));
      $.setNZCV($.or($.and(rotated, mask), $.and($.nzcv(), $.eor(mask, 15))));
    },
  ),
  insn("SETF8", "0011101000000000000010 Rn 01101", FLAGM, (f) => `setf8\t${r(0, f.Rn)}`, ({ Rn }, $) => setFlagsOf($, 8, $.W(Rn))),
  insn("SETF16", "0011101000000000010010 Rn 01101", FLAGM, (f) => `setf16\t${r(0, f.Rn)}`, ({ Rn }, $) => setFlagsOf($, 16, $.W(Rn))),
  insn("CFINV", "11010101000000000100 0000 000 11111", FLAGM, () => "cfinv", (_, $) => {
    $.setFlags($.flag("N"), $.flag("Z"), $.eor($.flag("C"), 1), $.flag("V"));
  }),
  insn("XAFLAG", "11010101000000000100 0000 001 11111", FLAGM2, () => "xaflag", (_, $) => {
    const c = $.let($.flag("C")), z = $.let($.isZero($.flag("Z")));
    const bit = (value: ReturnType<Builder["and"]>, at: number) => $.lsl(value, at);
    const notC = $.let($.eor(c, 1)), notZ = $.let($.eor(z, 1));
    $.setNZCV($.or($.or(bit($.and(notC, notZ), 3), bit($.and(z, c), 2)), $.or(bit($.or(c, z), 1), $.and(notC, z))));
  }),
  insn("AXFLAG", "11010101000000000100 0000 010 11111", FLAGM2, () => "axflag", (_, $) => {
    const z = $.isZero($.flag("Z")), v = $.let($.wrap($.lsr($.flag("V"), 63)));
    const either = $.or(z, v), c = $.and($.flag("C"), $.eor(v, 1));
    $.setNZCV($.or($.lsl(either, 2), $.lsl(c, 1)));
  }),
];
