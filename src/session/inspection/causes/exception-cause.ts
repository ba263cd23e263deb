// Why a vCPU took a synchronous exception to EL1: from its syndrome, the instruction, the tables of
// stage 1 and the mappings of stage 2, as they are now. Arm ARM D1.10, D5.4, D13.2.37.

import {
  AbortSyndrome,
  ExceptionClass,
  exceptionClass,
  faultOf,
  FaultStatus,
  Pstate,
  Sctlr,
  Stage2Flags,
  Vector,
} from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { addressSizesOf } from "../../../cpu/isa/cpus/address-sizes.ts";
import { decode } from "../../../cpu/isa/decode.ts";
import { cpusWith } from "../../../cpu/isa/cpus/cpus.ts";
import { optionOf } from "../../../cpu/isa/cpus/features.ts";
import { nameWord } from "../../../cpu/isa/word-names.ts";
import { semihostingAt } from "../../../machine/abi/semihosting.ts";
import { ipaId } from "../../../machine/abi/ids.ts";
import type { DeviceBecause, ExceptionCause, FaultingAccess, StageOneFault } from "../../../model/queries/facts/exception-cause.ts";
import { plainOf } from "../../../inside/symbols/unwind.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { View } from "../readers/inspected.ts";
import { instructionText, readInstruction, readWord } from "../readers/guest/read-symbols.ts";
import { entriesOf } from "../readers/guest/stage1.ts";
import { stage2Cause } from "./stage2-cause.ts";
import { type Walk, walkStage1 } from "./stage1-walk.ts";
import { accessOf, type Taken } from "./taken.ts";

/** The cause of an exception that a vCPU took; undefined where the syndrome says it all. */
export function causeOf(view: View, vcpu: Vcpu, taken: Taken): ExceptionCause | undefined {
  switch (exceptionClass(taken.esr)) {
    case ExceptionClass.Unknown:
    case ExceptionClass.SystemRegister:
      return undefinedCause(view, vcpu, taken);
    case ExceptionClass.FpAccess:
      return { code: "fp-trapped", el: taken.el };
    case ExceptionClass.Brk:
      return { code: "trap-instruction", name: "brk", immediate: taken.esr & 0xffff };
    case ExceptionClass.IllegalState:
      return { code: "illegal-state" };
    case ExceptionClass.SpAlignment:
      return { code: "sp-alignment", sp: hex(spOf(vcpu, taken)) };
    case ExceptionClass.PcAlignment:
      return { code: "pc-alignment", address: hex(taken.far) };
    case ExceptionClass.InstructionAbort:
      if (inVectors(vcpu, taken.elr)) return noVectors(vcpu, taken.elr - vectorsOf(vcpu));
      return abortCause(view, vcpu, taken);
    case ExceptionClass.InstructionAbortLower:
    case ExceptionClass.DataAbort:
    case ExceptionClass.DataAbortLower:
      return abortCause(view, vcpu, taken);
  }
  return undefined;
}

const spOf = ({ registers }: Vcpu, { sp, el }: Taken) => sp ?? registers.getRegister(el ? "SP_EL1" : "SP_EL0");

/** Bytes of a vector table. */
const VECTORS = 0x800n;

const vectorsOf = ({ registers }: Vcpu) => registers.getRegister("VBAR_EL1");

/** Whether an address lies in the vectors of a vCPU. */
export function inVectors(vcpu: Vcpu, address: bigint): boolean {
  const vectors = vectorsOf(vcpu);
  return address >= vectors && address < vectors + VECTORS;
}

/** A vector that cannot be fetched; by default that of an exception from EL1. */
export function noVectors(vcpu: Vcpu, offset: number | bigint = Vector.CurrentSpx): ExceptionCause {
  return { code: "no-vectors", vbar: hex(vectorsOf(vcpu)), offset: hex(offset, 3) };
}

const UDF_MASK = 0xffff_0000;

/** Bytes between SP and code below which a stack that grows down has reached the code. */
const NEAR = 0x1_0000n;
/** The part of a page's words that its image has too; with less, the page belongs to others. */
const KEPT = 1 / 8;

/**
 * The image has another instruction where a vCPU took an exception. Code may be changed on purpose:
 * the change is the cause if the stack has grown to there, or if the word is undefined, and around
 * it is the image. A kernel gives the pages of its first code to others.
 */
function overwritten(view: View, vcpu: Vcpu, taken: Taken, isUndefined: boolean): ExceptionCause | undefined {
  const { elr } = taken, word = readWord(view, vcpu, elr), translation = view.system.symbols.core.questions.inspect(vcpu.registers, elr);
  if (word === undefined || !translation.ok) return undefined;
  const { ipa } = translation, vm = view.vmNameOf(vcpu.addressSpace), loaded = view.system.vms.loadedWord(vm, ipa);
  if (loaded === undefined || loaded === word || decode(loaded) === undefined) return undefined;
  const sp = spOf(vcpu, taken), isStack = sp <= elr && elr - sp < NEAR;
  if (!isStack && !(isUndefined && isOfImage(view, vm, translation))) return undefined;
  return {
    code: "overwritten",
    place: ipaId(vm, ipa),
    loaded: instructionText(loaded, elr),
    word: hex(word, 8),
    stack: isStack ? hex(sp) : null,
  };
}

/** Whether a page of a VM still has much of what its image has there. */
function isOfImage(view: View, vm: string, { pa, ipa }: { readonly pa: number; readonly ipa: number }): boolean {
  const page = new DataView(new ArrayBuffer(PAGE_SIZE)), offset = ipa % PAGE_SIZE;
  view.hypervisor.machine.ram.read(pa - offset, new Uint8Array(page.buffer));
  let loaded = 0, same = 0;
  for (let at = 0; at < PAGE_SIZE; at += 4) {
    const word = view.system.vms.loadedWord(vm, ipa - offset + at);
    if (word === undefined) continue;
    loaded++;
    if (word === page.getUint32(at, true)) same++;
  }
  return same >= loaded * KEPT;
}

function undefinedCause(view: View, vcpu: Vcpu, taken: Taken): ExceptionCause | undefined {
  const { elr, el } = taken, word = readWord(view, vcpu, elr);
  if (word === undefined) return undefined;
  const written = overwritten(view, vcpu, taken, true);
  if (written) return written;
  const nameOf = semihostingAt(word);
  if (nameOf) return { code: "semihosting", operation: operationOf(vcpu, nameOf), el };
  const { cpu } = view.system.symbols.core;
  const { name = "", feature, level = 0, atEl1 } = nameWord(word) ?? {};
  if (level > el) return { code: "above-level", name, needs: level, at: el, instead: atEl1 ?? null };
  if (feature !== undefined && !(cpu.features as ReadonlySet<string>).has(feature)) {
    return { code: "lacks-feature", name, feature, cpu: cpu.name, cpus: cpusWith(feature) };
  }
  const option = feature && optionOf(feature);
  if (option) return { code: "not-offered", name, feature, option };
  return (word & UDF_MASK) === 0 || name === "" ? { code: "not-code", word: hex(word, 8) } : undefined;
}

/** Bytes of a vector. */
const VECTOR = 0x80n;

/** The semihosting operation of a vCPU that has executed nothing since its call. */
function operationOf(vcpu: Vcpu, nameOf: (w0: number) => string): string | null {
  const { registers } = vcpu, untouched = inVectors(vcpu, registers.pc) && (registers.pc - vectorsOf(vcpu)) % VECTOR === 0n;
  return untouched ? nameOf(Number(registers.getX(0) & 0xffff_ffffn)) : null;
}

function abortCause(view: View, vcpu: Vcpu, taken: Taken): ExceptionCause | undefined {
  const written = overwritten(view, vcpu, taken, false);
  if (written) return written;
  const access = accessOf(readWord(view, vcpu, taken.elr), taken), lookAlike = pointerCause(view, vcpu, taken, access);
  if (lookAlike) return lookAlike;
  const status = taken.esr & AbortSyndrome.FscMask;
  if (status === FaultStatus.Alignment) return alignmentCause(view, vcpu, taken, access);
  if (status === FaultStatus.External) return stage2Cause(view, vcpu, taken, access);
  const walk = walkOf(view, vcpu, taken.far);
  const at = walk && "at" in walk ? walk.at : undefined;
  const since = tablesSince(taken, access, walk);
  if (since) return since;
  switch (faultOf(status).kind) {
    case FaultStatus.Translation:
      if (walk && !("at" in walk)) {
        return { code: "outside-of-tables", access, ttbr: walk.ttbr, bits: walk.end === "disabled" ? null : walk.bits };
      }
      return walk?.end === "invalid" ? { code: "no-translation", access, walk: walk.at } : undefined;
    case FaultStatus.AccessFlag:
      return at && { code: "access-flag", access, walk: at };
    case FaultStatus.Permission:
      return walk && "at" in walk ? permissionCause(vcpu, taken, access, walk) : undefined;
    case FaultStatus.AddressSize:
      return { code: isStage1On(vcpu) ? "address-size" : "address-off", access, bits: outputBits(view, vcpu) };
    case FaultStatus.ExternalOnWalk:
      return at && { code: "table-outside", access, walk: at };
  }
  return undefined;
}

/** Kinds of faults that a wrong address alone may cause. */
const OF_ADDRESS: ReadonlySet<number> = new Set([FaultStatus.Translation, FaultStatus.AddressSize]);
/** SCTLR_EL1.EnIA, EnIB, EnDA and EnDB. */
const AUTHENTICATES = 1n << 31n | 1n << 30n | 1n << 27n | 1n << 13n;

/** A pointer that is wrong, whatever the tables have for its address. */
function pointerCause(view: View, vcpu: Vcpu, taken: Taken, access: FaultingAccess): ExceptionCause | undefined {
  const status = taken.esr & AbortSyndrome.FscMask, { far, elr } = taken, { registers } = vcpu;
  const sp = BigInt.asIntN(64, spOf(vcpu, taken)), isNear = (value: bigint) => value > -NEAR && value < NEAR;
  if (isNear(sp) && isNear(BigInt.asIntN(64, far) - sp) && usesSp(view, vcpu, elr)) {
    return { code: "no-stack", access, sp: hex(spOf(vcpu, taken)) };
  }
  if (!OF_ADDRESS.has(faultOf(status).kind) || (registers.getRegister("SCTLR_EL1") & AUTHENTICATES) === 0n) return undefined;
  if (!view.system.symbols.core.cpu.features.has("FEAT_PAuth")) return undefined;
  const pointer = plainOf(vcpu)(far);
  if (pointer === far) return undefined;
  const translation = view.system.symbols.core.questions.inspect(registers, pointer);
  const isThere = translation.ok && vcpu.space.stage2.lookup(translation.ipa) !== undefined;
  return isThere ? { code: "failed-authentication", access, pointer: hex(pointer) } : undefined;
}

/** Whether the instruction at an address accesses memory by SP. */
function usesSp(view: View, vcpu: Vcpu, elr: bigint): boolean {
  return /\[sp\b/.test(readInstruction(view, vcpu, elr) ?? "");
}

const STAGE_ONE_FAULTS: Readonly<Record<number, StageOneFault>> = {
  [FaultStatus.Translation]: "translation",
  [FaultStatus.AccessFlag]: "access-flag",
  [FaultStatus.Permission]: "permission",
};

const ACCESS_FLAG = 1n << 10n;

/** The right that an access needs, as `LeafRights` have it. */
const rightFor = ({ kind }: FaultingAccess) => kind === "instruction fetch" ? "x" : kind === "load" ? "r" : "w";

/** A fault that a walk now does not find at its level: the tables have changed since. */
function tablesSince({ esr, el }: Taken, access: FaultingAccess, walk: Walk | undefined): ExceptionCause | undefined {
  const { kind, level } = faultOf(esr & AbortSyndrome.FscMask), fault = STAGE_ONE_FAULTS[kind];
  if (!fault || !walk || !("at" in walk)) return undefined;
  const isLevel = walk.at.level === level, isLeaf = walk.end === "leaf";
  const wanted = rightFor(access);
  const isRefused = !(el ? walk.rights.el1 : walk.rights.el0).includes(wanted) || walk.rights.user && el === 1;
  const hasFlag = walk.at.descriptor !== null && (BigInt(walk.at.descriptor) & ACCESS_FLAG) !== 0n;
  const isSame = fault === "translation" ? !isLeaf : isLeaf && (fault === "permission" ? isRefused : !hasFlag);
  return isLevel && isSame ? undefined : { code: "tables-since", access, fault, level };
}

const isStage1On = ({ registers }: Vcpu) => (Number(registers.getRegister("SCTLR_EL1")) & Sctlr.M) !== 0;

/** The walk of stage 1 for an address; undefined while stage 1 is off. */
function walkOf(view: View, vcpu: Vcpu, va: bigint): Walk | undefined {
  if (!isStage1On(vcpu)) return undefined;
  const read = entriesOf(vcpu, view.hypervisor.machine.ram);
  return walkStage1(vcpu.registers, va, read, addressSizesOf(view.system.symbols.core.cpu.features));
}

function permissionCause(
  { registers }: Vcpu,
  { el }: Taken,
  access: FaultingAccess,
  { at, rights }: Extract<Walk, { at: unknown }>,
): ExceptionCause {
  const allowed = el ? rights.el1 : rights.el0;
  const wanted = rightFor(access);
  // The handler runs with PAN as SPAN says: the tables alone would have allowed it.
  const pan = el === 1 && rights.user && wanted !== "x" && allowed.includes(wanted) &&
    (registers.pstate & Pstate.PAN || Number(registers.getRegister("SPSR_EL1")) & Pstate.PAN) !== 0;
  return { code: "no-permission", access, walk: at, el, rights: allowed, pan };
}

const IPS_SHIFT = 32n, IPS_BITS = [32, 36, 40, 42, 44, 48, 52];
/** Bits of an output address of stage 1: at most those that EL2 gives its VMs. */
function outputBits({ hypervisor }: View, vcpu: Vcpu): number {
  if (!isStage1On(vcpu)) return 48;
  const asked = IPS_BITS[Number(vcpu.registers.getRegister("TCR_EL1") >> IPS_SHIFT & 7n)] ?? Infinity;
  return Math.min(asked, Math.log2(hypervisor.addressSpaceSize));
}

const DEVICE_ATTRIBUTE = 0xf0n;

function alignmentCause(view: View, vcpu: Vcpu, taken: Taken, access: FaultingAccess): ExceptionCause {
  const because = deviceBecause(view, vcpu, taken.far);
  if (because !== undefined) return { code: "device-alignment", access, because };
  const checked = (Number(vcpu.registers.getRegister("SCTLR_EL1")) & Sctlr.A) !== 0;
  return { code: checked ? "alignment-checked" : "ordered-alignment", access };
}

/** Why data at an address is Device memory; undefined if it is Normal. */
export function deviceBecause(view: View, vcpu: Vcpu, va: bigint): DeviceBecause | undefined {
  const { registers } = vcpu;
  const walk = walkOf(view, vcpu, va);
  if (!walk && !registers.defaultCacheable) return "stage-1-off";
  if (walk?.end === "leaf") {
    const attribute = registers.getRegister("MAIR_EL1") >> BigInt(8 * walk.rights.attributes);
    if ((attribute & DEVICE_ATTRIBUTE) === 0n) return "mair";
  }
  const translation = view.system.symbols.core.questions.inspect(registers, va);
  const page = vcpu.space.stage2.lookup(translation.ipa);
  return page && page.flags & Stage2Flags.Device ? "stage-2" : undefined;
}
