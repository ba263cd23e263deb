// Why a branch, an exception return or an authentication ended in an exception: where it led, and
// what the pointer had. Arm ARM D8.10 (signatures), D8.4.4 (guarded pages), D1.3.5 (illegal
// returns).

import { Pstate } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { plainOf } from "../../../inside/symbols/unwind.ts";
import { readInstruction } from "../readers/guest/read-symbols.ts";
import { branchedBy } from "./branched.ts";
import { causeRule, instructionOf } from "./cause-rule.ts";
import { spOf, usedSpEl0 } from "./vectors.ts";

/** SPSR_EL1.M of modes that EL1 can return to, and names of others. */
const LEGAL_MODES: ReadonlySet<number> = new Set([Pstate.EL0t, Pstate.EL1t, Pstate.EL1h]);
const OTHER_MODES: Readonly<Record<number, string>> = { 8: "EL2t", 9: "EL2h", 12: "EL3t", 13: "EL3h" };

export const ILLEGAL_STATE_RULES = [causeRule({
  codes: ["illegal-state"],
  asks: "which mode did SPSR_EL1 have at the exception return?",
  judge({ vcpu, taken: { elr } }) {
    const { entered } = vcpu.registers;
    if (entered?.by !== "return" || entered.at !== elr) return { code: "illegal-state", mode: null, il: false };
    const { spsr } = entered, number = spsr & Pstate.Mode;
    const mode = number & Pstate.Aarch32 ? "AArch32" : OTHER_MODES[number] ?? hex(number);
    return { code: "illegal-state", mode, il: LEGAL_MODES.has(number) };
  },
})];

export const PC_ALIGNMENT_RULES = [causeRule({
  codes: ["pc-alignment"],
  asks: "what set PC?",
  judge: ({ view, vcpu, taken: { far } }) => ({ code: "pc-alignment", address: hex(far), by: branchedBy(view, vcpu, far) }),
})];

/** Bytes of which SP is a multiple where it is used. */
const SP_ALIGNMENT = 16n;

export const SP_ALIGNMENT_RULES = [
  causeRule({
    codes: ["sp-selection"],
    asks: "does EL1 use SP_EL0, and has it a stack in SP_EL1?",
    judge({ vcpu, taken }) {
      const other = vcpu.registers.getRegister("SP_EL1");
      if (!usedSpEl0(vcpu, taken) || other === 0n || other % SP_ALIGNMENT !== 0n) return undefined;
      return { code: "sp-selection", sp: hex(spOf(vcpu, taken)), other: hex(other) };
    },
  }),
  causeRule({
    codes: ["sp-alignment"],
    asks: "is SP not a multiple of 16?",
    judge({ vcpu, taken }) {
      const sp = spOf(vcpu, taken);
      return sp % SP_ALIGNMENT === 0n ? undefined : { code: "sp-alignment", sp: hex(sp) };
    },
  }),
];

/** PSTATE.BTYPE in the syndrome: how the branch came (D24.2.40); its place in SPSR_EL1. */
const BRANCHES = ["BR", "BR of X16 or X17", "BLR", "BR"] as const;
const BTYPE = 3, SPSR_BTYPE = BTYPE << 10;
/** Instructions before an address among which a landing pad is sought. */
const PAD_WITHIN = 4n;
const PAD = /^(?:bti|paciasp|pacibsp)\b/;

export const BRANCH_TARGET_RULES = [causeRule({
  codes: ["no-landing-pad"],
  asks: "is there a landing pad, and does it take this kind of branch?",
  judge(suspect) {
    const { view, vcpu, taken: { esr, elr } } = suspect, instruction = instructionOf(suspect) ?? null;
    let pad: string | null = null;
    for (let at = elr - 4n; at >= elr - 4n * PAD_WITHIN && pad === null && !PAD.test(instruction ?? ""); at -= 4n) {
      if (PAD.test(readInstruction(view, vcpu, at) ?? "")) pad = hex(at);
    }
    const { entered } = vcpu.registers, isReturn = entered?.by === "return" && entered.at === elr && (entered.spsr & SPSR_BTYPE) !== 0;
    return { code: "no-landing-pad", address: hex(elr), branch: isReturn ? "ERET" : BRANCHES[esr & BTYPE], instruction, pad };
  },
})];

/** The pointer that an instruction authenticates, and the modifier. */
function authenticated({ registers }: Vcpu, sp: bigint, instruction: string) {
  const [mnemonic, first = "", second = ""] = instruction.replace(/[[\]!]/g, "").split(/,? /);
  const value = (name: string) => name === "sp" ? sp : registers.getX(Number(/^x(\d+)$/.exec(name)?.[1] ?? 31));
  const found = (register: string, pointer: bigint, modifier: string) => ({
    register: register.toUpperCase(),
    pointer,
    modifier: modifier === "" ? "0" : `${modifier.toUpperCase()}, ${hex(value(modifier))}`,
  });
  if (mnemonic.startsWith("eret")) return found("elr_el1", registers.getRegister("ELR_EL1"), "sp");
  if (/^ret|sp$/.test(mnemonic)) return found("x30", registers.getX(30), "sp");
  if (mnemonic.endsWith("1716")) return found("x17", registers.getX(17), "x16");
  if (first === "") return found("x30", registers.getX(30), "");
  if (mnemonic.startsWith("ldra")) return found(second, value(second), "");
  return found(first, value(first), second);
}

export const AUTHENTICATION_RULES = [causeRule({
  codes: ["not-authenticated"],
  asks: "has the pointer a signature?",
  judge(suspect) {
    const { vcpu, taken } = suspect, instruction = instructionOf(suspect);
    if (instruction === undefined) return undefined;
    const { pointer, register, modifier } = authenticated(vcpu, spOf(vcpu, taken), instruction);
    const signed = plainOf(vcpu)(pointer) !== pointer;
    return { code: "not-authenticated", instruction, register, pointer: hex(pointer), signed, modifier };
  },
})];

/** ISS of the exception: from an epilogue, and with flags of the other option (D24.2.40). */
const EPILOGUE = 1 << 18, WRONG_OPTION = 1 << 17, SIZE_MASK = 31;
/** The part that comes before a main part or an epilogue: the letter in its name. */
const PARTS = { p: "the prologue", m: "the main part" } as const;

export const MEMORY_OPERATION_RULES = [causeRule({
  codes: ["copy-out-of-order"],
  asks: "are bytes left for its epilogue, or were its flags set?",
  judge(suspect) {
    const { vcpu, taken: { esr } } = suspect, instruction = instructionOf(suspect), isEpilogue = (esr & EPILOGUE) !== 0;
    if (instruction === undefined) return undefined;
    const before = (letter: keyof typeof PARTS) =>
      `${PARTS[letter]} (${instruction.split(" ")[0].replace(/^(cpyf?|setg?)[me]/, `$1${letter}`)})`;
    const left = esr & WRONG_OPTION ? null : hex(vcpu.registers.getX(esr & SIZE_MASK));
    return { code: "copy-out-of-order", instruction, part: before(left !== null && isEpilogue ? "m" : "p"), left };
  },
})];
