// Whether tables of stage 1 map an address as soon as TCR_EL1 has another size of pages or of
// addresses for their half: then they were made for that. Arm ARM D19.2.139.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import { type Features, isInUpperHalf, rightFor, walkOf } from "./stage1-walk.ts";
import { turnedOn } from "./turned-on.ts";
import { vectorsOf } from "./vectors.ts";

/** Pages that a CPU may lack, by the feature, and their values of TG0 and TG1. */
const PAGES = [
  { text: "pages of 4 KiB", feature: undefined, TG0: 0n, TG1: 2n },
  { text: "pages of 16 KiB", feature: "FEAT_TGran16K", TG0: 2n, TG1: 1n },
  { text: "pages of 64 KiB", feature: "FEAT_TGran64K", TG0: 1n, TG1: 3n },
] as const;
/** Values of TnSZ: tables of pages of 4, 16 and 64 KiB for them begin at different levels. */
const SIZES = [16n, 17n, 22n, 25n, 28n, 34n] as const;

/** Fields of TCR_EL1 for a half: their names, places and masks. */
const LOWER = { TG: "TG0", tgShift: 14n, SZ: "T0SZ", szShift: 0n } as const;
const UPPER = { TG: "TG1", tgShift: 30n, SZ: "T1SZ", szShift: 16n } as const;
const TG_MASK = 3n, SZ_MASK = 0x3fn;

/** Another value of a field of TCR_EL1, or the one that it has, which the CPU lacks. */
interface OtherForm {
  readonly field: (typeof LOWER | typeof UPPER)["TG" | "SZ"];
  readonly has: string;
  readonly wants: string;
  readonly tcr: bigint;
  /** With those that the CPU lacks. */
  readonly features: Features;
  readonly lacking?: true;
}

function otherForms(tcr: bigint, features: Features, { TG, tgShift, SZ, szShift }: typeof LOWER | typeof UPPER): OtherForm[] {
  const pages = PAGES.find((one) => one[TG] === (tcr >> tgShift & TG_MASK)), size = tcr >> szShift & SZ_MASK;
  const has = pages?.text ?? "pages of no size", lacks = pages?.feature, bits = (value: bigint) => `${64n - value} bits`;
  const withField = (shift: bigint, mask: bigint, value: bigint) => tcr & ~(mask << shift) | value << shift;
  return [
    ...lacks !== undefined && !features.has(lacks)
      ? [{ field: TG, has, wants: has, tcr, features: new Set([...features, lacks]), lacking: true as const }]
      : [],
    ...PAGES.filter((one) => one !== pages).map((one) => ({
      field: TG,
      has,
      wants: one.text,
      tcr: withField(tgShift, TG_MASK, one[TG]),
      features,
    })),
    ...SIZES.filter((value) => value !== size).map((value) => ({
      field: SZ,
      has: bits(size),
      wants: bits(value),
      tcr: withField(szShift, SZ_MASK, value),
      features,
    })),
  ];
}

const GENERAL_REGISTERS = 31;

/** Whether tables lead from an address to memory of the VM. */
function leadsToMemory(view: View, vcpu: Vcpu, address: bigint): boolean {
  const walk = walkOf(view, vcpu, address);
  return walk?.end === "leaf" && vcpu.space.stage2.lookup(walk.output) !== undefined;
}

/** Whether a vCPU has an address in use from which the tables of a half lead to memory. */
function isHalfUsed({ view, vcpu, taken: { elr } }: Suspect, upper: boolean): boolean {
  const { registers } = vcpu, general = Array.from({ length: GENERAL_REGISTERS }, (_, number) => registers.getX(number));
  const pointers = [vectorsOf(vcpu), elr, registers.getRegister("SP_EL0"), registers.getRegister("SP_EL1"), ...general];
  return pointers.some((one) => isInUpperHalf(one) === upper && leadsToMemory(view, vcpu, one));
}

/**
 * Whether nothing shows that the tables of an address's half are read as they were made. Code runs
 * in the lower half, unless its vectors are in the upper one.
 */
function isUnproven(suspect: Suspect): boolean {
  const { view, vcpu, taken: { far } } = suspect, upper = isInUpperHalf(far), vectors = vectorsOf(vcpu);
  return (upper || isInUpperHalf(vectors) && leadsToMemory(view, vcpu, vectors)) && !isHalfUsed(suspect, upper);
}

export const TABLE_FORM_RULE = causeRule({
  codes: ["tables-of-other-form"],
  asks: "do the tables map it with another TGn or TnSZ, and has nothing used them since stage 1 is on?",
  judge(suspect) {
    const { view, vcpu, taken: { far }, access } = suspect, isTurnedOn = turnedOn(suspect) !== undefined;
    if (!isTurnedOn && !isUnproven(suspect)) return undefined;
    const { cpu } = view.system.symbols.core, tcr = vcpu.registers.getRegister("TCR_EL1"), wanted = rightFor(access);
    for (const { field, has, wants, lacking, ...form } of otherForms(tcr, cpu.features, isInUpperHalf(far) ? UPPER : LOWER)) {
      const walk = walkOf(view, vcpu, far, form.tcr, form.features);
      if (walk?.end !== "leaf" || !(suspect.taken.el ? walk.rights.el1 : walk.rights.el0).includes(wanted)) continue;
      // Code that turns stage 1 on continues at its own address.
      if (isTurnedOn ? walk.output !== Number(far) : !vcpu.space.stage2.lookup(walk.output)) continue;
      return { code: "tables-of-other-form", address: hex(far), ttbr: walk.at.ttbr, field, has, wants, cpu: lacking ? cpu.name : null };
    }
    return undefined;
  },
});
