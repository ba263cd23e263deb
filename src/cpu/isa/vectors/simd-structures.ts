// AdvSIMD loads and stores of structures: LD1-LD4 and ST1-ST4 of several structures, of one
// structure to one lane, and replicated to all lanes (LD1R-LD4R). Arm ARM C4.1.94, C7.2 (LD1..ST4),
// "shared decode" of the pseudocode.

import { xsp } from "../notation/assembly.ts";
import type { Builder, Node } from "../notation/builder.ts";
import { arrangement, SCALARS } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { LANE_LOADS, LANE_STORES, LANES, pattern } from "../notation/simd-operands.ts";

/** "{v0.4s-v3.4s}": consecutive registers, which wrap from 31 to 0. */
export function registerList(first: number, count: number, suffix: string): string {
  const names = Array.from({ length: count }, (_, i) => `v${(first + i) % 32}.${suffix}`);
  return count > 2 && first + count <= 32 ? `{${names[0]}-${names[count - 1]}}` : `{${names.join(", ")}}`;
}

/** Register `offset` places after another. */
function following($: Builder, Rt: Node, offset: number): Node {
  return offset === 0 ? Rt : $.range($.and($.add(Rt, offset), 31), 0, 31);
}

/**
 * How the base is updated: not at all, by the bytes transferred (Rm 31), or by Xm. A decoded
 * instruction has no room for both kinds of increment.
 */
const UPDATES = [
  { update: "none", post: 0, Rm: "00000" },
  { update: "bytes", post: 1, Rm: "11111" },
  { update: "register", post: 1, Rm: "Rm" },
] as const;

type Update = typeof UPDATES[number];

/** The operand after the address. `fields` may have Rm. */
function updateText({ update }: Update, fields: object, bytes: number): string {
  if (update === "none") return "";
  return update === "bytes" ? `, #${bytes}` : `, x${(fields as { readonly Rm: number }).Rm}`;
}

function writeBack($: Builder, { update }: Update, Rn: Node, fields: object, base: Node, bytes: number): void {
  if (update === "bytes") $.setRSP(Rn, $.add(base, bytes));
  if (update === "register") $.setRSP(Rn, $.add(base, $.X((fields as { readonly Rm: Node }).Rm)));
}

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

/** Copies of memory: LD1 and ST1 that have one handler for all sizes of elements. */
const isFrequent = ({ update }: Update, { Q, opcode4 }: { readonly Q: number; readonly opcode4: number }) =>
  Q === 1 && MULTIPLE[opcode4]?.elements === 1 && MULTIPLE[opcode4].registers <= 2 && update !== "register";

/** A load or a store, of whole registers or their lower halves. */
type Direction = { readonly L: number; readonly Q: number };

/** Whole registers, one after the other: LD1 and ST1. `elements` is log2 of those of a register. */
function consecutive($: Builder, { L, Q }: Direction, elements: Node, registers: number, Rt: Node, base: Node): void {
  const bytes = Q ? 16 : 8, options = { part: true, elements };
  const at = (i: number) => i ? $.add(base, i * bytes) : base;
  if (L) {
    const values = Array.from({ length: registers }, (_, i) => $.load(Q ? "v128" : "i64", bytes, at(i), options));
    values.forEach((value, i) => Q ? $.setQ(following($, Rt, i), value) : $.setD(following($, Rt, i), value));
  } else {
    for (let i = 0; i < registers; i++) {
      const register = following($, Rt, i);
      $.store(bytes, at(i), Q ? $.Q(register) : $.Dbits(register), options);
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

/** LD2 to LD4 and ST2 to ST4: element e of register r is at structure e, place r, in memory. */
function interleaved($: Builder, { L, Q }: Direction, size: number, n: number, Rt: Node, base: Node): void {
  const registerBytes = Q ? 16 : 8, esize = 1 << size;
  const options = { part: true, elements: $.i32((Q ? 4 : 3) - size) };
  const at = (i: number) => i ? $.add(base, i * registerBytes) : base;
  /** The place of byte `byte` of register `register` in the memory image. */
  const inMemory = (register: number, byte: number) => ((byte >> size) * n + register) * esize + (byte & esize - 1);
  const bytes = Array.from({ length: 16 }, (_, i) => i);
  if (L) {
    const loaded = Array.from({ length: n }, (_, i) => {
      const value = $.load(Q ? "v128" : "i64", registerBytes, at(i), options);
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
    const source: ByteSource[] = [];
    for (let register = 0; register < n; register++) {
      for (let byte = 0; byte < registerBytes; byte++) source[inMemory(register, byte)] = { vector: register, byte };
    }
    for (let i = 0; i < n; i++) {
      const value = gather($, registers, bytes.map((byte) => source[i * registerBytes + byte % registerBytes]));
      $.store(registerBytes, at(i), Q ? value : $.lane("i64x2.extract_lane", 0, value), options);
    }
  }
}

type LaneFields = { readonly Q: number; readonly S: number; readonly size: number };

/**
 * The single structures by element size: the fixed opcode bits, and the fields S and size, whose
 * bits that are not part of a lane number are fixed. The lane is in the rest of Q:S:size.
 */
const SINGLE = [
  { name: "B", log2: 0, opcode: "00", laneBits: "S size", lane: (f: LaneFields) => f.Q << 3 | f.S << 2 | f.size },
  { name: "H", log2: 1, opcode: "01", laneBits: "S size:1 0", lane: (f: LaneFields) => f.Q << 2 | f.S << 1 | f.size },
  { name: "S", log2: 2, opcode: "10", laneBits: "S 00", lane: (f: LaneFields) => f.Q << 1 | f.S },
  { name: "D", log2: 3, opcode: "10", laneBits: "0 01", lane: (f: LaneFields) => f.Q },
] as const;

/** "ld1\t{v0.16b}, [x1], #16". */
function text(f: { readonly L: number; readonly Rn: number }, elements: number, list: string, update: string, suffix = ""): string {
  return `${f.L ? "ld" : "st"}${elements}${suffix}\t${list}, [${xsp(f.Rn)}]${update}`;
}

function multiple(kind: Update): Instruction[] {
  const fixed = (fields: string) => pattern<"Q L opcode4 size Rn Rt">(`0 Q 001100 ${kind.post} L 0 ${kind.Rm} ${fields} Rn Rt`);
  const assembly = (f: { Q: number; L: number; opcode4: number; size: number; Rn: number; Rt: number }) => {
    const { registers, elements } = MULTIPLE[f.opcode4];
    const list = registerList(f.Rt, registers, arrangement(f.size, f.Q));
    return text(f, elements, list, updateText(kind, f, registers * (f.Q ? 16 : 8)));
  };
  return [
    insn(
      `LD1/ST1 (one or two registers, update: ${kind.update})`,
      fixed("opcode4 size"),
      { shape: "Q L opcode4", when: (f) => isFrequent(kind, f) },
      assembly,
      ({ Q, L, opcode4, size, Rn, Rt, ...f }, $) => {
        const { registers } = MULTIPLE[opcode4], base = $.XSP(Rn);
        consecutive($, { L, Q }, $.range($.sub($.i32(4), size), 0, 4), registers, Rt, base);
        writeBack($, kind, Rn, f, base, registers * 16);
      },
    ),
    insn(
      `LD1/ST1 (multiple structures, update: ${kind.update})`,
      fixed("opcode4 size"),
      { shape: "Q L opcode4 size", when: (f) => MULTIPLE[f.opcode4]?.elements === 1 && !isFrequent(kind, f), cold: true },
      assembly,
      ({ Q, L, opcode4, size, Rn, Rt, ...f }, $) => {
        const { registers } = MULTIPLE[opcode4], base = $.XSP(Rn);
        consecutive($, { L, Q }, $.i32((Q ? 4 : 3) - size), registers, Rt, base);
        writeBack($, kind, Rn, f, base, registers * (Q ? 16 : 8));
      },
    ),
    insn(
      `LD2/LD3/LD4/ST2/ST3/ST4 (multiple structures, update: ${kind.update})`,
      fixed("opcode4 size"),
      {
        shape: "Q L opcode4 size",
        when: (f) => MULTIPLE[f.opcode4]?.elements > 1 && !(f.size === 3 && !f.Q),
        cold: true,
      },
      assembly,
      ({ Q, L, opcode4, size, Rn, Rt, ...f }, $) => {
        const { registers } = MULTIPLE[opcode4], base = $.XSP(Rn);
        interleaved($, { L, Q }, size, registers, Rt, base);
        writeBack($, kind, Rn, f, base, registers * (Q ? 16 : 8));
      },
    ),
  ];
}

function single(kind: Update): Instruction[] {
  return SINGLE.map(({ name, log2, opcode, laneBits, lane }) =>
    insn(
      `LD1-LD4/ST1-ST4 (single structure, ${name}, update: ${kind.update})`,
      pattern<"Q L R many S size Rn Rt">(`0 Q 001101 ${kind.post} L R ${kind.Rm} ${opcode} many:1 ${laneBits} Rn Rt`),
      { shape: "L R many", cold: true },
      (f) => {
        const n = 1 + f.R + 2 * f.many;
        return text(f, n, `${registerList(f.Rt, n, SCALARS[log2])}[${lane(f)}]`, updateText(kind, f, n << log2));
      },
      ({ Q, L, R, many, S, size, Rn, Rt, ...f }, $) => {
        const n = 1 + R + 2 * many, base = $.XSP(Rn);
        // S and size are missing where they are fixed; the lane does not depend on them then.
        const fields = [Q, S ?? Q, size ?? Q];
        const offset = $.computed("i32", `lane${name}`, fields, (q, s, z) => lane({ Q: q, S: s, size: z }) << log2, 0, 15);
        const at = (i: number) => i ? $.add(base, i << log2) : base;
        if (L) {
          const type = log2 === 3 ? "i64" : "i32";
          const values = Array.from({ length: n }, (_, i) => $.load(type, 1 << log2, at(i), { part: true }));
          values.forEach((value, i) => $.writeV(LANE_STORES[log2], following($, Rt, i), offset, value));
        } else {
          for (let i = 0; i < n; i++) {
            $.store(1 << log2, at(i), $.let($.readV(LANE_LOADS[log2], following($, Rt, i), offset)), { part: true });
          }
        }
        writeBack($, kind, Rn, f, base, n << log2);
      },
    )
  );
}

function replicated(kind: Update): Instruction {
  return insn(
    `LD1R/LD2R/LD3R/LD4R (update: ${kind.update})`,
    pattern<"Q R many size Rn Rt">(`0 Q 001101 ${kind.post} 1 R ${kind.Rm} 11 many:1 0 size Rn Rt`),
    { shape: "Q R many size", cold: true },
    (f) => {
      const n = 1 + f.R + 2 * f.many;
      return text({ L: 1, ...f }, n, registerList(f.Rt, n, arrangement(f.size, f.Q)), updateText(kind, f, n << f.size), "r");
    },
    ({ Q, R, many, size, Rn, Rt, ...f }, $) => {
      const n = 1 + R + 2 * many, base = $.XSP(Rn);
      const at = (i: number) => i ? $.add(base, i << size) : base;
      const values = Array.from({ length: n }, (_, i) => $.load(size === 3 ? "i64" : "i32", 1 << size, at(i), { part: true }));
      values.forEach((value, i) => {
        const lanes = $.op(`${LANES[size]}.splat`, value);
        if (Q) $.setQ(following($, Rt, i), lanes);
        else $.setQLow(following($, Rt, i), lanes);
      });
      writeBack($, kind, Rn, f, base, n << size);
    },
  );
}

/** LD1-LD4, ST1-ST4, LD1R-LD4R. */
export const simdStructures = (): Instruction[] => UPDATES.flatMap((kind) => [...multiple(kind), ...single(kind), replicated(kind)]);
