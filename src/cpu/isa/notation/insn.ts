// How an instruction is written down: `insn(name, pattern, options, assembly, semantics)`.
// docs/design/decisions.md §9; docs/design/core.md §I6. An entry looks like this:
//
//   insn("ADD/ADDS/SUB/SUBS (shifted register)", "sf op S 01011 shift 0 Rm imm6 Rn Rd",
//     { shape: "sf op S shift", unallocated: (f) => f.shift === 3 || !f.sf && f.imm6 >= 32 },
//     (f) => {
//       const name = ["add", "adds", "sub", "subs"][2 * f.op + f.S];
//       return `${name}\t${r(f.sf, f.Rd)}, ${r(f.sf, f.Rn)}, ${r(f.sf, f.Rm)}${shiftSuffix(f)}`;
//     },
//     ({ sf, op, S, shift, Rm, imm6, Rn, Rd }, $) => {
//       const a = $.R(sf, Rn), b = $.let(shiftRegister($, sf, Rm, shift, imm6));
//       const result = $.let(op ? $.sub(a, b) : $.add(a, b));
//       if (S) setAddSubFlags($, a, b, result, op);
//       $.setR(Rd, result);
//     })
//
// - *pattern*: from bit 31 down, separated by spaces: fixed bits (0 and 1), or fields,
//   `name:width`. The width can be left out of the usual names (`WIDTHS`) and of names that end in
//   their width (`imm12`). All 32 bits must be there.
// - *shape*: the fields whose values make different code. Each combination is a separate handler,
//   and in the semantics these fields are plain numbers, for ordinary `if`. All other fields are
//   `Node`s, operands in the decoded instruction: never look at their value. Few shapes, few
//   handlers: put into `shape` what would cost at run time, leave the rest as operands.
// - *when*: combinations of shape fields that exist. The others fall through to other entries, in
//   the end to UNDEFINED.
// - *unallocated*: a predicate of all fields (numbers): such words are UNDEFINED. It must hold
//   before `semantics` means anything.
// - *unpredictable*: words that a test must not generate (CONSTRAINED UNPREDICTABLE); they execute
//   as the semantics say.
// - *cold*: true puts the handler into a separate function, called from the interpreter loop. All
//   that is rare should be cold: the loop is one function and has to stay small. A function of the
//   shape is possible. Fault paths are the same in both.
// - *special*: values of operand fields (`{ Rd: 31 }`) for which a separate handler pays, for
//   each shape: compares, moves. In it these fields are constants, and XZR costs nothing. Give
//   these only for what is frequent.
// - *feature*: the name of the feature (features.ts) whose CPUs have it; none: every CPU has it.
//   *also*: another feature that they must have. *unless*: CPUs with all of these do not have it.
// - *fp*: true when CPACR_EL1.FPEN traps the instruction. It is known by itself where vector
//   registers are read or written, or a state of FPCR or FPSR.
// - *assembly*: the text of `objdump -d -M no-aliases`, mnemonic and operands separated by a tab;
//   fields as numbers, the address as a bigint.
// - *semantics*: statements through the `Builder`. Read registers first, do memory accesses, then
//   write registers, so that a fault leaves all as it was. `$.let` what is used twice. Where two
//   entries overlap, the one with more fixed bits wins.

import type { Builder, Node } from "./builder.ts";
import type { FeatureName } from "../cpus/features.ts";

type Words<T extends string> = T extends `${infer Head} ${infer Tail}` ? Head | Words<Tail> : T;
type FieldOf<W extends string> = W extends `0${string}` | `1${string}` | "" ? never : W extends `${infer Name}:${string}` ? Name : W;
/** Names of the fields of a pattern. */
type FieldNames<P extends string> = FieldOf<Words<P>>;

/** Values of all fields, as the assembly text and the predicates see them. */
export type FieldValues<Names extends string = string> = { readonly [K in Names]: number };

/** Fields as the semantics see them. */
type Operands<P extends string, S extends string> =
  & { readonly [K in Extract<FieldNames<P>, Words<S>>]: number }
  & { readonly [K in Exclude<FieldNames<P>, Words<S>>]: Node };

/** See the head of this file. */
interface InstructionOptions<P extends string, S extends string> {
  readonly shape?: S;
  readonly when?: (shape: FieldValues<Extract<FieldNames<P>, Words<S>>>) => boolean;
  readonly unallocated?: (fields: FieldValues<FieldNames<P>>) => boolean;
  readonly unpredictable?: (fields: FieldValues<FieldNames<P>>) => boolean;
  readonly special?: (shape: FieldValues<Extract<FieldNames<P>, Words<S>>>) => readonly Partial<FieldValues<FieldNames<P>>>[];
  readonly cold?: boolean | ((shape: FieldValues<Extract<FieldNames<P>, Words<S>>>) => boolean);
  readonly fp?: boolean;
  readonly feature?: FeatureName;
  readonly also?: FeatureName;
  readonly unless?: readonly FeatureName[];
}

/** The place of a field in the word. */
export interface Field {
  /** Of its lowest bit. */
  readonly position: number;
  readonly width: number;
}

export interface Instruction {
  /** As the Arm manual titles its page, for messages and coverage. */
  readonly name: string;
  readonly pattern: string;
  /** The fixed bits, and their values; unsigned. */
  readonly mask: number;
  readonly value: number;
  readonly fields: ReadonlyMap<string, Field>;
  /** The same as a list, for the decoder. */
  readonly fieldList: readonly { readonly name: string; readonly position: number; readonly mask: number }[];
  /** Names of the shape fields. The head of this file describes the rest. */
  readonly shape: readonly string[];
  readonly fp: boolean;
  readonly feature: FeatureName | undefined;
  readonly also: FeatureName | undefined;
  readonly unless: readonly FeatureName[];
  readonly when: (shape: FieldValues) => boolean;
  readonly unallocated: (fields: FieldValues) => boolean;
  readonly unpredictable: (fields: FieldValues) => boolean;
  readonly special: (shape: FieldValues) => readonly Partial<FieldValues>[];
  readonly cold: (shape: FieldValues) => boolean;
  readonly assembly: (fields: FieldValues, address: bigint) => string;
  readonly semantics: (fields: Record<string, number | Node>, $: Builder) => void;
}

/** Widths of fields whose names do not end in them. */
const WIDTHS: Readonly<Record<string, number>> = {
  sf: 1,
  op: 1,
  S: 1,
  N: 1,
  L: 1,
  Q: 1,
  U: 1,
  A: 1,
  R: 1,
  b5: 1,
  b40: 5,
  o0: 1,
  o1: 1,
  o2: 1,
  o3: 1,
  sh: 1,
  M: 1,
  H: 1,
  D: 1,
  E: 1,
  Rd: 5,
  Rn: 5,
  Rm: 5,
  Ra: 5,
  Rt: 5,
  Rt2: 5,
  Rs: 5,
  cond: 4,
  nzcv: 4,
  hw: 2,
  shift: 2,
  size: 2,
  sz: 1,
  opc: 2,
  option: 3,
  ftype: 2,
  immr: 6,
  imms: 6,
  immlo: 2,
  immhi: 19,
  CRn: 4,
  CRm: 4,
  op0: 2,
  op1: 3,
  op2: 3,
  rmode: 2,
  cmode: 4,
  immh: 4,
  immb: 3,
  opcode: 5,
};

/** A word of a pattern: fixed bits and their values, or a field. */
interface Token {
  readonly field: string | undefined;
  /** 0 where it is unknown. */
  readonly width: number;
  readonly bits: number;
}

function tokenOf(text: string): Token {
  if (/^[01]+$/.test(text)) return { field: undefined, width: text.length, bits: parseInt(text, 2) };
  const [field, explicit] = text.split(":");
  return { field, width: Number(explicit ?? WIDTHS[field] ?? /\d+$/.exec(field)?.[0] ?? 0), bits: 0 };
}

/** Those that occurred: few are in one pattern alone, and each start with a machine reads all. */
const tokens = new Map<string, Token>();

/** `when` of entries that say nothing, so that nobody need ask. */
export const ALWAYS = (): boolean => true;

/** `unallocated` of entries that say nothing, so that the decoder can skip it. */
export const ALWAYS_ALLOCATED = (): boolean => false;

/**
 * Declares an instruction. Throws when the pattern is not 32 bits wide or names an unknown field.
 */
export function insn<const P extends string, const S extends string = "">(
  name: string,
  pattern: P,
  options: InstructionOptions<P, S>,
  assembly: (fields: FieldValues<FieldNames<P>>, address: bigint) => string,
  semantics: (fields: Operands<P, S>, $: Builder) => void,
): Instruction {
  const fields = new Map<string, Field>(), fieldList: Instruction["fieldList"][number][] = [];
  let position = 32, mask = 0, value = 0;
  for (const word of pattern.trim().split(/\s+/)) {
    let token = tokens.get(word);
    if (!token) tokens.set(word, token = tokenOf(word));
    const { field, width } = token;
    if (!width) throw new Error(`${name}: the width of field ${field} is unknown`);
    position -= width;
    if (field === undefined) {
      mask |= 2 ** width - 1 << position;
      value |= token.bits << position;
      continue;
    }
    if (fields.has(field)) throw new Error(`${name}: field ${field} occurs twice`);
    fields.set(field, { position, width });
    fieldList.push({ name: field, position, mask: 2 ** width - 1 });
  }
  if (position !== 0) throw new Error(`${name}: the pattern has ${32 - position} bits`);
  const shape = options.shape?.split(" ") ?? [];
  for (const field of shape) if (!fields.has(field)) throw new Error(`${name}: shape field ${field} is not in the pattern`);
  const { cold } = options;
  // The types above tie the names of the pattern to its functions; past this point fields are
  // looked up by name.
  return {
    name,
    pattern,
    mask: mask >>> 0,
    value: value >>> 0,
    fields,
    fieldList,
    shape,
    fp: options.fp ?? false,
    feature: options.feature,
    also: options.also,
    unless: options.unless ?? [],
    when: (options.when ?? ALWAYS) as Instruction["when"],
    unallocated: (options.unallocated ?? ALWAYS_ALLOCATED) as Instruction["unallocated"],
    unpredictable: (options.unpredictable ?? (() => false)) as Instruction["unpredictable"],
    special: (options.special ?? (() => [])) as Instruction["special"],
    cold: (typeof cold === "function" ? cold : () => cold ?? false) as Instruction["cold"],
    assembly: assembly as Instruction["assembly"],
    semantics: semantics as Instruction["semantics"],
  };
}

/** The values of all fields of a word. */
export function fieldValues(instruction: Instruction, word: number): FieldValues {
  const values: Record<string, number> = {};
  for (const { name, position, mask } of instruction.fieldList) values[name] = word >>> position & mask;
  return values;
}
