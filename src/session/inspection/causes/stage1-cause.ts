// Why stage 1 refused an access: the descriptor at which its walk ends, the registers that say how
// the tables are read, and what has changed since. Arm ARM D5.2, D5.4.

import { AbortSyndrome, faultOf, FaultStatus, Pstate } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { DeniedBy, StageOneFault } from "../../../model/queries/facts/exception-cause.ts";
import type { View } from "../readers/inspected.ts";
import { branchedBy } from "./branched.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import { endOf, isStage1On, rightFor, type Walk } from "./stage1-walk.ts";
import { TABLE_FORM_RULE } from "./table-form.ts";
import { TURNED_ON_RULE, turnedOn } from "./turned-on.ts";

const STAGE_ONE_FAULTS: Readonly<Record<number, StageOneFault>> = {
  [FaultStatus.Translation]: "translation",
  [FaultStatus.AccessFlag]: "access-flag",
  [FaultStatus.Permission]: "permission",
};

const ACCESS_FLAG = 1n << 10n;

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

const TRANSLATION_RULES = [
  TABLE_FORM_RULE,
  causeRule({
    codes: ["outside-of-tables"],
    asks: "is the address outside of the tables' bits, or are its walks off, and no pointer of a branch led there?",
    judge(suspect) {
      const walk = suspect.walk(), { access } = suspect;
      if (!walk || "at" in walk) return undefined;
      if (walk.end === "outside" && isFetch(suspect) && turnedOn(suspect) === undefined) return undefined;
      return { code: "outside-of-tables", access, ttbr: walk.ttbr, bits: walk.end === "disabled" ? null : walk.bits };
    },
  }),
  TURNED_ON_RULE,
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
    judge(suspect) {
      const { view, vcpu, access, taken: { far } } = suspect, by = isFetch(suspect) ? branchedBy(view, vcpu, far) : null;
      return isStage1On(vcpu) ? undefined : { code: "address-off", access, bits: BITS_WITHOUT_STAGE_1, by };
    },
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
    TABLE_FORM_RULE,
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
