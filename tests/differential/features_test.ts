// Instructions of features beside QEMU 11: a second oracle, and the only one for those that unicorn
// does not know. Random words over eight registers, and random states, many values at the edges.

import assert from "node:assert/strict";
import type { Builder, Statement } from "../../src/cpu/isa/notation/builder.ts";
import { disassemble } from "../../src/cpu/isa/disassemble.ts";
import type { FeatureName } from "../../src/cpu/isa/cpus/features.ts";
import { allEncodings, type InstructionForm, semanticsOf } from "../../src/cpu/isa/table.ts";
import { Random } from "../support/random.ts";
import { dataText, instructionText, programText, runInBoth } from "./newest-qemu.ts";
import { encodingName, randomWord } from "./random-words.ts";
import { LONG } from "../support/long.ts";

/** Cases of one program, which has 4 MiB for code, inputs and results; and programs. */
const CASES = 4000, PROGRAMS = 75;
/** Doublewords of a state: V0 to V7, X0 to X7, NZCV, FPCR, FPSR and a filler. */
const STATE = 28, VECTORS = 16, FPCR = 25;
const STATE_SIZE = 8 * STATE;

/** The algorithm of PAuth is each CPU's own. */
const EXCLUDED: ReadonlySet<FeatureName | undefined> = new Set(["FEAT_PAuth"]);

/** Whether an instruction is about general registers, vectors and flags alone. */
const isPlain = (statements: readonly Statement[]): boolean =>
  statements.every((s) => {
    if (s.kind === "if") return isPlain(s.then) && isPlain(s.otherwise);
    if (s.kind === "call") return !s.faults;
    return ["let", "setRegister", "setVector", "setFlags", "setState"].includes(s.kind);
  });
const readsPlace = ({ statements }: Builder) =>
  JSON.stringify(statements, (key, value) => typeof value === "bigint" ? `${value}` : key === "compute" ? undefined : value).includes(
    '"kind":"pc"',
  );

/** The encodings of features that are compared. */
const compared = (): readonly InstructionForm[] =>
  allEncodings().filter((encoding) => {
    const { feature, name } = encoding.instruction;
    return feature !== undefined && !EXCLUDED.has(feature) && !/^(SB|DSB)/.test(name) && isPlain(semanticsOf(encoding).statements) &&
      !readsPlace(semanticsOf(encoding));
  });

/** Fields of registers, which become registers 0 to 7. */
const REGISTER_FIELDS = ["Rd", "Rn", "Rm", "Ra", "Rt"];

function wordOf(encoding: InstructionForm, random: Random): number | undefined {
  const { fields } = encoding.instruction;
  return randomWord(encoding, random, (word) => {
    for (const name of REGISTER_FIELDS) {
      const field = fields.get(name);
      if (field) word &= ~((2 ** field.width - 1 & ~7) << field.position);
    }
    return word >>> 0;
  });
}

/**
 * The encodings of floating point, which FPCR.AH, FIZ and NEP change (FEAT_AFP), but for FABS and
 * FNEG of vectors: there QEMU 11 changes the sign of a NaN although AH is set, other than FPAbs and
 * FPNeg (Arm ARM J1.2, shared/functions/float). tests/cpu/core/fp/alternate-handling_test.ts has
 * them.
 */
const floatingPoint = (): readonly InstructionForm[] =>
  allEncodings().filter((encoding) => {
    const { name } = encoding.instruction;
    return /^(F|BF|SCVTF|UCVTF)/.test(name) && !/^F(ABS|NEG) \(vector/.test(name) && isPlain(semanticsOf(encoding).statements);
  });

/** Elements at the edges: of half, BFloat16, single and double precision, and integers. */
const EDGES: readonly (readonly [bits: number, values: readonly bigint[]])[] = [
  [16, [
    0n,
    0x8000n,
    0x7c00n,
    0xfc00n,
    0x7e00n,
    0x7d01n,
    1n,
    0x3ffn,
    0x400n,
    0x7bffn,
    0x3c00n,
    0x7f80n,
    0xff80n,
    0x7fc0n,
    0x7f81n,
    0x80n,
    0x7fn,
    ...[0x3bffn, 0x3c01n, 0x401n, 0x7ffn, 0x2000n],
  ]],
  [32, [
    0n,
    0x8000_0000n,
    0x7f80_0000n,
    0xff80_0000n,
    0x7fc0_0000n,
    0x7f80_0001n,
    1n,
    0x7f_ffffn,
    0x80_0000n,
    0x7f7f_ffffn,
    0x3f80_0000n,
    0x4f00_0000n,
    ...[0x3f7f_ffffn, 0x3f80_0001n, 0x80_0001n, 0xff_ffffn, 0x1f80_0000n, 0x2000_0000n],
  ]],
  [64, [
    0n,
    1n << 63n,
    0x7ff0n << 48n,
    0xfff0n << 48n,
    0x7ff8n << 48n,
    (0x7ff0n << 48n) + 1n,
    1n,
    0x10n << 48n,
    0x3ff0n << 48n,
    0x43e0n << 48n,
    ...[(0x3ff0n << 48n) - 1n, (0x3ff0n << 48n) + 1n, (0x10n << 48n) + 1n, (0x20n << 48n) - 1n, 0x1ff0n << 48n],
  ]],
];

/** Random bits, or elements at the edges with other ones among them. */
function doubleword(random: Random): bigint {
  const kind = random.below(8);
  if (kind < 3) return random.wide();
  if (kind === 3) return BigInt(random.below(256));
  const [bits, values] = random.pick(EDGES);
  let value = 0n;
  for (let at = 0; at < 64; at += bits) {
    const element = random.below(4) ? random.pick(values) : BigInt.asUintN(bits, random.wide());
    value |= element << BigInt(at);
  }
  return value;
}

/** FPCR's AHP, DN, FZ, RMode and FZ16; and NEP, AH and FIZ. */
const FPCR_FIELDS = 0x07c8_0000n, ALTERNATE = 7n;

/** A state: FPCR has its fields at random, but mostly none; and others of them always. */
function stateOf(random: Random, others: bigint): bigint[] {
  const state = Array.from({ length: STATE }, () => doubleword(random));
  state[24] = BigInt(random.below(16)) << 28n;
  state[FPCR] = (random.below(2) ? 0n : random.wide() & FPCR_FIELDS) | random.wide() & others;
  state[26] = state[27] = 0n;
  return state;
}

/** Loads or stores the vectors and X0 to X7 at X20 or X22. */
const moves = (pair: "ldp" | "stp", base: string) => {
  const vectors = [0, 2, 4, 6].map((v) => `${pair} q${v}, q${v + 1}, [${base}, #${16 * v}]`);
  const general = [0, 2, 4, 6].map((x) => `${pair} x${x}, x${x + 1}, [${base}, #${128 + 8 * x}]`);
  return [...vectors, ...general].join("\n");
};
const BODY = `
  adr x20, codes
  mov x24, x20
  adrp x20, table
  add x20, x20, :lo12:table
  ldr x21, =${CASES}
1: ldp x10, x11, [x20, #192]
  ldp x12, x13, [x20, #208]
  msr nzcv, x10
  msr fpcr, x11
  msr fpsr, x12
${moves("ldp", "x20")}
  blr x24
${moves("stp", "x22")}
  mrs x10, nzcv
  mrs x11, fpcr
  mrs x12, fpsr
  stp x10, x11, [x22, #192]
  stp x12, xzr, [x22, #208]
  add x24, x24, #8
  add x20, x20, #${STATE_SIZE}
  add x22, x22, #${STATE_SIZE}
  sub x21, x21, #1
  cbnz x21, 1b`;
const RET = 0xd65f_03c0;

const nameOf = (index: number) =>
  index < VECTORS
    ? `V${index >> 1}${index & 1 ? " high" : ""}`
    : index < 24
    ? `X${index - VECTORS}`
    : ["NZCV", "FPCR", "FPSR", ""][index - 24];

/**
 * Executes random words of these encodings in QEMU and in a core; cases are equally many of each.
 * @param others fields of FPCR that are random in every state
 */
async function compare(seed: number, encodings: readonly InstructionForm[], others: bigint): Promise<void> {
  const random = new Random(seed), mismatches: string[] = [], seen = new Set<string>();
  for (let program = 0; program < PROGRAMS; program++) {
    const cases: { readonly encoding: InstructionForm; readonly word: number; readonly state: bigint[] }[] = [];
    for (let index = program * CASES; cases.length < CASES; index++) {
      const encoding = encodings[index % encodings.length], word = wordOf(encoding, random);
      if (word !== undefined) cases.push({ encoding, word, state: stateOf(random, others) });
    }
    const data = `codes:\n${instructionText(cases.flatMap(({ word }) => [word, RET]))}.balign 16\ntable:\n${
      dataText(cases.flatMap(({ state }) => state))
    }results: .skip ${CASES * STATE_SIZE}`;
    const size = CASES * STATE_SIZE, [qemu, el2] = await runInBoth(programText(BODY, data, size), size, 100 * CASES);
    const [expected, actual] = [qemu, el2].map((bytes) => new BigUint64Array(bytes.slice().buffer));
    cases.forEach(({ encoding, word, state }, index) => {
      seen.add(encodingName(encoding));
      const from = index * STATE;
      const differing = Array.from({ length: STATE }, (_, at) => at).filter((at) => expected[from + at] !== actual[from + at]);
      if (!differing.length) return;
      const values = differing.map((at) => `${nameOf(at)} is ${actual[from + at].toString(16)}, not ${expected[from + at].toString(16)}`);
      const before = state.map((value) => value.toString(16)).join(" ");
      mismatches.push(`${encodingName(encoding)}: ${disassemble(word, 0n)}: ${values.join(", ")}; before: ${before}`);
    });
  }
  assert.deepEqual(mismatches.slice(0, 20), [], `${mismatches.length} mismatches`);
  assert.equal(seen.size, encodings.length, "each encoding was met");
}

if (LONG) {
  Deno.test(`${CASES * PROGRAMS} states of instructions of features leave what QEMU 11 leaves`, () => compare(1100, compared(), 0n));
  Deno.test(`${CASES * PROGRAMS} states of floating point with alternate handling leave what QEMU 11 leaves`, () =>
    compare(1101, floatingPoint(), ALTERNATE));
}
