// The cause of a synchronous exception that a vCPU took to EL1: the rule of the architecture or of
// its VM's memory that the instruction broke, and what to change.

import { type BranchedBy, branchWayOut, leadText, wentText } from "./branched-by.ts";
import { Facts } from "./fact.ts";
import { DATA_FORMS, type DataForm, FORM_WAYS_OUT } from "./data-form.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** The direction of an access to memory. */
export type AccessKind = "load" | "store" | "atomic access" | "instruction fetch" | "cache maintenance";

/** An access: its kind, its virtual address, and its bytes where the instruction tells. */
export type FaultingAccess = { readonly kind: AccessKind; readonly address: string; readonly size: number | null };

/** The descriptor at which a stage-1 walk ended. */
export type WalkEnd = {
  readonly ttbr: "TTBR0_EL1" | "TTBR1_EL1";
  readonly level: number;
  /** Where the descriptor is: its intermediate physical address. */
  readonly entry: string;
  /** Null if it cannot be read. */
  readonly descriptor: string | null;
};

/** A fault of stage 1 at a descriptor. */
export type StageOneFault = "translation" | "access-flag" | "permission";

/** Why an access counts as one to Device memory. */
export type DeviceBecause = "stage-1-off" | "mair" | "stage-2";

/** Why a leaf of stage 1 does not give a right: a bit beside it, or its own attributes. */
export type DeniedBy = "pan" | "wxn" | "user-writable" | "descriptor";

/** The entry of a vector table that an exception or an interrupt enters. */
export type Vector = {
  /** The address of the table. */
  readonly vbar: string;
  /** From there, `0x280`. */
  readonly offset: string;
};

export type ExceptionCause =
  // Undefined instructions: what Arm calls the word.
  | {
    readonly code: "lacks-feature";
    readonly name: string;
    readonly feature: string;
    readonly cpu: string;
    readonly cpus: readonly string[];
  }
  | { readonly code: "not-offered"; readonly name: string; readonly feature: string; readonly option: string }
  | { readonly code: "above-level"; readonly name: string; readonly needs: number; readonly at: number; readonly instead: string | null }
  /** MSR or MRS of an encoding without a name; `ofMake`: IMPLEMENTATION DEFINED. */
  | { readonly code: "not-a-register"; readonly register: string; readonly ofMake: boolean }
  /** A register of the GIC's CPU interface, of a group of interrupts that is off. */
  | { readonly code: "group-off"; readonly name: string; readonly group: 0 | 1; readonly other: boolean }
  /** `after`: the instruction before it, if that leads there; `form`: what the data is. */
  | {
    readonly code: "not-code";
    readonly word: string;
    readonly after: string | null;
    readonly by: BranchedBy | null;
    readonly form: DataForm | null;
  }
  | { readonly code: "empty-vector"; readonly word: string; readonly vector: Vector }
  /** Its image had another instruction there; SP if the stack is next to it, where it grows. */
  | {
    readonly code: "overwritten";
    readonly place: string;
    readonly loaded: string;
    readonly word: string;
    readonly stack: string | null;
  }
  | { readonly code: "trap-instruction"; readonly name: string; readonly immediate: number }
  /** HLT #0xF000 that is not served; the operation, if its registers are as they were. */
  | { readonly code: "semihosting"; readonly operation: string | null; readonly el: number }
  | { readonly code: "fp-trapped"; readonly el: number }
  /** EL1 permits it at EL0 by a bit that is 0: `CNTKCTL_EL1.EL0VCTEN`. */
  | { readonly code: "trapped-at-el0"; readonly instruction: string; readonly control: string }
  /** The mode in SPSR_EL1 at the exception return, and whether its IL was set. */
  | { readonly code: "illegal-state"; readonly mode: string | null; readonly il: boolean }
  | { readonly code: "sp-alignment"; readonly sp: string }
  /** The same, where EL1 uses SP_EL0, and SP_EL1 is aligned. */
  | { readonly code: "sp-selection"; readonly sp: string; readonly other: string }
  | { readonly code: "pc-alignment"; readonly address: string; readonly by: BranchedBy | null }
  /** FEAT_BTI. `branch`: how it came; `pad`: the landing pad that the pointer may mean. */
  | {
    readonly code: "no-landing-pad";
    readonly address: string;
    readonly branch: "BLR" | "BR" | "BR of X16 or X17" | "ERET";
    readonly instruction: string | null;
    readonly pad: string | null;
  }
  /** FEAT_FPAC: AUT* or an instruction that has it; `modifier`: a register, or 0. */
  | {
    readonly code: "not-authenticated";
    readonly instruction: string;
    readonly register: string;
    readonly pointer: string;
    readonly signed: boolean;
    readonly modifier: string;
  }
  /** FEAT_MOPS. `left`: bytes that an epilogue found; null: it was entered with other flags. */
  | { readonly code: "copy-out-of-order"; readonly instruction: string; readonly part: string; readonly left: string | null }
  /** Its vectors, or one of them, cannot be fetched: the offset from VBAR_EL1. */
  | { readonly code: "no-vectors"; readonly vbar: string; readonly offset: string }
  // Alignment.
  | { readonly code: "device-alignment"; readonly access: FaultingAccess; readonly because: DeviceBecause }
  /** DC ZVA, which needs Normal memory whatever the address is. */
  | { readonly code: "zva-to-device"; readonly access: FaultingAccess; readonly because: DeviceBecause }
  | { readonly code: "alignment-checked"; readonly access: FaultingAccess }
  | { readonly code: "ordered-alignment"; readonly access: FaultingAccess }
  // Stage 1.
  | { readonly code: "no-translation"; readonly access: FaultingAccess; readonly walk: WalkEnd }
  | { readonly code: "outside-of-tables"; readonly access: FaultingAccess; readonly ttbr: WalkEnd["ttbr"]; readonly bits: number | null }
  | { readonly code: "access-flag"; readonly access: FaultingAccess; readonly walk: WalkEnd }
  | {
    readonly code: "no-permission";
    readonly access: FaultingAccess;
    readonly walk: WalkEnd;
    readonly el: number;
    readonly rights: string;
    readonly because: DeniedBy;
  }
  /** A branch to an address that stage 1 does not map; `walk`: null outside of the tables. */
  | { readonly code: "jump-unmapped"; readonly address: string; readonly by: BranchedBy | null; readonly walk: WalkEnd | null }
  /** The write of SCTLR_EL1 that turned stage 1 on, and which the tables do not map. */
  | { readonly code: "turned-on-unmapped"; readonly at: string; readonly walk: WalkEnd | null }
  /** With another value of a field of TCR_EL1 the tables map it; or the CPU lacks this one. */
  | {
    readonly code: "tables-of-other-form";
    readonly address: string;
    readonly ttbr: WalkEnd["ttbr"];
    readonly field: string;
    readonly has: string;
    readonly wants: string;
    readonly cpu: string | null;
  }
  /** The tables caused the fault at that time, and have changed since. */
  | { readonly code: "tables-since"; readonly access: FaultingAccess; readonly fault: StageOneFault; readonly level: number }
  /** `output`: memory of the VM, to which the tables lead: IPS alone is too small. */
  | { readonly code: "address-size"; readonly access: FaultingAccess; readonly bits: number; readonly output: string | null }
  /** Stage 1 is off, so that the address itself has too many bits; `by`: the setter of PC. */
  | { readonly code: "address-off"; readonly access: FaultingAccess; readonly bits: number; readonly by: BranchedBy | null }
  /** Bits 63:48 are those of a pointer whose authentication failed (FEAT_PAuth). */
  | { readonly code: "failed-authentication"; readonly access: FaultingAccess; readonly pointer: string }
  /** Its signature is still in the pointer: it was not authenticated. */
  | { readonly code: "still-signed"; readonly access: FaultingAccess; readonly pointer: string }
  /** Bits 63:56 have a tag, which TCR_EL1 does not ignore; TBID: not in branches. */
  | {
    readonly code: "tagged";
    readonly access: FaultingAccess;
    readonly pointer: string;
    readonly tbi: "TBI0" | "TBI1" | "TBID0" | "TBID1";
  }
  /** An access by SP to a page below mapped memory. */
  | { readonly code: "stack-overflow"; readonly access: FaultingAccess; readonly sp: string; readonly bottom: string }
  /** An access by SP, near which nothing is mapped. */
  | { readonly code: "stack-outside"; readonly access: FaultingAccess; readonly sp: string }
  /** An access by SP, which is near 0. */
  | { readonly code: "no-stack"; readonly access: FaultingAccess; readonly sp: string }
  | { readonly code: "table-outside"; readonly access: FaultingAccess; readonly walk: WalkEnd }
  /** A program's access to a mapping of a file, after the file's last page. */
  | { readonly code: "beyond-file"; readonly address: string; readonly path: string; readonly offset: string; readonly size: number }
  // Stage 2, and devices.
  | {
    readonly code: "not-given";
    readonly access: FaultingAccess;
    readonly ipa: string;
    readonly stage1: boolean;
    readonly memory: readonly string[];
  }
  /** Nothing was mapped at the address at that time, and something is now. */
  | {
    readonly code: "given-since";
    readonly access: FaultingAccess;
    readonly ipa: string;
    readonly rights: string;
    readonly parcel: string | null;
  }
  | {
    readonly code: "no-right";
    readonly access: FaultingAccess;
    readonly ipa: string;
    readonly rights: string;
    readonly owner: string;
    readonly parcel: string | null;
  }
  | {
    readonly code: "lent";
    readonly access: FaultingAccess;
    readonly ipa: string;
    readonly parcel: string;
    readonly to: readonly string[];
  }
  /** A branch to where no memory is; `linked`: where its image has code at the same offset. */
  | {
    readonly code: "jump-to-devices";
    readonly address: string;
    readonly ipa: string;
    readonly by: BranchedBy | null;
    readonly linked: { readonly place: string; readonly base: string } | null;
  }
  | {
    readonly code: "nobody-serves";
    readonly access: FaultingAccess;
    readonly ipa: string;
    readonly vm: string;
    readonly schedule: "proxy" | "own";
  }
  | { readonly code: "not-emulated"; readonly access: FaultingAccess; readonly ipa: string; readonly by: string }
  | { readonly code: "device-refuses"; readonly access: FaultingAccess; readonly ipa: string; readonly device: string }
  /** Where QEMU's virt has the CPU interface of a GICv2. */
  | { readonly code: "gicv2-interface"; readonly access: FaultingAccess; readonly ipa: string }
  | { readonly code: "no-device"; readonly access: FaultingAccess; readonly pa: string };

const FAULT_WORDS: Readonly<Record<StageOneFault, string>> = {
  "translation": "was not mapped",
  "access-flag": "had an access flag of 0",
  "permission": "was not permitted",
};

const sized = ({ kind, size }: FaultingAccess) => size === null ? kind : `${kind} of ${size} ${size === 1 ? "byte" : "bytes"}`;
const walkText = ({ ttbr, level, entry, descriptor }: WalkEnd) =>
  `the level ${level} entry at ipa ${entry} (from ${ttbr}) ${descriptor === null ? "cannot be read" : `is ${descriptor}`}`;
const endText = (walk: WalkEnd | null) => walk === null ? "it is outside of its tables" : walkText(walk);
const parcelText = (parcel: string | null) => parcel === null ? "" : `, ${parcel}`;

/** Exceptions and interrupts by the offsets of their vectors. */
const ENTERS = ["a synchronous exception", "an interrupt", "an FIQ", "an SError"];
const FROM = ["EL1 with SP_EL0", "EL1", "EL0", "AArch32"];
const enteredText = ({ offset }: Vector) => `${ENTERS[Number(offset) >> 7 & 3]} from ${FROM[Number(offset) >> 9 & 3]}`;

/** Why a right is missing that the leaf itself may have. */
const DENIED: { readonly [B in Exclude<DeniedBy, "pan" | "descriptor">]: string } = {
  "wxn": "SCTLR_EL1.WXN is 1, so that memory that can be written is not executable",
  "user-writable": "EL0 can write it, so that EL1 cannot execute it",
};
const DENIED_WAYS_OUT: { readonly [B in DeniedBy]: string } = {
  "pan": "use LDTR or STTR, or clear PSTATE.PAN around it",
  "wxn": "map code read-only (AP[2]), or clear SCTLR_EL1.WXN",
  "user-writable": "map code of EL1 without AP[1], or read-only",
  "descriptor": "fix AP, PXN and UXN of the descriptor, or the pointer",
};

/** Why memory is Device. */
export const DEVICE_WORDS: Readonly<Record<DeviceBecause, string>> = {
  "stage-1-off": "SCTLR_EL1.M is 0, so all memory is Device",
  "mair": "its page is Device memory (MAIR_EL1)",
  "stage-2": "it is mapped as Device memory at stage 2",
};

/** For pointers whose authentication fails, and for stacks that grow too far. */
const AUTHENTICATE_AS_SIGNED = "give AUT* the key and the modifier of PAC*, and leave the signed pointer as it is";
const STACK_WAY_OUT = "end the recursion, or give the stack more room";

/** For accesses to shared memory. */
const WRITE = 'give this VM access "rw" in [link], or the right in the parcel\'s list';
const RIGHT_WAYS_OUT: { readonly [K in AccessKind]?: string } = {
  "store": WRITE,
  "atomic access": WRITE,
  "instruction fetch": "copy the code into the VM's own memory, or give it the right in the parcel's list",
};

export const EXCEPTION_CAUSES = new Facts<ExceptionCause>({
  "lacks-feature": ({ name, feature, cpu }) => `${name || "the instruction"} needs ${feature}, which the CPU "${cpu}" does not have`,
  "not-offered": ({ name, feature, option }) =>
    `${name} is part of ${feature}, which the hypervisor hides from vCPUs without the option ${option}`,
  "above-level": ({ name, needs, at }) => `${name || "the operation"} belongs to EL${needs}, and was executed at EL${at}`,
  "not-a-register": ({ register, ofMake }) =>
    ofMake
      ? `${register} is IMPLEMENTATION DEFINED: a register of one make of CPUs, which this one does not have`
      : `${register} is not a register: Arm has not allocated this encoding`,
  "group-off": ({ name, group }) =>
    `${name} is of group ${group}, which is off at its vCPU: the registers of such a group are not there to be read`,
  "not-code": ({ word, after, by, form }) =>
    `the word ${word} is not an instruction${form === null ? "" : ` but the beginning of ${DATA_FORMS[form]}`}: ${
      after !== null
        ? `the program ran into it after "${after}"`
        : by === null
        ? "the program branched to data"
        : `${leadText(by)} led there`
    }`,
  "empty-vector": ({ word, vector }) =>
    `${
      enteredText(vector)
    } entered the vector at VBAR_EL1 + ${vector.offset} (VBAR_EL1 is ${vector.vbar}), where ${word} is not an instruction`,
  "overwritten": ({ place, loaded, word, stack }) =>
    `the code was overwritten: the image has "${loaded}" at ${place}, which is ${word} now${
      stack === null ? "" : `; SP is ${stack}, so that the stack has grown over the code`
    }`,
  "trap-instruction": ({ name, immediate }) => `${name} #${immediate} was executed on purpose: a failed assertion, or a compiler's trap`,
  "semihosting": ({ operation, el }) =>
    `it is a semihosting call${operation === null ? "" : ` (${operation})`}, ${
      el === 0 ? "which EL0 cannot make" : "which nobody serves here"
    }`,
  "fp-trapped": ({ el }) => `floating point is off at EL${el}: CPACR_EL1.FPEN traps it`,
  "trapped-at-el0": ({ instruction, control }) => `"${instruction}" at EL0 is trapped: ${control} is 0`,
  "illegal-state": ({ mode, il }) =>
    mode === null
      ? "an exception return used an SPSR_EL1 with a level or state that EL1 cannot return to"
      : il
      ? "an exception return used an SPSR_EL1 with IL set"
      : `an exception return used an SPSR_EL1 with mode ${mode}, to which EL1 cannot return`,
  "sp-selection": ({ sp, other }) => `EL1 uses SP_EL0 as SP (SPSel is 0), which is ${sp}, not a multiple of 16; SP_EL1 is ${other}`,
  "sp-alignment": ({ sp }) => `SP is ${sp}, not a multiple of 16`,
  "pc-alignment": ({ address, by }) => `${wentText(by, address)}, not a multiple of 4`,
  "no-landing-pad": ({ address, branch, instruction, pad }) =>
    `${branch === "ERET" ? "ERET with BTYPE in SPSR_EL1" : branch} went to ${address} in a guarded page (GP), and ${
      instruction === null ? "the word" : `"${instruction}"`
    } there is not a landing pad for it${pad === null ? "" : `; ${pad} has one`}`,
  "not-authenticated": ({ instruction, register, pointer, signed, modifier }) =>
    signed
      ? `${instruction}: the signature in ${register} (${pointer}) is for another key, modifier or address; its modifier is ${modifier}`
      : `${instruction}: ${register} is ${pointer}, which nobody has signed, or which was overwritten since`,
  "copy-out-of-order": ({ instruction, part, left }) =>
    left === null
      ? `${instruction} found PSTATE.C set, which ${part} of the same copy clears`
      : `${instruction} found ${left} bytes that ${part} of the same copy has not moved`,
  "no-vectors": ({ vbar, offset }) => `its vector at VBAR_EL1 + ${offset} cannot be fetched (VBAR_EL1 is ${vbar})`,
  "device-alignment": ({ access, because }) => `the ${sized(access)} at ${access.address} is not aligned, and ${DEVICE_WORDS[because]}`,
  "zva-to-device": ({ access, because }) => `DC ZVA at ${access.address} needs Normal memory, and ${DEVICE_WORDS[because]}`,
  "alignment-checked": ({ access }) => `the ${sized(access)} at ${access.address} is not aligned, and SCTLR_EL1.A checks alignment`,
  "ordered-alignment": ({ access }) => `an exclusive, atomic or ordered ${sized(access)} at ${access.address} must be aligned to its size`,
  "no-translation": ({ access, walk }) => `${access.address} is not mapped at stage 1: ${walkText(walk)}`,
  "outside-of-tables": ({ access, ttbr, bits }) =>
    bits === null
      ? `${access.address} is in the half of ${ttbr}, whose walks TCR_EL1.EPD${ttbr[4]} turns off`
      : `${access.address} is outside of the ${bits} bits that TCR_EL1 gives to ${ttbr}`,
  "access-flag": ({ access, walk }) => `${access.address} is mapped, but its access flag is 0: ${walkText(walk)}`,
  "no-permission": ({ access, walk, el, rights, because }) =>
    because === "pan"
      ? `the ${access.kind} at ${access.address} is of EL${el} to memory of EL0, and PSTATE.PAN is set`
      : `the ${access.kind} at ${access.address} is not permitted at EL${el}, which has ${rights || "no rights"}: ${
        because === "descriptor" ? walkText(walk) : DENIED[because]
      }`,
  "jump-unmapped": ({ address, by, walk }) => `${wentText(by, address)}, which stage 1 does not map: ${endText(walk)}`,
  "turned-on-unmapped": ({ at, walk }) => `stage 1 was turned on by code at ${at}, which its tables do not map: ${endText(walk)}`,
  "tables-of-other-form": ({ address, ttbr, field, has, wants, cpu }) =>
    cpu === null
      ? `TCR_EL1.${field} is for ${has}, and the tables of ${ttbr} map ${address} if it is for ${wants}`
      : `TCR_EL1.${field} and the tables of ${ttbr} are for ${has}, which the CPU "${cpu}" does not have`,
  "tables-since": ({ access, fault, level }) =>
    `${access.address} ${FAULT_WORDS[fault]} at stage 1 at that time (level ${level}); its tables have changed since`,
  "address-size": ({ access, bits, output }) =>
    `the translation of ${access.address} gives ${
      output === null ? "an address" : `ipa ${output}, memory of the VM,`
    } of more than ${bits} bits`,
  "address-off": ({ access, bits, by }) =>
    `stage 1 is off (SCTLR_EL1.M is 0), so that ${access.address}${
      by === null ? "" : `, to which ${leadText(by)} led,`
    } is the physical address, which has at most ${bits} bits`,
  "failed-authentication": ({ access, pointer }) =>
    `${access.address} is ${pointer} but for bits 63:48: the authentication of the pointer (AUT*) failed`,
  "still-signed": ({ access, pointer }) => `${access.address} is ${pointer} with a signature (PAC*), which no AUT* has removed`,
  "tagged": ({ access, pointer, tbi }) =>
    `${access.address} is ${pointer} with a tag in bits 63:56, and TCR_EL1.${tbi} is ${
      tbi.startsWith("TBID") ? "1: addresses of code have no tags" : "0"
    }`,
  "stack-overflow": ({ access, sp, bottom }) =>
    `the ${
      sized(access)
    } at ${access.address} is to the stack, which has run past its end: SP is ${sp}, and mapped memory begins at ${bottom}`,
  "stack-outside": ({ access, sp }) => `the ${sized(access)} at ${access.address} is to the stack: SP is ${sp}, where nothing is mapped`,
  "no-stack": ({ access, sp }) => `the ${sized(access)} at ${access.address} is to the stack, and SP is ${sp}: the program has set none`,
  "table-outside": ({ access, walk }) => `the walk for ${access.address} left the VM's memory: ${walkText(walk)}`,
  "beyond-file": ({ address, path, offset, size }) =>
    `${address} is at ${offset} of ${path} (mmap), which has ${size} ${size === 1 ? "byte" : "bytes"}: there is no page of it`,
  "not-given": ({ ipa, stage1, memory }) =>
    `ipa ${ipa} ${stage1 ? "" : "(stage 1 is off) "}is not memory of the VM, and no device is there; its memory: ${
      memory.join(", ") || "none"
    }`,
  "given-since": ({ ipa, rights, parcel }) =>
    `ipa ${ipa} was not memory of the VM at that time; it has been mapped since: ${rights}${parcelText(parcel)}`,
  "no-right": ({ access, ipa, rights, owner, parcel }) =>
    `the ${access.kind} needs a right that the VM does not have: ipa ${ipa} is mapped ${rights}, owner ${owner}${parcelText(parcel)}`,
  "lent": ({ ipa, parcel, to }) => `ipa ${ipa} is lent: ${parcel} to ${to.join(", ")}`,
  "jump-to-devices": ({ address, ipa, by, linked }) =>
    `${wentText(by, address)}${ipa === address ? "" : ` (ipa ${ipa})`}, where no memory is${
      linked === null ? "" : `; the image has code at ${linked.place}`
    }`,
  "nobody-serves": ({ ipa, vm, schedule }) =>
    `ipa ${ipa} is for the VMM of ${vm}, ${
      schedule === "own" ? 'but schedule = "own": no VMM sees the access' : "which has no device there"
    }`,
  "not-emulated": ({ access, ipa, by }) =>
    `the ${access.kind} at ipa ${ipa} is to a device that ${by} emulates, by an instruction that cannot be emulated`,
  "device-refuses": ({ access, ipa, device }) => `${device} refuses the ${sized(access)} at ipa ${ipa}`,
  "gicv2-interface": ({ access, ipa }) =>
    `the ${access.kind} is to ${ipa}, the CPU interface (GICC) of a GICv2: this machine has a GICv3, and nothing there`,
  "no-device": ({ pa }) => `nothing answers at ${pa}: it is neither RAM nor a device`,
}, {
  "lacks-feature": ({ feature, cpus }) =>
    cpus.length
      ? `use a CPU that has it (cpu = "${cpus[0]}"), or build without ${feature}`
      : `build without ${feature}: no CPU of el2 has it`,
  "not-offered": () => "read the ID register first: the feature's field is 0",
  "above-level": ({ needs, instead }) => instead === null ? `read CurrentEL first, and skip it below EL${needs}` : `use ${instead} at EL1`,
  "not-a-register": ({ ofMake }) =>
    ofMake ? "read MIDR_EL1 first, and skip it on other CPUs" : "read the ID register of its feature first, or fix the encoding",
  "group-off": ({ name, group, other }) => {
    const on = `set EnableGrp${group} in GICD_CTLR and ICC_IGRPEN${group}_EL1 before it is read`;
    return other ? `read ${name.replace(String(group), String(1 - group))} (group ${1 - group} is on), or ${on}` : on;
  },
  "not-code": ({ after, by, form }) =>
    form !== null
      ? FORM_WAYS_OUT[form]
      : after === null
      ? by === null ? "find the branch that led there" : branchWayOut(by, "")
      : "end the function before it with RET or a branch, or put the data elsewhere",
  "empty-vector": ({ vector }) =>
    `put code at VBAR_EL1 + ${vector.offset}, or VBAR_EL1 to a vector table, which begins at a multiple of 2 KiB (.balign 2048)`,
  "overwritten": ({ place, stack }) => way`${stack === null ? "find the store" : STACK_WAY_OUT}: \`${hint("who", place, { size: 4 })}\``,
  "trap-instruction": () => "find the assertion at that address: disassemble it, or see the source line with --symbols",
  "illegal-state": ({ mode, il }) =>
    il
      ? "clear IL (bit 20) in SPSR_EL1 before ERET"
      : mode?.startsWith("EL2")
      ? "read CurrentEL first: a VM starts at EL1, and returns to EL1h"
      : "write SPSR_EL1 with EL1h, EL1t or EL0t in its mode before ERET",
  "sp-selection": () => "set SPSel to 1 before the first access by SP, or SP_EL0 to a stack",
  "sp-alignment": () => "move SP by multiples of 16 only",
  "pc-alignment": ({ address, by }) => branchWayOut(by, address),
  "no-landing-pad": ({ branch, instruction, pad }) =>
    branch === "ERET"
      ? "clear BTYPE (bits 11:10) in SPSR_EL1 before ERET"
      : pad !== null
      ? `branch to ${pad}`
      : /^bti|^paci/.test(instruction ?? "")
      ? `begin it with BTI ${branch === "BLR" ? "C" : "J"}${branch === "BR" ? ", or branch by X16 or X17" : ""}`
      : "build it with -mbranch-protection=bti, or map it without GP",
  "not-authenticated": ({ signed, modifier, register }) =>
    !signed
      ? `sign ${register} with PAC* and SCTLR_EL1.En* set before it is saved, and find what overwrote it`
      : modifier.startsWith("SP")
      ? "give SP the value that it had at PAC*: pop all that the function has pushed; and use the same key"
      : AUTHENTICATE_AS_SIGNED,
  "copy-out-of-order": ({ part }) => `execute ${part} before it with the same registers, and set no flags between them`,
  "no-vectors": () => "set VBAR_EL1 to a vector table that is mapped before the first exception can come",
  "semihosting": ({ el }) =>
    el === 0 ? "make it at EL1" : "serve it with semihosting = true for the VM, or give the program's ELF file as the image",
  "trapped-at-el0": ({ control }) => `set ${control}, or have EL1 do it on a call (SVC)`,
  "fp-trapped": () => "set CPACR_EL1.FPEN to 0b11 first, or build with -mgeneral-regs-only",
  "device-alignment": ({ because }) =>
    because === "stage-1-off" ? "build with -mstrict-align, or turn the MMU on first" : "access it aligned, or map it as Normal memory",
  "zva-to-device": ({ because }) =>
    because === "stage-1-off" ? "turn the MMU on first, or use stores" : "map it as Normal memory, or use stores",
  "alignment-checked": () => "clear SCTLR_EL1.A, or build with -mstrict-align",
  "ordered-alignment": ({ access: { size } }) => `align the object${size === null ? "" : ` to ${size} bytes`}`,
  "no-translation": ({ access }) => `map ${access.address} before it is used, or fix the pointer`,
  "outside-of-tables": ({ ttbr, bits }) =>
    bits === null ? `clear TCR_EL1.EPD${ttbr[4]}, or fix the pointer` : `fix the pointer, or TCR_EL1.T${ttbr[4]}SZ`,
  "access-flag": () => "set AF (bit 10) in the descriptor",
  "no-permission": ({ because }) => DENIED_WAYS_OUT[because],
  "jump-unmapped": ({ address, by }) => branchWayOut(by, address),
  "turned-on-unmapped": ({ at }) => `map the page of ${at} at its own address, executable, until the program runs elsewhere`,
  "tables-of-other-form": ({ field, has, wants, cpu }) =>
    cpu === null
      ? `set TCR_EL1.${field} for ${wants}, or make tables for ${has}`
      : `read ID_AA64MMFR0_EL1 first: use a CPU that has ${has} (cpu = "max"), or tables for another size`,
  "tables-since": () => "change the tables, and invalidate the TLBs, before the first access",
  "address-size": ({ output }) => output === null ? "fix the descriptor" : "set TCR_EL1.IPS to ID_AA64MMFR0_EL1.PARange",
  "address-off": ({ access, by }) =>
    by?.how === "power-on" && !by.first
      ? "give CPU_ON the physical address of code: a CPU starts with its MMU off"
      : BigInt(access.address) >> 48n === 0xffffn
      ? "fix the pointer, or turn stage 1 on first"
      : "fix the pointer",
  "failed-authentication": () => AUTHENTICATE_AS_SIGNED,
  "still-signed": () => "authenticate it with AUT* first, or strip it with XPAC*",
  "tagged": ({ tbi }) => `${tbi.startsWith("TBID") ? "clear" : "set"} TCR_EL1.${tbi}, or remove the tag`,
  "stack-overflow": () => STACK_WAY_OUT,
  "stack-outside": () => "set SP to the end of mapped memory for a stack, or map the stack, before its first use",
  "no-stack": () => "set SP to the end of memory for a stack before the first call",
  "table-outside": ({ walk: { ttbr, level } }) =>
    level < 1 ? `put tables of the VM's own memory into ${ttbr}` : `fix the descriptor of level ${level - 1}, or ${ttbr}`,
  "beyond-file": () => "map no more than the file has, make it longer first (ftruncate), and do not shorten it while it is mapped",
  "not-given": () => "fix the pointer; memory and devices of the VM are in its devicetree",
  "given-since": ({ parcel }) =>
    parcel === null ? "wait for the mapping before the first access" : `access it after MEM_ACCEPT of ${parcel} has been answered`,
  "no-right": ({ access: { kind }, parcel }) => parcel === null ? "fix the pointer" : RIGHT_WAYS_OUT[kind] ?? "give this VM the right",
  "lent": ({ parcel, to }) => `wait until ${to.join(", ")} releases ${parcel}, and reclaim it`,
  "jump-to-devices": ({ address, by, linked }) =>
    `${branchWayOut(by, address)}${linked === null ? "" : `, or link the image for ${linked.base}, where it is loaded`}`,
  "nobody-serves": ({ schedule }) =>
    schedule === "own"
      ? 'remove schedule = "own", or the access'
      : "use a device of the VM's devicetree, or add the device to its configuration",
  "not-emulated": () => "use a load or store of one general register without write-back (volatile, or readl and writel)",
  "device-refuses": () => "use the offset and size of one of its registers",
  "gicv2-interface": () => "use ICC_*_EL1 (ICC_SRE_EL1.SRE is 1), and GICR_ISENABLER0 for INTIDs below 32",
  "no-device": () => "fix the pointer; RAM and devices are in the devicetree",
});
