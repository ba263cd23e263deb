// Why a vCPU took a synchronous exception to EL1: for each symptom that its syndrome shows, the
// candidates in the order in which they are asked. Each looks at the state of the machine, as it is
// now; the first that is the cause gives it. Arm ARM D1.10, D5.4, D13.2.37.

import { AbortSyndrome, ExceptionClass, exceptionClass, faultOf, FaultStatus } from "../../../cpu/core/interface.ts";
import { once } from "../../../kit/support/values/once.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import type { View } from "../readers/inspected.ts";
import { readWord } from "../readers/guest/read-symbols.ts";
import { ALIGNMENT_RULES } from "./alignment-cause.ts";
import {
  AUTHENTICATION_RULES,
  BRANCH_TARGET_RULES,
  ILLEGAL_STATE_RULES,
  MEMORY_OPERATION_RULES,
  PC_ALIGNMENT_RULES,
  SP_ALIGNMENT_RULES,
} from "./branch-cause.ts";
import { type CauseRule, causeRule } from "./cause-rule.ts";
import { EL0_TRAP_RULE } from "./el0-trap-cause.ts";
import { POINTER_RULES } from "./pointer-cause.ts";
import { STAGE1_RULES } from "./stage1-cause.ts";
import { walkOf } from "./stage1-walk.ts";
import { STAGE2_RULES } from "./stage2-cause.ts";
import { accessOf, type Taken } from "./taken.ts";
import { OVERGROWN_RULE, UNDEFINED_RULES } from "./undefined-cause.ts";
import { VECTORS_RULE } from "./vectors.ts";

const FP_RULES = [causeRule({
  codes: ["fp-trapped"],
  asks: "at which level is FP trapped?",
  judge: ({ taken: { el } }) => ({ code: "fp-trapped", el }),
})];

const BRK_RULES = [causeRule({
  codes: ["trap-instruction"],
  asks: "which immediate has it?",
  judge: ({ taken: { esr } }) => ({ code: "trap-instruction", name: "brk", immediate: esr & 0xffff }),
})];

/** Candidates for any abort of memory, before those of its fault. */
const ABORT_RULES = [VECTORS_RULE, OVERGROWN_RULE, ...POINTER_RULES];

/** Symptoms, and their candidates. */
export const SYMPTOMS = {
  "undefined instruction": UNDEFINED_RULES,
  "trapped WFI or WFE": [EL0_TRAP_RULE],
  "trapped system register": [EL0_TRAP_RULE, ...UNDEFINED_RULES],
  "access to FP": FP_RULES,
  "BRK": BRK_RULES,
  "illegal execution state": ILLEGAL_STATE_RULES,
  "misaligned SP": SP_ALIGNMENT_RULES,
  "misaligned PC": PC_ALIGNMENT_RULES,
  "BTI": BRANCH_TARGET_RULES,
  "pointer authentication": AUTHENTICATION_RULES,
  "memory copy or set": MEMORY_OPERATION_RULES,
  "alignment fault": [...ABORT_RULES, ...ALIGNMENT_RULES],
  "external abort": [...ABORT_RULES, ...STAGE2_RULES],
  "translation fault": [...ABORT_RULES, ...STAGE1_RULES.translation],
  "access flag fault": [...ABORT_RULES, ...STAGE1_RULES.accessFlag],
  "permission fault": [...ABORT_RULES, ...STAGE1_RULES.permission],
  "address size fault": [...ABORT_RULES, ...STAGE1_RULES.addressSize],
  "external abort on a table walk": [...ABORT_RULES, ...STAGE1_RULES.onWalk],
} satisfies Readonly<Record<string, readonly CauseRule[]>>;

export type Symptom = keyof typeof SYMPTOMS;

const OF_CLASS: Readonly<Record<number, Symptom | "abort">> = {
  [ExceptionClass.Unknown]: "undefined instruction",
  [ExceptionClass.Wfx]: "trapped WFI or WFE",
  [ExceptionClass.SystemRegister]: "trapped system register",
  [ExceptionClass.FpAccess]: "access to FP",
  [ExceptionClass.Brk]: "BRK",
  [ExceptionClass.IllegalState]: "illegal execution state",
  [ExceptionClass.SpAlignment]: "misaligned SP",
  [ExceptionClass.PcAlignment]: "misaligned PC",
  [ExceptionClass.BranchTarget]: "BTI",
  [ExceptionClass.PointerAuthentication]: "pointer authentication",
  [ExceptionClass.MemoryOperation]: "memory copy or set",
  [ExceptionClass.InstructionAbort]: "abort",
  [ExceptionClass.InstructionAbortLower]: "abort",
  [ExceptionClass.DataAbort]: "abort",
  [ExceptionClass.DataAbortLower]: "abort",
};

const OF_STATUS: Readonly<Record<number, Symptom>> = {
  [FaultStatus.Alignment]: "alignment fault",
  [FaultStatus.External]: "external abort",
};
const OF_FAULT: Readonly<Record<number, Symptom>> = {
  [FaultStatus.Translation]: "translation fault",
  [FaultStatus.AccessFlag]: "access flag fault",
  [FaultStatus.Permission]: "permission fault",
  [FaultStatus.AddressSize]: "address size fault",
  [FaultStatus.ExternalOnWalk]: "external abort on a table walk",
};

/** The symptom that a syndrome shows; undefined where it says all. */
export function symptomOf(esr: number): Symptom | undefined {
  const found = OF_CLASS[exceptionClass(esr)];
  if (found !== "abort") return found;
  const status = esr & AbortSyndrome.FscMask;
  return OF_STATUS[status] ?? OF_FAULT[faultOf(status).kind];
}

/** The cause of an exception that a vCPU took; undefined where the syndrome says it all. */
export function causeOf(view: View, vcpu: Vcpu, taken: Taken): ExceptionCause | undefined {
  const symptom = symptomOf(taken.esr);
  if (!symptom) return undefined;
  const word = readWord(view, vcpu, taken.elr), walk = once(() => walkOf(view, vcpu, taken.far));
  const suspect = { view, vcpu, taken, word, access: accessOf(word, taken), walk };
  const rules: readonly CauseRule[] = SYMPTOMS[symptom];
  for (const { judge } of rules) {
    const cause = judge(suspect);
    if (cause) return cause;
  }
  return undefined;
}
