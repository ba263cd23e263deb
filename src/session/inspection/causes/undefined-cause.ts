// Why a word is not an instruction for a vCPU: what Arm calls it, what its image had there, and how
// the program came there. Arm ARM C4.1.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { type DataForm, dataFormOf, FORM_BYTES } from "../../../model/queries/facts/data-form.ts";
import { decode } from "../../../cpu/isa/decode.ts";
import { cpusWith } from "../../../cpu/isa/cpus/cpus.ts";
import { optionOf } from "../../../cpu/isa/cpus/features.ts";
import { nameWord } from "../../../cpu/isa/word-names.ts";
import { semihostingAt } from "../../../machine/abi/semihosting.ts";
import { ipaId } from "../../../machine/abi/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { instructionText, readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";
import { branchedBy } from "./branched.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import { isVector, spOf, vectorsOf } from "./vectors.ts";

/** Bytes between SP and code below which a stack that grows down has reached the code. */
const NEAR = 0x1_0000n;
/** The part of a page's words that its image has too; with less, the page belongs to others. */
const KEPT = 1 / 8;

/**
 * The image has another instruction where a vCPU took an exception. Code may be changed on purpose:
 * the change is the cause if the stack has grown to there, or if the word is undefined, and around
 * it is the image. A kernel gives the pages of its first code to others.
 */
const overwritten = (isUndefined: boolean) =>
  causeRule({
    codes: ["overwritten"],
    asks: "has its image another instruction there?",
    judge({ view, vcpu, taken, word }) {
      const { elr } = taken;
      const translation = view.system.symbols.core.questions.inspect(vcpu.registers, elr);
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
    },
  });

/** The stack has grown over the code. */
export const OVERGROWN_RULE = overwritten(false);

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

/** The semihosting operation of a vCPU that has executed nothing since its call. */
function operationOf(vcpu: Vcpu, nameOf: (w0: number) => string): string | null {
  const { registers } = vcpu;
  return isVector(vcpu, registers.pc) ? nameOf(Number(registers.getX(0) & 0xffff_ffffn)) : null;
}

/** Branches that do not come back: B, and BR, RET, ERET and their like, all but BLR. */
const leaves = (word: number): boolean =>
  (word & 0xfc00_0000) >>> 0 === 0x1400_0000 || (word & 0xfe00_0000) >>> 0 === 0xd600_0000 && (word & 0x0060_0000) >>> 0 !== 0x0020_0000;

/** MSR and MRS of a register: op0 is 2 or 3. */
const MOVE_MASK = 0xffd0_0000, MOVE = 0xd510_0000;
/** CRn of registers that a make of CPUs defines (C5.1.3). */
const OF_MAKE: ReadonlySet<number> = new Set([11, 15]);

/** The register of an MSR or MRS, by its encoding, and whether a make of CPUs may have it. */
function registerOf(word: number | undefined): { readonly register: string; readonly ofMake: boolean } | undefined {
  if (word === undefined || (word & MOVE_MASK) >>> 0 !== MOVE) return undefined;
  const [op0, op1, CRn, CRm, op2] = [word >>> 19 & 3, word >>> 16 & 7, word >>> 12 & 15, word >>> 8 & 15, word >>> 5 & 7];
  return { register: `S${op0}_${op1}_C${CRn}_C${CRm}_${op2}`, ofMake: op0 === 3 && OF_MAKE.has(CRn) };
}

/** Reads of registers of a group of interrupts. */
const OF_GROUP = /^mrs x\w+, (icc_(?:iar|hppir|bpr|ap)([01])(?:r0)?_el1)$/;

const UDF_MASK = 0xffff_0000;

const namedAt = ({ word }: Suspect) => word === undefined ? undefined : nameWord(word);

/** A word that nobody calls an instruction. */
function nameless({ word }: Suspect): string | undefined {
  return word !== undefined && ((word & UDF_MASK) === 0 || (nameWord(word)?.name ?? "") === "") ? hex(word, 8) : undefined;
}

/** Words without a name in A64, of those that tell a form, in code of AArch32. */
const NAMELESS_LEAST = 2;

/** The form of the data at an address; undefined for code, and for data that is not known. */
function formAt({ view, vcpu, taken: { elr } }: Suspect): DataForm | undefined {
  const bytes = new DataView(new ArrayBuffer(FORM_BYTES));
  let nameless = 0;
  for (let at = 0; at < FORM_BYTES; at += 4) {
    const word = readWord(view, vcpu, elr + BigInt(at)) ?? 0;
    bytes.setUint32(at, word, true);
    if (decode(word) === undefined && (nameWord(word)?.name ?? "") === "") nameless++;
  }
  const form = dataFormOf(new Uint8Array(bytes.buffer));
  // Stores of SVE, too, have 0xe in their upper bits.
  return form === "aarch32" && nameless < NAMELESS_LEAST ? undefined : form;
}

export const UNDEFINED_RULES = [
  overwritten(true),
  causeRule({
    codes: ["not-code"],
    asks: "does a file of a known form begin there, or is it AArch32 code?",
    judge(suspect) {
      const { view, vcpu, taken: { elr }, word } = suspect, form = formAt(suspect);
      if (form === undefined || word === undefined) return undefined;
      return { code: "not-code", word: hex(word, 8), after: null, by: branchedBy(view, vcpu, elr), form };
    },
  }),
  causeRule({
    codes: ["semihosting"],
    asks: "is it HLT #0xF000?",
    judge({ vcpu, taken: { el }, word }) {
      const nameOf = word === undefined ? undefined : semihostingAt(word);
      return nameOf && { code: "semihosting", operation: operationOf(vcpu, nameOf), el };
    },
  }),
  causeRule({
    codes: ["above-level"],
    asks: "does it belong to a higher exception level?",
    judge(suspect) {
      const { name = "", level = 0, atEl1 } = namedAt(suspect) ?? {}, { el } = suspect.taken;
      if (name === "" && registerOf(suspect.word)?.ofMake) return undefined;
      return level > el ? { code: "above-level", name, needs: level, at: el, instead: atEl1 ?? null } : undefined;
    },
  }),
  causeRule({
    codes: ["not-a-register"],
    asks: "is it MSR or MRS, and the register one that Arm has not named?",
    judge(suspect) {
      const { kind, name } = namedAt(suspect) ?? {}, register = registerOf(suspect.word);
      return register && (kind !== "register" || name === "") ? { code: "not-a-register", ...register } : undefined;
    },
  }),
  causeRule({
    codes: ["group-off"],
    asks: "is it a read of the GIC's CPU interface, of a group that is off?",
    judge({ vcpu: { gic }, taken: { elr }, word }) {
      const [, name, digit] = word === undefined ? [] : OF_GROUP.exec(instructionText(word, elr)) ?? [];
      const group = digit === "0" ? 0 : 1;
      if (digit === undefined || gic.enablesGroup(group)) return undefined;
      return { code: "group-off", name: name.toUpperCase(), group, other: gic.enablesGroup(1 - group) };
    },
  }),
  causeRule({
    codes: ["lacks-feature", "not-offered"],
    asks: "does it belong to a feature that the CPU lacks, or that is hidden?",
    judge(suspect) {
      const { name = "", feature } = namedAt(suspect) ?? {}, { cpu } = suspect.view.system.symbols.core;
      if (feature === undefined) return undefined;
      if (!(cpu.features as ReadonlySet<string>).has(feature)) {
        return { code: "lacks-feature", name, feature, cpu: cpu.name, cpus: cpusWith(feature) };
      }
      const option = optionOf(feature);
      return option ? { code: "not-offered", name, feature, option } : undefined;
    },
  }),
  causeRule({
    codes: ["empty-vector"],
    asks: "is it the first word of a vector, to which nothing branched?",
    judge(suspect) {
      const { view, vcpu, taken: { elr } } = suspect, word = nameless(suspect);
      if (word === undefined || !isVector(vcpu, elr)) return undefined;
      const by = branchedBy(view, vcpu, elr), vbar = vectorsOf(vcpu);
      // A handler that returns to the vector retries it; without a table, ELR_EL1 was never set.
      if (by && (by.how !== "exception-return" || vbar === 0n)) return undefined;
      return { code: "empty-vector", word, vector: { vbar: hex(vbar), offset: hex(elr - vbar, 3) } };
    },
  }),
  causeRule({
    codes: ["not-code"],
    asks: "does the instruction before it lead there, or what set PC?",
    judge(suspect) {
      const { view, vcpu, taken: { elr } } = suspect, word = nameless(suspect);
      if (word === undefined) return undefined;
      const by = branchedBy(view, vcpu, elr), isKnown = by !== null && by.how !== "return";
      const before = isKnown ? undefined : readWord(view, vcpu, elr - 4n);
      const isAfter = before !== undefined && (before & UDF_MASK) !== 0 && decode(before) !== undefined && !leaves(before);
      return isAfter
        ? { code: "not-code", word, after: instructionText(before, elr - 4n), by: null, form: null }
        : { code: "not-code", word, after: null, by, form: null };
    },
  }),
];
