// Instructions as assemblers and programmers write them: the preferred aliases of Arm ARM C6.1.2,
// made from the text that names the instruction itself.

import { disassemble } from "./disassemble.ts";
import { operationName, operationNumber } from "./names/system-operation-names.ts";

/** A form that has an alias: the instruction's text, and the alias, or nothing if none fits. */
type Rule = readonly [pattern: RegExp, alias: (match: RegExpExecArray) => string | undefined];

/** HINT numbers with names (Arm ARM C6.2.118). */
const HINTS = new Map(
  Object.entries({
    0: "nop",
    1: "yield",
    2: "wfe",
    3: "wfi",
    4: "sev",
    5: "sevl",
    6: "dgh",
    7: "xpaclri",
    8: "pacia1716",
    10: "pacib1716",
    12: "autia1716",
    14: "autib1716",
    16: "esb",
    20: "csdb",
    24: "paciaz",
    25: "paciasp",
    26: "pacibz",
    27: "pacibsp",
    28: "autiaz",
    29: "autiasp",
    30: "autibz",
    31: "autibsp",
    32: "bti",
    34: "bti\tc",
    36: "bti\tj",
    38: "bti\tjc",
  }).map(([number, name]) => [Number(number), name]),
);

const INVERSE: Readonly<Record<string, string>> = {
  eq: "ne",
  ne: "eq",
  cs: "cc",
  cc: "cs",
  mi: "pl",
  pl: "mi",
  vs: "vc",
  vc: "vs",
  hi: "ls",
  ls: "hi",
  ge: "lt",
  lt: "ge",
  gt: "le",
  le: "gt",
};

const hex = (value: bigint) => `0x${value.toString(16)}`;
const bits = (register: string) => register.startsWith("w") ? 32 : 64;

/** MOV of a wide immediate: its value, where MOVZ or MOVN is the way to write it. */
function wide([, name, rd, text, shift = "0"]: RegExpExecArray): string | undefined {
  const value = BigInt(text), by = BigInt(shift);
  if (value === 0n && by > 0n || name === "movn" && rd.startsWith("w") && value === 0xffffn) return undefined;
  const moved = value << by;
  return `mov\t${rd}, #${hex(name === "movz" ? moved : BigInt.asUintN(bits(rd), ~moved))}`;
}

/** UBFM and SBFM: shifts, extensions, fields. */
function field([, kind, rd, rn, first, last]: RegExpExecArray): string | undefined {
  const width = bits(rd), low = Number(first), high = Number(last), signed = kind === "s";
  const to = `${rd}, ${rn}`;
  if (high === width - 1) return `${signed ? "asr" : "lsr"}\t${to}, #${low}`;
  if (!signed && high + 1 === low) return `lsl\t${to}, #${width - 1 - high}`;
  const extended = { 7: "b", 15: "h", 31: "w" }[high];
  const word = rn.replace(/^x/, "w");
  if (low === 0 && extended !== undefined && (signed || width === 32 && extended !== "w")) {
    if (extended !== "w" || width === 64) return `${signed ? "sxt" : "uxt"}${extended}\t${rd}, ${word}`;
  }
  if (high < low) return `${signed ? "sbfiz" : "ubfiz"}\t${to}, #${width - low}, #${high + 1}`;
  return `${signed ? "sbfx" : "ubfx"}\t${to}, #${low}, #${high - low + 1}`;
}

/** SYS: maintenance of caches and TLBs, address translation. */
function operation([, op1, CRn, CRm, op2, operand]: RegExpExecArray): string | undefined {
  const name = operationName(operationNumber(Number(op1), Number(CRn), Number(CRm), Number(op2)));
  if (name === undefined) return undefined;
  if (/\t(?:vm)?all|\tiall/.test(name)) return operand === undefined ? name : undefined;
  return `${name}, ${operand ?? "xzr"}`;
}

const R = "([wx](?:\\d+|zr))", Z = "[wx]zr";

const RULES: readonly Rule[] = [
  [/^hint\t#(0x[0-9a-f]+|\d+)$/, ([, number]) => HINTS.get(Number(number))],
  [new RegExp(`^orr\t${R}, ${Z}, ${R}$`), ([, rd, rm]) => `mov\t${rd}, ${rm}`],
  [/^add\t((?:[wx]\d+|w?sp), (?:[wx]\d+|w?sp)), #0x0$/, ([, to]) => to.includes("sp") ? `mov\t${to}` : undefined],
  [/^(mov[zn])\t([wx](?:\d+|zr)), #(0x[0-9a-f]+)(?:, lsl #(\d+))?$/, wide],
  [new RegExp(`^subs\t${Z}, (.+)$`), ([, rest]) => `cmp\t${rest}`],
  [new RegExp(`^adds\t${Z}, (.+)$`), ([, rest]) => `cmn\t${rest}`],
  [new RegExp(`^ands\t${Z}, (.+)$`), ([, rest]) => `tst\t${rest}`],
  [new RegExp(`^sub(s?)\t${R}, ${Z}, (.+)$`), ([, s, rd, rest]) => `neg${s}\t${rd}, ${rest}`],
  [new RegExp(`^orn\t${R}, ${Z}, (.+)$`), ([, rd, rest]) => `mvn\t${rd}, ${rest}`],
  [new RegExp(`^madd\t${R}, ${R}, ${R}, ${Z}$`), ([, rd, rn, rm]) => `mul\t${rd}, ${rn}, ${rm}`],
  [new RegExp(`^msub\t${R}, ${R}, ${R}, ${Z}$`), ([, rd, rn, rm]) => `mneg\t${rd}, ${rn}, ${rm}`],
  [new RegExp(`^([us])maddl\t${R}, ${R}, ${R}, xzr$`), ([, kind, rd, rn, rm]) => `${kind}mull\t${rd}, ${rn}, ${rm}`],
  [new RegExp(`^csinc\t${R}, ${Z}, ${Z}, (\\w+)$`), ([, rd, cond]) => INVERSE[cond] && `cset\t${rd}, ${INVERSE[cond]}`],
  [new RegExp(`^csinv\t${R}, ${Z}, ${Z}, (\\w+)$`), ([, rd, cond]) => INVERSE[cond] && `csetm\t${rd}, ${INVERSE[cond]}`],
  [new RegExp(`^([us])bfm\t${R}, ${R}, #(\\d+), #(\\d+)$`), field],
  [/^ret\tx30$/, () => "ret"],
  [/^sys\t#(\d), C(\d+), C(\d+), #(\d)(?:, (x\d+))?$/, operation],
];

/** @param text what `disassemble` gives: the mnemonic, a tab, operands */
export function aliasText(text: string): string {
  for (const [pattern, alias] of RULES) {
    const match = pattern.exec(text);
    if (match) return alias(match) ?? text;
  }
  return text;
}

/** The instruction `word` at `address` in assembler syntax, without tabs. */
export function instructionText(word: number, address: bigint): string {
  return aliasText(disassemble(word, address)).replace("\t", " ");
}
