// The WebAssembly instructions that the generators emit, by the names of the text format.
// WebAssembly Core Specification 2.0, section 5.4 (binary format, instructions) and section 5.4.8
// (vector instructions).

import { once } from "../../../kit/support/values/once.ts";

/** Plain instructions: one opcode byte, no immediate. */
const PLAIN = `
45 i32.eqz 46 i32.eq 47 i32.ne 48 i32.lt_s 49 i32.lt_u 4a i32.gt_s 4b i32.gt_u 4c i32.le_s 4d i32.le_u 4e i32.ge_s 4f i32.ge_u
50 i64.eqz 51 i64.eq 52 i64.ne 53 i64.lt_s 54 i64.lt_u 55 i64.gt_s 56 i64.gt_u 57 i64.le_s 58 i64.le_u 59 i64.ge_s 5a i64.ge_u
5b f32.eq 5c f32.ne 5d f32.lt 5e f32.gt 5f f32.le 60 f32.ge 61 f64.eq 62 f64.ne 63 f64.lt 64 f64.gt 65 f64.le 66 f64.ge
67 i32.clz 68 i32.ctz 69 i32.popcnt 6a i32.add 6b i32.sub 6c i32.mul 6d i32.div_s 6e i32.div_u 6f i32.rem_s 70 i32.rem_u
71 i32.and 72 i32.or 73 i32.xor 74 i32.shl 75 i32.shr_s 76 i32.shr_u 77 i32.rotl 78 i32.rotr
79 i64.clz 7a i64.ctz 7b i64.popcnt 7c i64.add 7d i64.sub 7e i64.mul 7f i64.div_s 80 i64.div_u 81 i64.rem_s 82 i64.rem_u
83 i64.and 84 i64.or 85 i64.xor 86 i64.shl 87 i64.shr_s 88 i64.shr_u 89 i64.rotl 8a i64.rotr
8b f32.abs 8c f32.neg 8d f32.ceil 8e f32.floor 8f f32.trunc 90 f32.nearest 91 f32.sqrt 92 f32.add 93 f32.sub 94 f32.mul 95 f32.div 96 f32.min 97 f32.max 98 f32.copysign
99 f64.abs 9a f64.neg 9b f64.ceil 9c f64.floor 9d f64.trunc 9e f64.nearest 9f f64.sqrt a0 f64.add a1 f64.sub a2 f64.mul a3 f64.div a4 f64.min a5 f64.max a6 f64.copysign
a7 i32.wrap_i64 a8 i32.trunc_f32_s a9 i32.trunc_f32_u aa i32.trunc_f64_s ab i32.trunc_f64_u ac i64.extend_i32_s ad i64.extend_i32_u
ae i64.trunc_f32_s af i64.trunc_f32_u b0 i64.trunc_f64_s b1 i64.trunc_f64_u
b2 f32.convert_i32_s b3 f32.convert_i32_u b4 f32.convert_i64_s b5 f32.convert_i64_u b6 f32.demote_f64
b7 f64.convert_i32_s b8 f64.convert_i32_u b9 f64.convert_i64_s ba f64.convert_i64_u bb f64.promote_f32
bc i32.reinterpret_f32 bd i64.reinterpret_f64 be f32.reinterpret_i32 bf f64.reinterpret_i64
c0 i32.extend8_s c1 i32.extend16_s c2 i64.extend8_s c3 i64.extend16_s c4 i64.extend32_s
00 unreachable 01 nop 0f return 1a drop 1b select
`;

/** Instructions after the prefix 0xfc, no immediate; the last ones: wide arithmetic proposal. */
const PREFIXED = `
0 i32.trunc_sat_f32_s 1 i32.trunc_sat_f32_u 2 i32.trunc_sat_f64_s 3 i32.trunc_sat_f64_u
4 i64.trunc_sat_f32_s 5 i64.trunc_sat_f32_u 6 i64.trunc_sat_f64_s 7 i64.trunc_sat_f64_u
21 i64.mul_wide_s 22 i64.mul_wide_u
`;

/** Vector instructions after the prefix 0xfd, no immediate; numbers in decimal. */
const VECTOR = `
14 i8x16.swizzle 15 i8x16.splat 16 i16x8.splat 17 i32x4.splat 18 i64x2.splat 19 f32x4.splat 20 f64x2.splat
35 i8x16.eq 36 i8x16.ne 37 i8x16.lt_s 38 i8x16.lt_u 39 i8x16.gt_s 40 i8x16.gt_u 41 i8x16.le_s 42 i8x16.le_u 43 i8x16.ge_s 44 i8x16.ge_u
45 i16x8.eq 46 i16x8.ne 47 i16x8.lt_s 48 i16x8.lt_u 49 i16x8.gt_s 50 i16x8.gt_u 51 i16x8.le_s 52 i16x8.le_u 53 i16x8.ge_s 54 i16x8.ge_u
55 i32x4.eq 56 i32x4.ne 57 i32x4.lt_s 58 i32x4.lt_u 59 i32x4.gt_s 60 i32x4.gt_u 61 i32x4.le_s 62 i32x4.le_u 63 i32x4.ge_s 64 i32x4.ge_u
65 f32x4.eq 66 f32x4.ne 67 f32x4.lt 68 f32x4.gt 69 f32x4.le 70 f32x4.ge 71 f64x2.eq 72 f64x2.ne 73 f64x2.lt 74 f64x2.gt 75 f64x2.le 76 f64x2.ge
77 v128.not 78 v128.and 79 v128.andnot 80 v128.or 81 v128.xor 82 v128.bitselect 83 v128.any_true
94 f32x4.demote_f64x2_zero 95 f64x2.promote_low_f32x4
96 i8x16.abs 97 i8x16.neg 98 i8x16.popcnt 99 i8x16.all_true 100 i8x16.bitmask 101 i8x16.narrow_i16x8_s 102 i8x16.narrow_i16x8_u
103 f32x4.ceil 104 f32x4.floor 105 f32x4.trunc 106 f32x4.nearest 107 i8x16.shl 108 i8x16.shr_s 109 i8x16.shr_u 110 i8x16.add 111 i8x16.add_sat_s 112 i8x16.add_sat_u
113 i8x16.sub 114 i8x16.sub_sat_s 115 i8x16.sub_sat_u 116 f64x2.ceil 117 f64x2.floor 118 i8x16.min_s 119 i8x16.min_u 120 i8x16.max_s 121 i8x16.max_u 122 f64x2.trunc 123 i8x16.avgr_u
124 i16x8.extadd_pairwise_i8x16_s 125 i16x8.extadd_pairwise_i8x16_u 126 i32x4.extadd_pairwise_i16x8_s 127 i32x4.extadd_pairwise_i16x8_u
128 i16x8.abs 129 i16x8.neg 130 i16x8.q15mulr_sat_s 131 i16x8.all_true 132 i16x8.bitmask 133 i16x8.narrow_i32x4_s 134 i16x8.narrow_i32x4_u
135 i16x8.extend_low_i8x16_s 136 i16x8.extend_high_i8x16_s 137 i16x8.extend_low_i8x16_u 138 i16x8.extend_high_i8x16_u
139 i16x8.shl 140 i16x8.shr_s 141 i16x8.shr_u 142 i16x8.add 143 i16x8.add_sat_s 144 i16x8.add_sat_u 145 i16x8.sub 146 i16x8.sub_sat_s 147 i16x8.sub_sat_u
148 f64x2.nearest 149 i16x8.mul 150 i16x8.min_s 151 i16x8.min_u 152 i16x8.max_s 153 i16x8.max_u 155 i16x8.avgr_u
156 i16x8.extmul_low_i8x16_s 157 i16x8.extmul_high_i8x16_s 158 i16x8.extmul_low_i8x16_u 159 i16x8.extmul_high_i8x16_u
160 i32x4.abs 161 i32x4.neg 163 i32x4.all_true 164 i32x4.bitmask
167 i32x4.extend_low_i16x8_s 168 i32x4.extend_high_i16x8_s 169 i32x4.extend_low_i16x8_u 170 i32x4.extend_high_i16x8_u
171 i32x4.shl 172 i32x4.shr_s 173 i32x4.shr_u 174 i32x4.add 177 i32x4.sub 181 i32x4.mul 182 i32x4.min_s 183 i32x4.min_u 184 i32x4.max_s 185 i32x4.max_u 186 i32x4.dot_i16x8_s
188 i32x4.extmul_low_i16x8_s 189 i32x4.extmul_high_i16x8_s 190 i32x4.extmul_low_i16x8_u 191 i32x4.extmul_high_i16x8_u
192 i64x2.abs 193 i64x2.neg 195 i64x2.all_true 196 i64x2.bitmask 199 i64x2.extend_low_i32x4_s 200 i64x2.extend_high_i32x4_s 201 i64x2.extend_low_i32x4_u 202 i64x2.extend_high_i32x4_u
203 i64x2.shl 204 i64x2.shr_s 205 i64x2.shr_u 206 i64x2.add 209 i64x2.sub 213 i64x2.mul
214 i64x2.eq 215 i64x2.ne 216 i64x2.lt_s 217 i64x2.gt_s 218 i64x2.le_s 219 i64x2.ge_s
220 i64x2.extmul_low_i32x4_s 221 i64x2.extmul_high_i32x4_s 222 i64x2.extmul_low_i32x4_u 223 i64x2.extmul_high_i32x4_u
224 f32x4.abs 225 f32x4.neg 227 f32x4.sqrt 228 f32x4.add 229 f32x4.sub 230 f32x4.mul 231 f32x4.div 232 f32x4.min 233 f32x4.max 234 f32x4.pmin 235 f32x4.pmax
236 f64x2.abs 237 f64x2.neg 239 f64x2.sqrt 240 f64x2.add 241 f64x2.sub 242 f64x2.mul 243 f64x2.div 244 f64x2.min 245 f64x2.max 246 f64x2.pmin 247 f64x2.pmax
248 i32x4.trunc_sat_f32x4_s 249 i32x4.trunc_sat_f32x4_u 250 f32x4.convert_i32x4_s 251 f32x4.convert_i32x4_u
252 i32x4.trunc_sat_f64x2_s_zero 253 i32x4.trunc_sat_f64x2_u_zero 254 f64x2.convert_low_i32x4_s 255 f64x2.convert_low_i32x4_u
261 f32x4.relaxed_madd 263 f64x2.relaxed_madd
`;

/** Loads and stores: opcode (a vector one from 0xfd00), log2 of the natural alignment. */
const MEMORY = `
28:2 i32.load 29:3 i64.load 2a:2 f32.load 2b:3 f64.load 2c:0 i32.load8_s 2d:0 i32.load8_u 2e:1 i32.load16_s 2f:1 i32.load16_u
30:0 i64.load8_s 31:0 i64.load8_u 32:1 i64.load16_s 33:1 i64.load16_u 34:2 i64.load32_s 35:2 i64.load32_u
36:2 i32.store 37:3 i64.store 38:2 f32.store 39:3 f64.store 3a:0 i32.store8 3b:1 i32.store16 3c:0 i64.store8 3d:1 i64.store16 3e:2 i64.store32
fd00:4 v128.load fd01:3 v128.load8x8_s fd02:3 v128.load8x8_u fd03:3 v128.load16x4_s fd04:3 v128.load16x4_u fd05:3 v128.load32x2_s fd06:3 v128.load32x2_u
fd07:0 v128.load8_splat fd08:1 v128.load16_splat fd09:2 v128.load32_splat fd0a:3 v128.load64_splat fd0b:4 v128.store fd5c:2 v128.load32_zero fd5d:3 v128.load64_zero
`;

/** Lane access: the immediate is the lane. */
const LANE = `
21 i8x16.extract_lane_s 22 i8x16.extract_lane_u 23 i8x16.replace_lane 24 i16x8.extract_lane_s 25 i16x8.extract_lane_u 26 i16x8.replace_lane
27 i32x4.extract_lane 28 i32x4.replace_lane 29 i64x2.extract_lane 30 i64x2.replace_lane 31 f32x4.extract_lane 32 f32x4.replace_lane 33 f64x2.extract_lane 34 f64x2.replace_lane
`;

function pairs(text: string): [string, string][] {
  const words = text.trim().split(/\s+/);
  return words.flatMap((word, i) => i % 2 ? [] : [[words[i + 1], word] as [string, string]]);
}

/** Unsigned LEB128 of a non-negative integer below 2^53. */
export function unsignedLeb(value: number): number[] {
  const out: number[] = [];
  do {
    const low = value % 128;
    value = Math.floor(value / 128);
    out.push(value ? low | 128 : low);
  } while (value);
  return out;
}

/** Signed LEB128. */
export function signedLeb(value: bigint): number[] {
  const out: number[] = [];
  for (;;) {
    const low = Number(value & 127n);
    value >>= 7n;
    const done = value === 0n && !(low & 64) || value === -1n && (low & 64) !== 0;
    out.push(done ? low : low | 128);
    if (done) return out;
  }
}

/** Bytes of a scalar value, and of a vector, in a frame of the stack. */
export const SCALAR_BYTES = 8, VECTOR_BYTES = 16;

/** An instruction without an immediate, or with one that is a lane. */
interface Opcode {
  readonly code: readonly number[];
  /** Bytes of its result in a frame, at most. */
  readonly bytes: number;
}

const NO_RESULT: ReadonlySet<string> = new Set(["unreachable", "nop", "return", "drop"]);

function opcode(name: string, code: readonly number[]): Opcode {
  const isVector = name === "select" || /^(v128|[if]\d+x)/.test(name) && !/\.(any_true|all_true|bitmask|extract_lane)/.test(name);
  const bytes = /mul_wide/.test(name) ? 2 * SCALAR_BYTES : isVector ? VECTOR_BYTES : SCALAR_BYTES;
  return { code, bytes: NO_RESULT.has(name) ? 0 : bytes };
}

// The tables are made at their first use: a start that finds its core in the cache needs them late,
// if at all.

/** Each instruction without an immediate. */
export const PLAIN_OPCODES = once(() =>
  new Map<string, Opcode>([
    ...pairs(PLAIN).map(([name, code]) => [name, opcode(name, [parseInt(code, 16)])] as const),
    ...pairs(PREFIXED).map(([name, code]) => [name, opcode(name, [0xfc, Number(code)])] as const),
    ...pairs(VECTOR).map(([name, code]) => [name, opcode(name, [0xfd, ...unsignedLeb(Number(code))])] as const),
  ])
);

/** Encoding and natural alignment (log2 bytes) of each load and store. */
export const MEMORY_OPCODES = once(() =>
  new Map<string, { readonly code: readonly number[]; readonly align: number }>(
    pairs(MEMORY).map(([name, text]) => {
      const [hex, align] = text.split(":");
      const number = parseInt(hex, 16);
      return [name, { code: number < 256 ? [number] : [0xfd, ...unsignedLeb(number & 255)], align: Number(align) }] as const;
    }),
  )
);

/** Each instruction whose immediate is a lane. */
export const LANE_OPCODES = once(() =>
  new Map<string, Opcode>(
    pairs(LANE).map(([name, code]) => [name, opcode(name, [0xfd, Number(code)])] as const),
  )
);
