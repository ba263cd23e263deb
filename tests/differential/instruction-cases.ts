// Random cases for instructions of the table: a word (or two) and a register state in which it does
// something worth comparing. Registers that are the base of an access point into the data window;
// everything else is random, with many values at the edges.

import type { FeatureName } from "../../src/cpu/isa/cpus/features.ts";
import type { Statement } from "../../src/cpu/isa/notation/builder.ts";
import { allEncodings, type InstructionForm, semanticsOf } from "../../src/cpu/isa/table.ts";
import type { Random } from "../support/random.ts";
import { randomWord } from "./random-words.ts";
import { Registers } from "./unicorn.ts";

/** Where everything lies, for both processors. Physical and virtual addresses are equal. */
export const Layout = {
  base: 0x4000_0000,
  size: 0x100_0000,
  /** Left to the processors: page tables. */
  tables: 0x4000_0000,
  /** Memory of loads and stores; their pointers are near the middle. */
  data: 0x4020_0000,
  dataSize: 0x20_0000,
  /**
   * Filled with `FILLER`, for a processor may read the following bytes. Each case has its own
   * addresses in it.
   */
  nops: 0x4040_0000,
  code: 0x4060_0000,
  codeEnd: 0x40d0_0000,
} as const;

/** The keys of pointer authentication of both processors: halves of IA, IB, DA, DB and GA. */
export const PAC_KEYS: readonly bigint[] = Array.from(
  { length: 10 },
  (_, i) => 0x84be_85ce_9804_e94bn * BigInt(2 * i + 1) & (1n << 64n) - 1n,
);

/** TCR_EL1 of both: 40-bit PA, EPD1, inner shareable, write-back walks, T0SZ 25. */
export const TCR = 0x2_0080_3519n;

/** `b .+4`: does nothing, and ends a translation block. */
export const FILLER = 0x1400_0001;

/** One case. */
export interface Case {
  encoding: InstructionForm;
  /** Instructions in order; the last one is the encoding's. */
  words: number[];
  /** Where they lie, once they are loaded. */
  address: number;
}

/** Entries that are not compared with unicorn, each with the reason. Their tests are elsewhere. */
export const NOT_COMPARED: ReadonlyMap<string, string> = new Map([
  ...["UDF", "SVC", "HVC", "SMC", "BRK", "HLT", "ERET", "ERETAA/ERETAB"].map((name) => [name, "takes or leaves an exception"] as const),
  ["YIELD", "unicorn stops there (as at every hint that ends a translation block); it has no result"],
  ["WFE", "unicorn stops there; it has no result"],
  ["WFI", "unicorn stops there; it has no result"],
  ["WFET", "unicorn does not know it; it has no result"],
  ["WFIT", "unicorn does not know it; it has no result"],
  ["MRS", "system registers are this CPU's own (Arm ARM D17)"],
  ["MSR (register)", "system registers are this CPU's own (Arm ARM D17)"],
  ...["MSR (immediate)", "MSR UAO, #imm", "MSR SSBS, #imm", "MSR DIT, #imm"].map((name) =>
    [name, "PSTATE beside NZCV is not among what is compared"] as const
  ),
  ...["CPY", "SET"].map((name) =>
    [name, "unicorn does not know it; tests/cpu/core/memory/memory-operations_test.ts has its states"] as const
  ),
  ["SYS", "cache and TLB maintenance has no result; unicorn's CPU traps some of it"],
  ["DC ZVA", "the block is 64 bytes here and 512 on unicorn's CPU (DCZID_EL0.BS is IMPLEMENTATION DEFINED)"],
]);

/** Features that unicorn's CPU, which is that of QEMU 5.0, does not have. */
export const UNKNOWN_TO_UNICORN: readonly FeatureName[] = [
  "FEAT_I8MM",
  "FEAT_BF16",
  "FEAT_CSSC",
  "FEAT_HBC",
  "FEAT_XS",
  "FEAT_LRCPC3",
  "FEAT_LSE128",
];

const FPCR_FZ = 1n << 24n, SMALLEST_NORMAL = 1n << 52n;

/**
 * Whether a state is not compared. FJCVTZS of a positive subnormal that is flushed to zero clears Z
 * (Arm ARM J1.2, FPToFixedJS); unicorn sets it. The code of a pointer that is not an address has
 * bit 62 inverted (AddPAC: top_bit - 1), and its half is that of bit 63; unicorn inverts bit 63,
 * and takes the half of bit 55. tests/cpu/core/registers/pointer-authentication_test.ts has these.
 */
export function isDisputed({ encoding, words }: Case, registers: Registers): boolean {
  const signed = signedRegister(words);
  if (signed !== undefined) return !isAddress(registers.words[signed]);
  if (encoding.instruction.name !== "FJCVTZS") return false;
  const operand = registers.words[Registers.V + 2 * (words[words.length - 1] >>> 5 & 31)];
  return (registers.words[Registers.FPCR] & FPCR_FZ) !== 0n && operand > 0n && operand < SMALLEST_NORMAL;
}

/** The register whose pointer the first of these instructions signs, if it signs one. */
function signedRegister([word, ...rest]: readonly number[]): number | undefined {
  if ((word & 0xffff_fd9f) >>> 0 === 0xd503_211f && (word & 0x80) === 0) return word & 0x200 ? 30 : 17;
  if ((word & 0xffff_d000) >>> 0 === 0xdac1_0000) return word & 31;
  return word === MOVE_TO_LINK && rest.length > 0 ? CODE_POINTER : undefined;
}

/** Whether the bits above those of an address are all equal. */
const isAddress = (pointer: bigint) => BigInt.asUintN(64, BigInt.asIntN(40, pointer)) === pointer;

/**
 * Defects of unicorn's CPU; tests/cpu/core/extensions_test.ts and pointer-authentication_test.ts
 * test these instructions.
 */
const DEFECTS: ReadonlyMap<string, string> = new Map([
  [
    "FCVTZS (SIMD scalar, fixed-point, half precision)",
    "unicorn sign-extends the result to 32 bits (Arm ARM C7.2: zeros are above)",
  ],
  ["LDRAA/LDRAB", "unicorn takes SP for the modifier, which is zero (Arm ARM C6.2)"],
  ["FCMLA (by element, 16)", "with 64 bits, unicorn sets the flags of the other 64 as well"],
]);

/** Whether only CPUs that execute EL2 have an encoding: el2_test.ts compares these. */
export const isOfEl2 = ({ instruction: { feature, also } }: InstructionForm): boolean => feature === "FEAT_EL2" || also === "FEAT_EL2";

/** Why an encoding is not compared with unicorn, or undefined if it is. */
export function exclusion(form: InstructionForm): string | undefined {
  const { instruction, shape } = form;
  if (isOfEl2(form)) return "the CPU does not execute EL2";
  if (instruction.name.startsWith("LDADD/") && shape.size < 3 && shape.opc >= 4) {
    // Arm ARM C6.2 (LDSMAXB and others): value = X[s, datasize], so that only the narrow register
    // counts; a separate test computes the result.
    return "unicorn compares all 64 bits of the register with the narrow memory operand";
  }
  if (instruction.feature && UNKNOWN_TO_UNICORN.includes(instruction.feature)) return "unicorn's CPU does not have the feature";
  return DEFECTS.get(instruction.name) ?? NOT_COMPARED.get(instruction.name);
}

/** Registers that hold pointers. */
const ALIGNED_POINTERS = [20, 21];
const UNALIGNED_POINTERS = [22, 23];
const POINTERS = [...ALIGNED_POINTERS, ...UNALIGNED_POINTERS];
/** Register that holds an address of code: among the fillers, where nothing else is said. */
export const CODE_POINTER = 25;
/** Register with a small index, for register offsets. */
const INDEX = 24;

/** Operands of an encoding, from its semantics. */
interface Traits {
  memory: boolean;
  /** Misaligned addresses fault. */
  aligned: boolean;
  branches: boolean;
  branchesToRegister: boolean;
}

const traitsOf = new Map<InstructionForm, Traits>();

function traits(encoding: InstructionForm): Traits {
  let found = traitsOf.get(encoding);
  if (!found) {
    found = { memory: false, aligned: false, branches: false, branchesToRegister: false };
    collect(semanticsOf(encoding).statements, found);
    traitsOf.set(encoding, found);
  }
  return found;
}

function collect(statements: readonly Statement[], into: Traits): void {
  for (const statement of statements) {
    switch (statement.kind) {
      case "load":
      case "store":
        into.memory = true;
        into.aligned ||= statement.options.aligned ?? false;
        break;
      case "loadPair":
      case "storePair":
        into.memory = true;
        break;
      case "ramAddress":
        into.memory = true;
        into.aligned = true;
        break;
      case "branch":
        into.branches = true;
        break;
      case "branchTo":
        into.branches = into.branchesToRegister = true;
        break;
      case "if":
        collect(statement.then, into);
        collect(statement.otherwise, into);
        break;
    }
  }
}

const CLREX = 0xd503305f;
/**
 * Load-acquire exclusive of the same size and base as a store exclusive: L set, no status register,
 * data into X25 and X26.
 */
const LOAD_BIT = 1 << 22;

function matchingLoadExclusive(store: number): number {
  const pair = store >>> 21 & 1;
  return ((store | LOAD_BIT | 31 << 16) & ~(31 << 10) & ~31 | (pair ? 26 : 31) << 10 | 25) >>> 0;
}

/** `mov x30, x25`; the words of PACIA, PACIZA, PACDZA, PACIASP without registers and key. */
const MOVE_TO_LINK = 0xaa19_03fe, PACIA = 0xdac1_0000, PACIZA = 0xdac1_23e0, PACDZA = 0xdac1_2be0, PACIASP = 0xd503_233f;

/** Instructions that sign the pointer which an instruction authenticates; undefined for others. */
function signingWords({ instruction: { name }, shape: { M } }: InstructionForm, word: number, random: Random): number[] | undefined {
  const rn = word >>> 5 & 31, rm = word & 31;
  if (/^AUT.*(SP|1716|I[AB]Z)$/.test(name)) return random.below(2) ? [(word & ~(1 << 7)) >>> 0] : undefined;
  if (/^AUT/.test(name)) return random.below(2) ? [(word & ~(1 << 12)) >>> 0] : undefined;
  if (/^BRA.Z/.test(name)) return [PACIZA | M << 10 | rn].map((one) => one >>> 0);
  if (/^BRA/.test(name)) return [PACIA | M << 10 | rm << 5 | rn].map((one) => one >>> 0);
  if (/^RETA/.test(name)) return [MOVE_TO_LINK, PACIASP | M << 6];
  return /^LDRA[AB]/.test(name) ? [PACDZA | M << 10 | rn].map((one) => one >>> 0) : undefined;
}

/** B and BL reach 128 MiB; this keeps them within 1 MiB. */
const nearBranch = (word: number) => (word & ~0x3ff_ffff | (word << 8 >> 14) & 0x3ff_ffff) >>> 0;

/** Puts a register number into a field. */
function withRegister({ instruction }: InstructionForm, word: number, field: string, register: number): number {
  const { position } = instruction.fields.get(field)!;
  return (word & ~(31 << position) | register << position) >>> 0;
}

/** A random case of `encoding`; undefined if no word was found. */
export function randomCase(encoding: InstructionForm, random: Random): Case | undefined {
  const { memory, aligned, branchesToRegister } = traits(encoding);
  const { fields } = encoding.instruction, isAuthenticated = /^(LDRA[AB]|BRA)/.test(encoding.instruction.name);
  const word = randomWord(encoding, random, (word) => {
    if (fields.has("imm26")) return nearBranch(word);
    // The modifier is not the pointer itself.
    if (isAuthenticated && fields.has("Rm") && (word & 31) === CODE_POINTER) word ^= 1;
    if (encoding.instruction.name === "DC ZVA") return withRegister(encoding, word, "Rt", random.pick(POINTERS));
    if (!memory && !branchesToRegister) return word;
    if (fields.has("Rn")) {
      // SP is a base as well, and always aligned.
      const base = random.below(8) === 0 && !isAuthenticated ? 31 : random.pick(aligned ? ALIGNED_POINTERS : POINTERS);
      word = withRegister(encoding, word, "Rn", branchesToRegister ? CODE_POINTER : base);
    }
    // Offsets of accesses that must be aligned are multiples of 16.
    if (aligned && fields.has("imm9")) word = (word & ~(15 << fields.get("imm9")!.position)) >>> 0;
    if (fields.has("option") && fields.has("Rm")) word = withRegister(encoding, word, "Rm", INDEX);
    return word;
  });
  if (word === undefined) return undefined;
  const signing = signingWords(encoding, word, random);
  if (signing) return { encoding, words: [...signing, word], address: 0 };
  if (!/^STX[RP]/.test(encoding.instruction.name)) return { encoding, words: [word], address: 0 };
  return { encoding, words: [random.below(4) === 0 ? CLREX : matchingLoadExclusive(word), word], address: 0 };
}

/** Registers 0..15 take the results of a block, so that its pointers stay what they are. */
const RESULT_FIELDS = ["Rd", "Rt", "Rt2", "Rs"];

/**
 * Instructions for blocks: no branches, no exclusives (their monitor is not compared), no base that
 * moves by a register or is authenticated, nothing that signs what may be no address.
 */
const blockEncodings = allEncodings().filter((encoding) => {
  const { memory, branches } = traits(encoding);
  const { name, fields } = encoding.instruction;
  const movesByRegister = memory && fields.has("Rm") && !fields.has("option");
  return exclusion(encoding) === undefined && !branches && !movesByRegister && !/^(LD|ST)X|^LDRA[AB]|^PAC[ID]/.test(name);
});

/**
 * A random block of `length` instructions in a straight line, each of which uses what the ones
 * before it left.
 */
export function randomBlock(random: Random, length: number): Case {
  const words: number[] = [];
  let last: InstructionForm = blockEncodings[0];
  while (words.length < length) {
    const encoding = random.pick(blockEncodings);
    const { memory, aligned } = traits(encoding);
    const { fields } = encoding.instruction;
    const word = randomWord(encoding, random, (word) => {
      for (const field of RESULT_FIELDS) {
        if (fields.has(field)) word = (word & ~(16 << fields.get(field)!.position)) >>> 0;
      }
      if (!memory) return word;
      if (fields.has("Rn")) word = withRegister(encoding, word, "Rn", random.pick(aligned ? ALIGNED_POINTERS : UNALIGNED_POINTERS));
      // Offsets of accesses that must be aligned are multiples of 16.
      if (aligned && fields.has("imm9")) word = (word & ~(15 << fields.get("imm9")!.position)) >>> 0;
      if (fields.has("option") && fields.has("Rm")) word = withRegister(encoding, word, "Rm", INDEX);
      return word;
    });
    if (word === undefined) continue;
    words.push(word);
    last = encoding;
  }
  return { encoding: last, words, address: 0 };
}

/** Integers at the edges, as halves: low, high. */
const EDGES: readonly (readonly [low: number, high: number])[] = [
  ...[0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff].map((low) => [low, 0] as const),
  ...[[0, 1], [0xffff_ffff, 0x7fff_ffff], [0, 0x8000_0000], [0xffff_ffff, 0xffff_ffff], [0xffff_fffe, 0xffff_ffff]] as const,
  ...[[0xffff_ff00, 0xffff_ffff], [0, 0xffff_ffff]] as const,
];

/** Fills a doubleword of `halves` with an integer. */
function integer(random: Random, halves: Uint32Array, at: number): void {
  switch (random.below(4)) {
    case 0:
      [halves[at], halves[at + 1]] = random.pick(EDGES);
      return;
    case 1:
      halves[at] = random.below(256);
      halves[at + 1] = 0;
      return;
    default:
      halves[at] = random.word();
      halves[at + 1] = random.word();
  }
}

/**
 * Doubles and singles at the edges: zeros, ones, infinities, NaNs of both kinds, subnormals, limits
 * of the integers and of the normals.
 */
const DOUBLES: readonly (readonly [low: number, high: number])[] = [
  ...[[0, 0], [0, 0x3ff0_0000], [0, 0x7ff0_0000], [0, 0x7ff8_0000], [0xbeef_0001, 0x7ff8_dead], [1, 0x7ff0_0000]] as const,
  ...[[0x1234_5678, 0x7ff4_0000], [1, 0], [0xffff_ffff, 0xf_ffff], [0, 0x10_0000], [0xffff_ffff, 0x7fef_ffff], [0, 0x3fe0_0000]] as const,
  ...[[0, 0x3ff8_0000], [0, 0x4004_0000], [0xffc0_0000, 0x41df_ffff], [0, 0x41e0_0000], [0, 0x43e0_0000]] as const,
  ...[[0xffff_ffff, 0x43df_ffff], [0, 0x43f0_0000], [0, 0x3cb0_0000], [0, 0x3800_0000], [0xe000_0000, 0x47ef_ffff]] as const,
];
const SINGLES = [
  ...[0, 0x3f80_0000, 0x7f80_0000, 0x7fc0_0000, 0x7fc0_1234, 0x7f80_0001, 0x7fa0_0000, 1, 0x007f_ffff, 0x0080_0000, 0x7f7f_ffff],
  ...[0x3f00_0000, 0x3fc0_0000, 0x4020_0000, 0x4eff_ffff, 0x4f00_0000, 0x5f00_0000, 0x5eff_ffff, 0x5f80_0000, 0x3380_0000, 0x3880_0000],
];

function double(random: Random, halves: Uint32Array, at: number): void {
  const sign = random.below(2) * 0x8000_0000;
  if (random.below(3) === 0) {
    const [low, high] = random.pick(DOUBLES);
    halves[at] = low;
    halves[at + 1] = high | sign;
    return;
  }
  // Exponents close to each other, so that sums and products depend on every bit.
  const exponent = 1023 - 32 + random.below(64);
  halves[at] = random.word();
  halves[at + 1] = sign | exponent << 20 | random.word() >>> 12;
}

function single(random: Random): number {
  const sign = random.below(2) * 0x8000_0000;
  if (random.below(3) === 0) return (random.pick(SINGLES) | sign) >>> 0;
  return (sign | 127 - 16 + random.below(32) << 23 | random.word() >>> 9) >>> 0;
}

/** Fills a doubleword of a vector. */
function vectorHalf(random: Random, halves: Uint32Array, at: number): void {
  switch (random.below(4)) {
    case 0:
      return integer(random, halves, at);
    case 1:
      return double(random, halves, at);
    case 2:
      halves[at] = single(random);
      halves[at + 1] = single(random);
      return;
    default:
      halves[at] = random.word();
      halves[at + 1] = random.word();
  }
}

const Fpcr = { roundingMode: 22, flushToZero: 1 << 24, defaultNan: 1 << 25, alternativeHalf: 1 << 26 } as const;
const FPSR_INEXACT = 1 << 4;

/** Fills registers with a state in which a case can run at `pc`. */
export function randomState({ halves }: Registers, random: Random, pc: number): void {
  const small = (word: number, value: number) => {
    halves[2 * word] = value;
    halves[2 * word + 1] = 0;
  };
  for (let index = 0; index < 31; index++) integer(random, halves, 2 * index);
  const middle = Layout.data + Layout.dataSize / 2;
  small(20, middle + 16 * random.below(256));
  small(21, middle + 0x1_0000 + 64 * random.below(64));
  small(22, middle + random.below(0x1000));
  small(23, middle + 0x1000 * random.below(16) - 1 - random.below(16)); // accesses cross the page
  small(CODE_POINTER, Layout.codeEnd + 4 * random.below(0x1_0000));
  small(INDEX, random.below(256));
  small(Registers.SP, middle - 0x1000 + 16 * random.below(256));
  small(Registers.PC, pc);
  small(Registers.NZCV, random.word() & 0xf000_0000);
  const plain = random.below(2) === 0;
  const fpcr = plain
    ? 0
    : random.below(4) << Fpcr.roundingMode | (random.below(4) ? 0 : Fpcr.flushToZero) | (random.below(4) ? 0 : Fpcr.defaultNan) |
      (random.below(8) ? 0 : Fpcr.alternativeHalf);
  small(Registers.FPCR, fpcr);
  // With IXC set, arithmetic takes short cuts that it must not take else.
  small(Registers.FPSR, random.below(2) ? FPSR_INEXACT : 0);
  for (let index = Registers.V; index < Registers.WORDS; index++) vectorHalf(random, halves, 2 * index);
}
