// Branches. Arm ARM C4.1.93 (branches; the exception generating and system instructions of that
// group are in system.ts).

import { CONDITIONS, decimal, r, signed, target, x } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { insn, type Instruction } from "../notation/insn.ts";

export const branches = (): Instruction[] => [
  insn(
    "B/BL",
    "op 00101 imm26",
    { shape: "op" },
    (f, at) => `${f.op ? "bl" : "b"}\t${target(at, 4 * signed(f.imm26, 26))}`,
    ({ op, imm26 }, $) => {
      if (op) $.setR(30, $.add($.pc(), 4));
      $.branch($.lsl($.signExtend(imm26, 26), 2));
    },
  ),

  insn(
    "B.cond",
    "01010100 imm19 0 cond",
    { shape: "cond" },
    (f, at) => `b.${CONDITIONS[f.cond]}\t${target(at, 4 * signed(f.imm19, 19))}`,
    ({ imm19, cond }, $) => $.branch($.lsl($.signExtend(imm19, 19), 2), cond < 14 ? $.condition(cond) : undefined),
  ),

  insn(
    "CBZ/CBNZ",
    "sf 011010 op imm19 Rt",
    { shape: "sf op" },
    (f, at) => `${f.op ? "cbnz" : "cbz"}\t${r(f.sf, f.Rt)}, ${target(at, 4 * signed(f.imm19, 19))}`,
    ({ sf, op, imm19, Rt }, $) => {
      const value = $.R(sf, Rt);
      $.branch($.lsl($.signExtend(imm19, 19), 2), op ? $.ne(value, 0) : $.isZero(value));
    },
  ),

  insn(
    "TBZ/TBNZ",
    "b5 011011 op b40 imm14 Rt",
    { shape: "op" },
    (f, at) => `${f.op ? "tbnz" : "tbz"}\t${r(f.b5, f.Rt)}, ${decimal(f.b5 << 5 | f.b40)}, ${target(at, 4 * signed(f.imm14, 14))}`,
    ({ b5, op, b40, imm14, Rt }, $) => {
      const bit = $.and($.lsr($.X(Rt), $.or($.lsl(b5, 5), b40)), 1);
      $.branch($.lsl($.signExtend(imm14, 14), 2), op ? $.ne(bit, 0) : $.isZero(bit));
    },
  ),

  insn(
    "BR/BLR/RET",
    "1101011 0 0 opc 11111 000000 Rn 00000",
    { shape: "opc", when: (f) => f.opc !== 3 },
    (f) => f.opc === 2 && f.Rn === 30 ? "ret" : `${["br", "blr", "ret"][f.opc]}\t${x(f.Rn)}`,
    ({ opc, Rn }, $) => branchTo($, opc, Rn, $.X(Rn)),
  ),
];

/** BR, BLR and RET to an address made from X[Rn], with what they leave in PSTATE.BTYPE. */
export function branchTo($: Builder, opc: number, Rn: Node, address: Node): void {
  if (opc === 1) $.setR(30, $.add($.pc(), 4));
  // Jumps by X16 and X17 are those of veneers, which BTI c permits too.
  const ofJump = $.select($.eq($.lsr(Rn, 1), 8), $.i32(1), $.i32(3));
  $.branchTo(address, [ofJump, $.i32(2)][opc]);
}
