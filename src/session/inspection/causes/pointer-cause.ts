// Why an address itself is wrong, whatever the tables have for it: a stack that was not set or has
// run out, and pointers with a tag or a signature in their upper bits. Arm ARM D8.8, D8.10.

import { AbortSyndrome, faultOf, FaultStatus } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { untagged } from "../../../kit/formats/page-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { plainOf } from "../../../inside/symbols/unwind.ts";
import type { View } from "../readers/inspected.ts";
import { causeRule, instructionOf, type Suspect } from "./cause-rule.ts";
import { spOf } from "./vectors.ts";

/** Bytes around SP and 0 within which an access is to the stack, and below the end of a stack. */
const NEAR = 0x1_0000n;
const PAGE = BigInt(PAGE_SIZE);
const isNear = (value: bigint) => value > -NEAR && value < NEAR;
const signed = (value: bigint) => BigInt.asIntN(64, value);

/** Whether the instruction accesses memory by SP, and close to it. */
function isToStack(suspect: Suspect): boolean {
  const { vcpu, taken } = suspect;
  return isNear(signed(taken.far - spOf(vcpu, taken))) && /\[sp\b/.test(instructionOf(suspect) ?? "");
}

/** Whether a vCPU has memory at a virtual address. */
function isMapped(view: View, vcpu: Vcpu, address: bigint): boolean {
  const translation = view.system.symbols.core.questions.inspect(vcpu.registers, BigInt.asUintN(64, address));
  return translation.ok && vcpu.space.stage2.lookup(translation.ipa) !== undefined;
}

/** SCTLR_EL1.EnIA, EnIB, EnDA and EnDB. */
const AUTHENTICATES = 1n << 31n | 1n << 30n | 1n << 27n | 1n << 13n;
/** TCR_EL1.TBID0 and TBID1: tags are ignored in addresses of data alone (FEAT_PAuth). */
const TBID0 = 1n << 51n, TBID1 = 1n << 52n;
/** Faults that a wrong address alone may cause. */
const OF_ADDRESS: ReadonlySet<number> = new Set([FaultStatus.Translation, FaultStatus.AddressSize]);
/** A failed AUT* of FEAT_PAuth without FEAT_PAuth2 changes one of these bits (AArch64.Auth). */
const ERRORS: ReadonlySet<bigint> = new Set([61n, 62n, 53n, 54n].map((bit) => 1n << bit));

/** The pointer below the upper bits of an address, if the VM has memory there; and those bits. */
function pointerOf({ view, vcpu, taken: { esr, far } }: Suspect) {
  if (!OF_ADDRESS.has(faultOf(esr & AbortSyndrome.FscMask).kind)) return undefined;
  const pointer = plainOf(vcpu)(far);
  return pointer !== far && isMapped(view, vcpu, pointer) ? { pointer, upper: pointer ^ far } : undefined;
}

/** Whether pointers may have signatures; `tells`: a failed authentication is an exception. */
function signatures({ view, vcpu }: Suspect) {
  const { features } = view.system.symbols.core.cpu, isOn = (vcpu.registers.getRegister("SCTLR_EL1") & AUTHENTICATES) !== 0n;
  return features.has("FEAT_PAuth") && isOn ? { mixes: features.has("FEAT_PAuth2"), tells: features.has("FEAT_FPAC") } : undefined;
}

export const POINTER_RULES = [
  causeRule({
    codes: ["no-stack"],
    asks: "is it an access by an SP that is near 0?",
    judge(suspect) {
      const { vcpu, taken, access } = suspect, sp = spOf(vcpu, taken);
      return isNear(signed(sp)) && isToStack(suspect) ? { code: "no-stack", access, sp: hex(sp) } : undefined;
    },
  }),
  causeRule({
    codes: ["stack-overflow"],
    asks: "is it an access by SP to a page below memory of the stack?",
    judge(suspect) {
      const { view, vcpu, taken, access } = suspect, { far } = taken;
      if (!isToStack(suspect) || isMapped(view, vcpu, far)) return undefined;
      for (let bottom = far - far % PAGE + PAGE; bottom < far + NEAR; bottom += PAGE) {
        if (isMapped(view, vcpu, bottom)) return { code: "stack-overflow", access, sp: hex(spOf(vcpu, taken)), bottom: hex(bottom) };
      }
      return undefined;
    },
  }),
  causeRule({
    codes: ["stack-outside"],
    asks: "is it an access by SP, and nothing mapped near it?",
    judge(suspect) {
      const { view, vcpu, taken, access } = suspect, sp = spOf(vcpu, taken), bottom = sp - sp % PAGE;
      if (!isToStack(suspect)) return undefined;
      const pages = [-1n, 0n, 1n].map((page) => bottom + page * PAGE);
      return pages.some((page) => isMapped(view, vcpu, page)) ? undefined : { code: "stack-outside", access, sp: hex(sp) };
    },
  }),
  causeRule({
    codes: ["failed-authentication"],
    asks: "are the upper bits those of AUT* that failed?",
    judge(suspect) {
      const found = pointerOf(suspect), pac = signatures(suspect), { access } = suspect;
      if (!found || !pac || pac.tells) return undefined;
      const hasFailed = pac.mixes ? !isTag(found.upper) : ERRORS.has(found.upper);
      return hasFailed ? { code: "failed-authentication", access, pointer: hex(found.pointer) } : undefined;
    },
  }),
  causeRule({
    codes: ["tagged"],
    asks: "is it memory without bits 63:56, and TCR_EL1.TBI 0, or TBID 1 for a fetch?",
    judge(suspect) {
      const { access, taken: { far } } = suspect, found = pointerOf(suspect), tcr = suspect.vcpu.registers.getRegister("TCR_EL1");
      if (!found || !isTag(found.upper)) return undefined;
      const tagged = { code: "tagged", access, pointer: hex(found.pointer) } as const, upper = far >> 55n & 1n;
      if (untagged(far, tcr) === signed(far)) return { ...tagged, tbi: upper ? "TBI1" : "TBI0" };
      const isFetch = access.kind === "instruction fetch" && (tcr & (upper ? TBID1 : TBID0)) !== 0n;
      return isFetch ? { ...tagged, tbi: upper ? "TBID1" : "TBID0" } : undefined;
    },
  }),
  causeRule({
    codes: ["still-signed"],
    asks: "are the upper bits those of PAC*?",
    judge(suspect) {
      const found = pointerOf(suspect);
      return found && signatures(suspect) ? { code: "still-signed", access: suspect.access, pointer: hex(found.pointer) } : undefined;
    },
  }),
];

/** Whether all bits are in 63:56. */
const isTag = (upper: bigint): boolean => (upper & (1n << 56n) - 1n) === 0n;
