// Names of instruction words that are UNDEFINED somewhere, with the feature that each belongs to
// and the least exception level that may execute it (Arm ARM C4.1, C5.2 to C5.5, D24).
// Disassembly, the reasons of undefined instructions and the list of CPUs use this one table. The
// instruction table (`instruction-set.ts`) names its own.

import { decode } from "./decode.ts";
import { fieldValues } from "./notation/insn.ts";
import { once } from "../../kit/support/values/once.ts";
import { operationName, operationNumber } from "./names/system-operation-names.ts";
import { systemRegisterName, systemRegisterNumber } from "./names/system-register-names.ts";

export interface NamedWord {
  /** As assemblers write it: `cntw`, `hcr_el2`, `tlbi alle2`; empty if it is not known. */
  readonly name: string;
  readonly kind: "instruction" | "register" | "operation";
  /** `FEAT_SVE`, built in el2 or not; undefined if each CPU has it. */
  readonly feature?: string;
  /** The least exception level. */
  readonly level: 0 | 1 | 2 | 3;
  /** The name of the same at EL1, if this is for a higher level. */
  readonly atEl1?: string;
}

/**
 * Instructions that the table does not have, by feature: name, then the word in hexadecimal and the
 * mask of its fixed bits. A name in braces has an alternative for each value of the bits from the
 * place after `@` on.
 */
const INSTRUCTIONS: Readonly<Record<string, string>> = {
  FEAT_SME: `smstart/d503417f/fffff9ff smstop/d503407f/fffff9ff rdsvl/04bf5800/fffff800 addsvl/04205800/ffe0f800
    addspl/04605800/ffe0f800 zero/c0080000/ffffff00 fmopa/80800000/ffe0001c bfmopa/81800000/ffe0001c ldr/e1000000/ffff9c10
    str/e1200000/ffff9c10`,
  FEAT_SVE: `{cntb,cnth,cntw,cntd}@22/0420e000/ff30fc00 {incb,inch,incw,incd}@22/0430e000/ff30fc00
    {decb,dech,decw,decd}@22/0430e400/ff30fc00 rdvl/04bf5000/fffff800 addvl/04205000/ffe0f800 addpl/04605000/ffe0f800
    add/04200000/ff20fc00 sub/04200400/ff20fc00 add/04000000/ff3fe000 sub/04010000/ff3fe000 mul/04100000/ff3fe000
    and/04203000/ffe0fc00 orr/04603000/ffe0fc00 eor/04a03000/ffe0fc00 bic/04e03000/ffe0fc00 index/04204000/ff20f000
    mla/04004000/ff20e000 mls/04006000/ff20e000 movprfx/0420bc00/fffffc00 uaddv/04012000/ff3fe000
    dup/05203800/ff3ffc00 dup/2538c000/ff3fc000 dup/05202000/ff20fc00 sel/0520c000/ff20c000
    ptrue/2518e000/ff3ffc10 ptrues/2519e000/ff3ffc10 pfalse/2518e400/fffffff0 ptest/2550c000/ffffc21f
    whilelt/25200400/ff20ec10 whilele/25200410/ff20ec10 whilelo/25200c00/ff20ec10 whilels/25200c10/ff20ec10
    rdffr/2519f000/fffffff0 setffr/252c9000/ffffffff wrffr/25289000/fffffe1f cntp/25208000/ff3fc200
    cmpeq/2400a000/ff20e010 cmpne/2400a010/ff20e010 cmpge/24008000/ff20e010 cmpgt/24008010/ff20e010
    {ld1b,ld1b,ld1b,ld1b,ld1sw,ld1h,ld1h,ld1h,ld1sh,ld1sh,ld1w,ld1w,ld1sb,ld1sb,ld1sb,ld1d}@21/a4004000/fe00e000
    {ld1b,ld1b,ld1b,ld1b,ld1sw,ld1h,ld1h,ld1h,ld1sh,ld1sh,ld1w,ld1w,ld1sb,ld1sb,ld1sb,ld1d}@21/a400a000/fe10e000
    ldr/85804000/ffc0e000 ldr/85800000/ffc0e010 str/e5804000/ffc0e000 str/e5800000/ffc0e010
    {st1b,st1h,st1w,st1d}@23/e4004000/fe00e000 {st1b,st1h,st1w,st1d}@23/e400e000/fe10e000
    fadd/65000000/ff20fc00 fsub/65000400/ff20fc00 fmul/65000800/ff20fc00 fmla/65200000/ff20e000`,
  FEAT_MTE2: `ldg/d9600000/ffe00c00 stg/d9200400/ffe00c00 stg/d9200800/ffe00800 stzg/d9600400/ffe00c00 stzg/d9600800/ffe00800
    st2g/d9a00400/ffe00c00 st2g/d9a00800/ffe00800 stz2g/d9e00400/ffe00c00 stz2g/d9e00800/ffe00800 stzgm/d9200000/fffffc00
    stgm/d9a00000/fffffc00 ldgm/d9e00000/fffffc00 stgp/68800000/ffc00000 stgp/69000000/ffc00000 stgp/69800000/ffc00000
    tco/d503409f/fffff0ff`,
  FEAT_MTE: `irg/9ac01000/ffe0fc00 gmi/9ac01400/ffe0fc00 subp/9ac00000/ffe0fc00 subps/bac00000/ffe0fc00 addg/91800000/ffc0c000
    subg/d1800000/ffc0c000`,
  FEAT_MOPS: "{setgp,setgm,setge}@14/1dc00400/ffe00c00",
  FEAT_LS64: "ld64b/f83fd000/fffffc00 st64b/f83f9000/fffffc00 st64bv/f820b000/ffe0fc00 st64bv0/f820a000/ffe0fc00",
  FEAT_TME: "tstart/d5233060/ffffffe0 ttest/d5233160/ffffffe0 tcommit/d503307f/ffffffff tcancel/d4600000/ffe0001f",
  FEAT_NMI: "allint/d501401f/fffffeff",
};

/** Features of system registers and operations, by the beginnings and ends of names. */
const FEATURES_OF: readonly (readonly [RegExp, string])[] = [
  [/^zcr_/, "FEAT_SVE"],
  [/^(?:smpri|smprimap|smcr|smidr|svcr|tpidr2)/, "FEAT_SME"],
  [/^(?:rgsr|gcr|tfsr|gmid|tco)|^dc\t\w*g/, "FEAT_MTE2"],
  [/^ap[dig][ab]?key/, "FEAT_PAuth"],
  [/^rndr/, "FEAT_RNG"],
  [/^(?:allint|icc_nmiar1)/, "FEAT_NMI"],
  [/^(?:err|erx|disr)/, "FEAT_RAS"],
  [/^(?:pms(?!w|el)|pmb)/, "FEAT_SPE"],
  [/^trb/, "FEAT_TRBE"],
  [/^trfcr/, "FEAT_TRF"],
  [/^pmmir/, "FEAT_PMUv3p4"],
  [/^pm/, "FEAT_PMUv3"],
  [/^lor/, "FEAT_LOR"],
  [/^mpam/, "FEAT_MPAM"],
  [/^scxtnum/, "FEAT_CSV2_2"],
  [/^accdata/, "FEAT_LS64_ACCDATA"],
  [/^ccsidr2/, "FEAT_CCIDX"],
  [/^uao$/, "FEAT_UAO"],
  [/^dit$/, "FEAT_DIT"],
  [/^ssbs$/, "FEAT_SSBS2"],
  [/^cnt[pv]ctss/, "FEAT_ECV"],
  [/^tlbi\tr/, "FEAT_TLBIRANGE"],
  [/^tlbi\t.*os$/, "FEAT_TLBIOS"],
  [/^at\ts1e1.p$/, "FEAT_PAN2"],
  [/^(?:cfp|dvp|cpp)\t/, "FEAT_SPECRES"],
  [/^dc\tcvap$/, "FEAT_DPB"],
  [/^dc\tcvadp$/, "FEAT_DPB2"],
];

/** Instructions of the table that are UNDEFINED at EL0. */
const ABOVE_EL0: ReadonlySet<string> = new Set(["eret", "hvc", "smc"]);

/** Operations of EL2 and EL3, without their level, whose counterpart at EL1 has another name. */
const AT_EL1: Readonly<Record<string, string>> = { alle: "vmalle1", vmalls12e: "vmalle1" };

interface Pattern {
  readonly mask: number;
  readonly value: number;
  readonly feature: string;
  readonly names: readonly string[];
  readonly shift: number;
}

const patterns = once((): readonly Pattern[] =>
  Object.entries(INSTRUCTIONS).flatMap(([feature, list]) =>
    list.trim().split(/\s+/).map((entry) => {
      const [, several, place, one, value, mask] = /^(?:\{(.*)\}@(\d+)|(\w+))\/(\w+)\/(\w+)$/.exec(entry) ?? [];
      const names = several === undefined ? [one] : several.split(",");
      return { mask: parseInt(mask, 16), value: parseInt(value, 16), feature, names, shift: Number(place ?? 0) };
    })
  )
);

/** Bits 28:25 of a word, and their values in SVE and, with bit 31 set, SME (Arm ARM C4.1). */
const GROUP_SHIFT = 25, SVE_GROUP = 0b0010, SME_GROUP = 0b0000;

function instructionName(word: number): NamedWord | undefined {
  for (const { mask, value, feature, names, shift } of patterns()) {
    if ((word & mask) !== (value | 0)) continue;
    const name = names.length === 1 ? names[0] : names[word >>> shift & 2 ** Math.ceil(Math.log2(names.length)) - 1];
    if (name !== undefined) return { name, kind: "instruction", feature, level: 0 };
  }
  const group = word >>> GROUP_SHIFT & 15;
  const feature = group === SVE_GROUP ? "FEAT_SVE" : group === SME_GROUP && word >>> 31 === 1 ? "FEAT_SME" : undefined;
  return feature === undefined ? undefined : { name: "", kind: "instruction", feature, level: 0 };
}

/** The least level by op1 (Arm ARM C5.1.2), of registers and of SYS. */
const LEVELS = [1, 1, 1, 0, 2, 2, 3, 3] as const;

/** Bits of MRS, MSR and SYS: all but the operand; and those that differ between them. */
const SYSTEM_MASK = 0xffc0_0000 | 0, SYSTEM = 0xd500_0000 | 0, OP0_SHIFT = 19, READ = 1 << 21;
const SYS_OP0 = 1;

function systemName(word: number): NamedWord | undefined {
  if ((word & SYSTEM_MASK) !== SYSTEM) return undefined;
  const op0 = word >>> OP0_SHIFT & 3, op1 = word >>> 16 & 7, CRn = word >>> 12 & 15, CRm = word >>> 8 & 15, op2 = word >>> 5 & 7;
  if (op0 === 0 || op0 === SYS_OP0 && word & READ) return undefined;
  const kind = op0 === SYS_OP0 ? "operation" : "register";
  const name = kind === "operation"
    ? operationName(operationNumber(op1, CRn, CRm, op2))
    : systemRegisterName(systemRegisterNumber(op0, op1, CRn, CRm, op2));
  const level = LEVELS[op1];
  if (name === undefined) return level > 1 ? { name: "", kind, level } : undefined;
  const feature = FEATURES_OF.find(([pattern]) => pattern.test(name))?.[1];
  const atEl1 = level > 1 ? counterpart(name) : undefined;
  return { name: name.replace("\t", " "), kind, level, ...feature !== undefined && { feature }, ...atEl1 !== undefined && { atEl1 } };
}

const known = once(() =>
  new Set(Array.from({ length: 2 ** 14 }, (_, low) => systemRegisterName(systemRegisterNumber(3, 0, 0, 0, 0) | low)))
);

/** The register or operation of EL1 that does the same there. */
function counterpart(name: string): string | undefined {
  const [group, operation] = name.split("\t");
  if (operation === undefined) {
    const found = group.replace(/_el(?:[23]|12)$/, "_el1").replace(/_el02$/, "_el0");
    return found !== group && known().has(found) ? found : undefined;
  }
  const [, stem, form] = /^(.*?)[123]((?:is|os)?|[rw])$/.exec(operation) ?? [];
  if (stem === undefined) return undefined;
  const found = stem in AT_EL1 ? `${AT_EL1[stem]}${form}` : `${stem.replace(/^s12e$/, "s1e")}1${form}`;
  return isOperationOfEl1(`${group}\t${found}`) ? `${group} ${found}` : undefined;
}

const operationsOfEl1 = once(() => new Set(Array.from({ length: 2 ** 11 }, (_, number) => operationName(number))));
const isOperationOfEl1 = (name: string) => operationsOfEl1().has(name);

/** The words that `INSTRUCTIONS` names: a value, and the bits that are fixed. */
export const namedPatterns = (): readonly Pick<Pattern, "value" | "mask">[] => patterns();

/** The name of a word, and who may execute it; undefined for an unallocated one. */
export function nameWord(word: number): NamedWord | undefined {
  const system = systemName(word);
  if (system) return system;
  const instruction = decode(word)?.instruction;
  if (!instruction) return instructionName(word);
  const [name] = instruction.assembly(fieldValues(instruction, word), 0n).split("\t");
  return { name, kind: "instruction", level: ABOVE_EL0.has(name) ? 1 : 0, ...instruction.feature && { feature: instruction.feature } };
}
