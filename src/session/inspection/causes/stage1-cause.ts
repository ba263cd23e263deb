// Why stage 1 refused an access: the descriptor at which its walk ends, the registers that say how
// the tables are read, and what has changed since. Arm ARM D5.2, D5.4.

import { AbortSyndrome, faultOf, FaultStatus, Pstate } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { DeniedBy, FaultingAccess, StageOneFault, WalkEnd } from "../../../model/queries/facts/exception-cause.ts";
import type { View } from "../readers/inspected.ts";
import { readSpace } from "../readers/objects/read-memory.ts";
import { branchedBy } from "./branched.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import { type Features, isStage1On, type Walk, walkOf } from "./stage1-walk.ts";

const STAGE_ONE_FAULTS: Readonly<Record<number, StageOneFault>> = {
  [FaultStatus.Translation]: "translation",
  [FaultStatus.AccessFlag]: "access-flag",
  [FaultStatus.Permission]: "permission",
};

const ACCESS_FLAG = 1n << 10n;

/** The right that an access needs, as `LeafRights` have it. */
const rightFor = ({ kind }: FaultingAccess) => kind === "instruction fetch" ? "x" : kind === "load" ? "r" : "w";

/** The descriptor at which a walk ended. */
const endOf = (walk: Walk | undefined): WalkEnd | undefined => walk && "at" in walk ? walk.at : undefined;

/** A fault that a walk now does not find at its level. */
const TABLES_SINCE = causeRule({
  codes: ["tables-since"],
  asks: "does a walk of the tables end in the same fault now?",
  judge(suspect) {
    const { taken: { esr, el }, access } = suspect, walk = suspect.walk();
    const { kind, level } = faultOf(esr & AbortSyndrome.FscMask), fault = STAGE_ONE_FAULTS[kind];
    if (!fault || !walk || !("at" in walk)) return undefined;
    const isLevel = walk.at.level === level, isLeaf = walk.end === "leaf";
    const wanted = rightFor(access);
    const isRefused = !(el ? walk.rights.el1 : walk.rights.el0).includes(wanted) || walk.rights.user && el === 1;
    const hasFlag = walk.at.descriptor !== null && (BigInt(walk.at.descriptor) & ACCESS_FLAG) !== 0n;
    const isSame = fault === "translation" ? !isLeaf : isLeaf && (fault === "permission" ? isRefused : !hasFlag);
    return isLevel && isSame ? undefined : { code: "tables-since", access, fault, level };
  },
});

const isFetch = ({ access }: Suspect) => access.kind === "instruction fetch";

/** MSR SCTLR_EL1, Xt; the instructions before a fetch among which it is: an ISB may follow. */
const MSR_SCTLR = 0xd518_1000, RT_MASK = 0x1f, TURNED_WITHIN = 2;

/** The address just before a fetch at which stage 1 was turned on: the same without it. */
function turnedOn({ view, vcpu, taken: { elr } }: Suspect): bigint | undefined {
  for (let back = 1; back <= TURNED_WITHIN; back++) {
    const at = elr - 4n * BigInt(back), word = wordAtIpa(view, vcpu, at);
    if (word !== undefined && (word & ~RT_MASK) >>> 0 === MSR_SCTLR) return at;
  }
  return undefined;
}

/** The word at an address as code has it that runs without stage 1. */
function wordAtIpa(view: View, { space }: Vcpu, at: bigint): number | undefined {
  const ipa = Number(at), bytes = Number.isSafeInteger(ipa) ? readSpace(view, space, ipa, 4) : undefined;
  return bytes && new DataView(bytes.buffer).getUint32(0, true);
}

/** TCR_EL1.T0SZ and TG0: their places, and values of TG0 with pages that a CPU may lack. */
const TG0_SHIFT = 14n, TG0_MASK = 3n, T0SZ_MASK = 0x3fn;
const GRANULES = [
  { value: 0n, pages: "pages of 4 KiB", feature: undefined },
  { value: 2n, pages: "pages of 16 KiB", feature: "FEAT_TGran16K" },
  { value: 1n, pages: "pages of 64 KiB", feature: "FEAT_TGran64K" },
] as const;
/** Sizes for which tables of pages of 4 KiB begin at the levels 0 to 2. */
const SIZES = [16n, 25n, 28n, 34n] as const;

const bitsText = (size: bigint) => `${64n - size} bits`;

/** Another value of a field of TCR_EL1, or the one that it has, which the CPU lacks. */
interface OtherForm {
  readonly field: "TG0" | "T0SZ";
  readonly has: string;
  readonly wants: string;
  readonly tcr: bigint;
  /** With those that the CPU lacks. */
  readonly features: Features;
  readonly lacking?: true;
}

function otherForms(tcr: bigint, features: Features): OtherForm[] {
  const granule = GRANULES.find(({ value }) => value === (tcr >> TG0_SHIFT & TG0_MASK)), size = tcr & T0SZ_MASK;
  const has = granule?.pages ?? "pages of no size", lacks = granule?.feature;
  return [
    ...lacks !== undefined && !features.has(lacks)
      ? [{ field: "TG0" as const, has, wants: has, tcr, features: new Set([...features, lacks]), lacking: true as const }]
      : [],
    ...GRANULES.filter((one) => one !== granule).map(({ value, pages }) => ({
      field: "TG0" as const,
      has,
      wants: pages,
      tcr: tcr & ~(TG0_MASK << TG0_SHIFT) | value << TG0_SHIFT,
      features,
    })),
    ...SIZES.filter((value) => value !== size).map((value) => ({
      field: "T0SZ" as const,
      has: bitsText(size),
      wants: bitsText(value),
      tcr: tcr & ~T0SZ_MASK | value,
      features,
    })),
  ];
}

const TRANSLATION_RULES = [
  causeRule({
    codes: ["tables-of-other-form"],
    asks: "has the code just turned stage 1 on, and do the tables map it with another TG0 or T0SZ?",
    judge(suspect) {
      const { view, vcpu, taken: { far } } = suspect;
      if (!isFetch(suspect) || turnedOn(suspect) === undefined) return undefined;
      const { cpu } = view.system.symbols.core;
      for (const { tcr, field, has, wants, features, lacking } of otherForms(vcpu.registers.getRegister("TCR_EL1"), cpu.features)) {
        const walk = walkOf(view, vcpu, far, tcr, features);
        if (walk?.end !== "leaf" || walk.output !== Number(far) || !walk.rights.el1.includes("x")) continue;
        return { code: "tables-of-other-form", address: hex(far), ttbr: walk.at.ttbr, field, has, wants, cpu: lacking ? cpu.name : null };
      }
      return undefined;
    },
  }),
  causeRule({
    codes: ["turned-on-unmapped"],
    asks: "has the code just turned stage 1 on?",
    judge(suspect) {
      const at = isFetch(suspect) ? turnedOn(suspect) : undefined;
      return at === undefined ? undefined : { code: "turned-on-unmapped", at: hex(at), walk: endOf(suspect.walk()) ?? null };
    },
  }),
  causeRule({
    codes: ["jump-unmapped"],
    asks: "is it a fetch, and what set PC?",
    judge(suspect) {
      const { view, vcpu, taken: { far } } = suspect, walk = suspect.walk();
      if (!isFetch(suspect) || !walk) return undefined;
      return { code: "jump-unmapped", address: hex(far), by: branchedBy(view, vcpu, far), walk: endOf(walk) ?? null };
    },
  }),
  causeRule({
    codes: ["outside-of-tables"],
    asks: "is the address outside of the tables' bits?",
    judge(suspect) {
      const walk = suspect.walk(), { access } = suspect;
      if (!walk || "at" in walk) return undefined;
      return { code: "outside-of-tables", access, ttbr: walk.ttbr, bits: walk.end === "disabled" ? null : walk.bits };
    },
  }),
  causeRule({
    codes: ["no-translation"],
    asks: "is a descriptor invalid?",
    judge(suspect) {
      const walk = suspect.walk();
      return walk?.end === "invalid" ? { code: "no-translation", access: suspect.access, walk: walk.at } : undefined;
    },
  }),
];

const PXN = 1n << 53n, UXN = 1n << 54n, WRITES_NEVER_EXECUTE = 1n << 19n;

/** The rule that takes a right away, if the descriptor does not. */
function deniedBy({ vcpu: { registers }, taken: { el }, access }: Suspect, { at, rights }: Extract<Walk, { at: unknown }>): DeniedBy {
  const allowed = el ? rights.el1 : rights.el0, wanted = rightFor(access);
  // The handler runs with PAN as SPAN says: the tables alone would have allowed it.
  const pan = el === 1 && rights.user && wanted !== "x" && allowed.includes(wanted) &&
    (registers.pstate & Pstate.PAN || Number(registers.getRegister("SPSR_EL1")) & Pstate.PAN) !== 0;
  if (pan) return "pan";
  if (wanted !== "x" || at.descriptor === null || (BigInt(at.descriptor) & (el ? PXN : UXN)) !== 0n) return "descriptor";
  if (allowed.includes("w") && (registers.getRegister("SCTLR_EL1") & WRITES_NEVER_EXECUTE) !== 0n) return "wxn";
  return el === 1 && rights.el0.includes("w") ? "user-writable" : "descriptor";
}

const IPS_SHIFT = 32n, IPS_BITS = [32, 36, 40, 42, 44, 48, 52];
/** Bits of an output address of stage 1: at most those that EL2 gives its VMs. */
function outputBits({ hypervisor }: View, { registers }: Vcpu): { readonly bits: number; readonly most: number } {
  const asked = IPS_BITS[Number(registers.getRegister("TCR_EL1") >> IPS_SHIFT & 7n)] ?? Infinity;
  const most = Math.log2(hypervisor.addressSpaceSize);
  return { bits: Math.min(asked, most), most };
}

/** Bits of an address while stage 1 is off. */
const BITS_WITHOUT_STAGE_1 = 48;

const ADDRESS_SIZE_RULES = [
  causeRule({
    codes: ["address-off"],
    asks: "is stage 1 off?",
    judge: ({ vcpu, access }) => isStage1On(vcpu) ? undefined : { code: "address-off", access, bits: BITS_WITHOUT_STAGE_1 },
  }),
  causeRule({
    codes: ["address-size"],
    asks: "has the VM memory at the address that the tables give?",
    judge(suspect) {
      const { view, vcpu, access } = suspect, walk = suspect.walk(), { bits, most } = outputBits(view, vcpu);
      const output = walk?.end === "leaf" && walk.output < 2 ** most && vcpu.space.stage2.lookup(walk.output) ? hex(walk.output) : null;
      return { code: "address-size", access, bits, output };
    },
  }),
];

/** Candidates by the kind of the fault. */
export const STAGE1_RULES = {
  translation: [TABLES_SINCE, ...TRANSLATION_RULES],
  accessFlag: [
    TABLES_SINCE,
    causeRule({
      codes: ["access-flag"],
      asks: "is AF 0 in the descriptor?",
      judge(suspect) {
        const walk = endOf(suspect.walk());
        return walk && { code: "access-flag", access: suspect.access, walk };
      },
    }),
  ],
  permission: [
    TABLES_SINCE,
    causeRule({
      codes: ["no-permission"],
      asks: "do PAN, WXN or a right of EL0 take the right away, or the descriptor alone?",
      judge(suspect) {
        const walk = suspect.walk(), { taken: { el }, access } = suspect;
        if (!walk || !("at" in walk)) return undefined;
        const { at, rights } = walk;
        return { code: "no-permission", access, walk: at, el, rights: el ? rights.el1 : rights.el0, because: deniedBy(suspect, walk) };
      },
    }),
  ],
  addressSize: ADDRESS_SIZE_RULES,
  onWalk: [
    ...TRANSLATION_RULES.slice(0, 1),
    causeRule({
      codes: ["table-outside"],
      asks: "is a table outside of the VM's memory?",
      judge(suspect) {
        const walk = endOf(suspect.walk());
        return walk && { code: "table-outside", access: suspect.access, walk };
      },
    }),
  ],
};
