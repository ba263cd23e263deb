// AdvSIMD loads and stores of structures: LD1-LD4 and ST1-ST4 of several structures, of one structure to one lane, and replicated to all
// lanes (LD1R-LD4R). Arm ARM C4.1.94, C7.2 (LD1..ST4), "shared decode" of the pseudocode.

import { xsp } from "./assembly.ts";
import type { Builder, Node } from "./builder.ts";
import { arrangement, SCALARS } from "./fp-operands.ts";
import { insn, type Instruction } from "./insn.ts";

/** "{v0.4s-v3.4s}": consecutive registers, which wrap from 31 to 0. */
export function registerList(first: number, count: number, suffix: string): string {
  const names = Array.from({ length: count }, (_, i) => `v${(first + i) % 32}.${suffix}`);
  return count > 2 && first + count <= 32 ? `{${names[0]}-${names[count - 1]}}` : `{${names.join(", ")}}`;
}

/** Register `offset` places behind another. */
function following($: Builder, Rt: Node, offset: number): Node {
  return offset === 0 ? Rt : $.range($.and($.add(Rt, offset), 31), 0, 31);
}

/** The post-index operand: the bytes transferred for register 31, else a register. */
const postIndex = (post: number, Rm: number, bytes: number): string => !post ? "" : Rm === 31 ? `, #${bytes}` : `, x${Rm}`;

/** Adds the bytes transferred, or Xm, to the base. Both forms in one handler: `Rm` 31 reads as zero, and then the bytes count. */
function writeBack($: Builder, post: number, Rn: Node, Rm: Node, base: Node, bytes: Node): void {
  if (!post) return;
  const immediate = $.zeroExtend64($.select($.eq(Rm, 31), bytes, $.i32(0)));
  $.setRSP(Rn, $.add($.add(base, $.X(Rm)), immediate));
}

/** Without post-index the field Rm is zero. */
const noRegister = (f: { post: number; Rm: number }) => f.post === 0 && f.Rm !== 0;

/** By opcode of the multiple structures: registers in all, elements of a structure. */
const MULTIPLE: Readonly<Record<number, { registers: number; elements: number }>> = {
  0: { registers: 4, elements: 4 },
  2: { registers: 4, elements: 1 },
  4: { registers: 3, elements: 3 },
  6: { registers: 3, elements: 1 },
  7: { registers: 1, elements: 1 },
  8: { registers: 2, elements: 2 },
  10: { registers: 2, elements: 1 },
};

/** Lane accesses of `readV`, `writeV`: loads and stores of 2^size bytes. */
const LANE_LOADS = ["i32.load8_u", "i32.load16_u", "i32.load", "i64.load"] as const;
const LANE_STORES = ["i32.store8", "i32.store16", "i32.store", "i64.store"] as const;
const SPLATS = ["i8x16.splat", "i16x8.splat", "i32x4.splat", "i64x2.splat"] as const;

/** Whole registers, one after the other: LD1 and ST1. The element size changes nothing but the text. */
function consecutive($: Builder, L: number, Q: number, registers: number, Rt: Node, base: Node): void {
  const bytes = Q ? 16 : 8;
  const at = (i: number) => i ? $.add(base, i * bytes) : base;
  if (L) {
    const values = Array.from({ length: registers }, (_, i) => $.load(Q ? "v128" : "i64", bytes, at(i), { part: true }));
    values.forEach((value, i) => Q ? $.setQ(following($, Rt, i), value) : $.setD(following($, Rt, i), value));
  } else {
    for (let i = 0; i < registers; i++) {
      const register = following($, Rt, i);
      $.store(bytes, at(i), Q ? $.Q(register) : $.Dbits(register), { part: true });
    }
  }
}

/** The byte lanes that a shuffle of the bytes of `count` vectors takes: vector and byte in it. */
type ByteSource = { readonly vector: number; readonly byte: number };

/** Any 16 bytes out of two to four vectors. */
function gather($: Builder, vectors: readonly Node[], sources: readonly ByteSource[]): Node {
  const lane = (s: ByteSource, second: number, otherwise: number) => s.vector === second ? 16 + s.byte : otherwise;
  let result = $.shuffle(sources.map((s) => lane(s, 1, s.byte)), vectors[0], vectors[1]);
  for (let i = 2; i < vectors.length; i++) result = $.shuffle(sources.map((s, at) => lane(s, i, at)), result, vectors[i]);
  return result;
}

/** LD2..LD4 and ST2..ST4: element e of register r lies at structure e, place r, in memory. */
function interleaved($: Builder, L: number, size: number, Q: number, n: number, Rt: Node, base: Node): void {
  const registerBytes = Q ? 16 : 8, esize = 1 << size;
  const at = (i: number) => i ? $.add(base, i * registerBytes) : base;
  /** Where byte `byte` of register `register` lies in the memory image. */
  const inMemory = (register: number, byte: number) => ((byte >> size) * n + register) * esize + (byte & esize - 1);
  const bytes = Array.from({ length: 16 }, (_, i) => i);
  if (L) {
    const loaded = Array.from({ length: n }, (_, i) => {
      const value = $.load(Q ? "v128" : "i64", registerBytes, at(i), { part: true });
      return Q ? value : $.let($.op("i64x2.splat", value));
    });
    for (let register = 0; register < n; register++) {
      const sources = bytes.map((byte) => inMemory(register, byte % registerBytes)).map((place) => ({
        vector: Math.floor(place / registerBytes),
        byte: place % registerBytes,
      }));
      const value = gather($, loaded, sources);
      if (Q) $.setQ(following($, Rt, register), value);
      else $.setQLow(following($, Rt, register), value);
    }
  } else {
    const registers = Array.from({ length: n }, (_, i) => $.Q(following($, Rt, i)));
    const source = new Map<number, ByteSource>();
    for (let register = 0; register < n; register++) {
      for (let byte = 0; byte < registerBytes; byte++) source.set(inMemory(register, byte), { vector: register, byte });
    }
    for (let i = 0; i < n; i++) {
      const value = gather($, registers, bytes.map((byte) => source.get(i * registerBytes + byte % registerBytes)!));
      $.store(registerBytes, at(i), Q ? value : $.lane("i64x2.extract_lane", 0, value), { part: true });
    }
  }
}

type LaneFields = { readonly Q: number; readonly S: number; readonly size: number };

export const simdStructures: Instruction[] = [
  insn(
    "LD1/ST1 (multiple structures)",
    "0 Q 001100 post:1 L 0 Rm opcode4 size Rn Rt",
    {
      shape: "Q post L opcode4",
      when: (f) => MULTIPLE[f.opcode4]?.elements === 1,
      unallocated: noRegister,
      cold: (f) => !f.Q || MULTIPLE[f.opcode4].registers > 2,
    },
    (f) => {
      const { registers } = MULTIPLE[f.opcode4];
      const list = registerList(f.Rt, registers, arrangement(f.size, f.Q));
      return `${f.L ? "ld" : "st"}1\t${list}, [${xsp(f.Rn)}]${postIndex(f.post, f.Rm, registers * (f.Q ? 16 : 8))}`;
    },
    ({ Q, post, L, Rm, opcode4, Rn, Rt }, $) => {
      const { registers } = MULTIPLE[opcode4], base = $.XSP(Rn);
      consecutive($, L, Q, registers, Rt, base);
      writeBack($, post, Rn, Rm, base, $.i32(registers * (Q ? 16 : 8)));
    },
  ),

  insn(
    "LD2/LD3/LD4/ST2/ST3/ST4 (multiple structures)",
    "0 Q 001100 post:1 L 0 Rm opcode4 size Rn Rt",
    {
      shape: "Q post L opcode4 size",
      when: (f) => MULTIPLE[f.opcode4]?.elements > 1 && !(f.size === 3 && !f.Q),
      unallocated: noRegister,
      cold: true,
    },
    (f) => {
      const { registers: n } = MULTIPLE[f.opcode4];
      const list = registerList(f.Rt, n, arrangement(f.size, f.Q));
      return `${f.L ? "ld" : "st"}${n}\t${list}, [${xsp(f.Rn)}]${postIndex(f.post, f.Rm, n * (f.Q ? 16 : 8))}`;
    },
    ({ Q, post, L, Rm, opcode4, size, Rn, Rt }, $) => {
      const { registers: n } = MULTIPLE[opcode4], base = $.XSP(Rn);
      interleaved($, L, size, Q, n, Rt, base);
      writeBack($, post, Rn, Rm, base, $.i32(n * (Q ? 16 : 8)));
    },
  ),

  // opcode<2:1> and size give the element's size; the lane is in the bits of Q:S:size that are left over. S and size are fixed where they
  // tell S from D, so that each word matches one entry.
  ...([
    ["B", 0, (f: LaneFields) => f.Q << 3 | f.S << 2 | f.size, "00", "S size"],
    ["H", 1, (f: LaneFields) => f.Q << 2 | f.S << 1 | f.size >> 1, "01", "S size"],
    ["S", 2, (f: LaneFields) => f.Q << 1 | f.S, "10", "S 00"],
    ["D", 3, (f: LaneFields) => f.Q, "10", "0 01"],
  ] as const).map(([name, log2, lane, opcode, laneBits]) =>
    insn(
      `LD1-LD4/ST1-ST4 (single structure, ${name})`,
      `0 Q 001101 post:1 L R Rm ${opcode} many:1 ${laneBits} Rn Rt`,
      {
        shape: "post L R many",
        cold: true,
        unallocated: (f) => noRegister(f) || log2 === 1 && (f.size & 1) !== 0,
      },
      (f) => {
        const n = 1 + f.R + 2 * f.many;
        const list = registerList(f.Rt, n, SCALARS[log2]);
        return `${f.L ? "ld" : "st"}${n}\t${list}[${lane(f)}], [${xsp(f.Rn)}]${postIndex(f.post, f.Rm, n << log2)}`;
      },
      ({ Q, post, L, R, Rm, many, S, size, Rn, Rt }, $) => {
        const n = 1 + R + 2 * many, base = $.XSP(Rn);
        const fixed = $.i32(0); // for fields that this entry's pattern has no room for
        const offset = $.computed(
          "i32",
          `lane${name}`,
          [Q, S ?? fixed, size ?? fixed],
          (q, s, z) => lane({ Q: q, S: s, size: z }) << log2,
          0,
          15,
        );
        const at = (i: number) => i ? $.add(base, i << log2) : base;
        const type = log2 === 3 ? "i64" : "i32";
        if (L) {
          const values = Array.from({ length: n }, (_, i) => $.load(type, 1 << log2, at(i), { part: true }));
          values.forEach((value, i) => $.writeV(LANE_STORES[log2], following($, Rt, i), offset, value));
        } else {
          for (let i = 0; i < n; i++) {
            $.store(1 << log2, at(i), $.let($.readV(LANE_LOADS[log2], following($, Rt, i), offset)), { part: true });
          }
        }
        writeBack($, post, Rn, Rm, base, $.i32(n << log2));
      },
    )
  ),

  insn(
    "LD1R/LD2R/LD3R/LD4R",
    "0 Q 001101 post:1 1 R Rm 11 many:1 0 size Rn Rt",
    { shape: "Q post R many size", unallocated: noRegister, cold: true },
    (f) => {
      const n = 1 + f.R + 2 * f.many;
      return `ld${n}r\t${registerList(f.Rt, n, arrangement(f.size, f.Q))}, [${xsp(f.Rn)}]${postIndex(f.post, f.Rm, n << f.size)}`;
    },
    ({ Q, post, R, Rm, many, size, Rn, Rt }, $) => {
      const n = 1 + R + 2 * many, base = $.XSP(Rn);
      const at = (i: number) => i ? $.add(base, i << size) : base;
      const values = Array.from({ length: n }, (_, i) => $.load(size === 3 ? "i64" : "i32", 1 << size, at(i), { part: true }));
      values.forEach((value, i) => {
        const replicated = $.op(SPLATS[size], value);
        if (Q) $.setQ(following($, Rt, i), replicated);
        else $.setQLow(following($, Rt, i), replicated);
      });
      writeBack($, post, Rn, Rm, base, $.i32(n << size));
    },
  ),
];
