// Values of registers in words: PSTATE and SPSR_ELx (Arm ARM C5.2), ESR_ELx (syndromes.ts), the
// switches of SCTLR_ELx, the bits of HCR_EL2, VMID and tables of VTTBR_EL2, list registers, and
// address size and page sizes of ID_AA64MMFR0_EL1.

import { Hcr, listedIrq } from "../../../cpu/core/interface.ts";
import { baseOf, vmidOf } from "../../../kit/formats/stage2-tables.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { syndromeText } from "./syndromes.ts";

/** Flags of PSTATE from bit 31 down, and its masks from bit 9 down. */
const FLAGS = "nzcv", MASKS = "daif";

/** `nZCv`, `EL1h`, `dAIF`: flags that are set and exceptions that are masked are capitals. */
export function pstateParts(pstate: number): readonly [flags: string, level: string, masks: string] {
  const letters = (text: string, highest: number) =>
    [...text].map((letter, index) => pstate >>> highest - index & 1 ? letter.toUpperCase() : letter).join("");
  const level = pstate >>> 2 & 3;
  return [letters(FLAGS, 31), `EL${level}${level ? pstate & 1 ? "h" : "t" : ""}`, letters(MASKS, 9)];
}

/** The switches of SCTLR_EL1 that decide how memory is accessed. */
function sctlrText(value: bigint): string {
  const on = (bit: number) => value >> BigInt(bit) & 1n ? "on" : "off";
  return `MMU ${on(0)}, data cache ${on(2)}, instruction cache ${on(12)}, alignment check ${on(1)}`;
}

/** PARange by its value. */
const ADDRESS_BITS = [32, 36, 40, 42, 44, 48, 52];

/** Granules and address size that the CPU has. */
function mmfr0Text(value: bigint): string {
  const field = (bit: number) => Number(value >> BigInt(bit) & 15n);
  const granules = [
    ...field(28) === 15 ? [] : ["4 KiB"],
    ...field(20) === 0 ? [] : ["16 KiB"],
    ...field(24) === 15 ? [] : ["64 KiB"],
  ];
  return `${ADDRESS_BITS[field(0)] ?? "?"}-bit physical addresses, pages of ${granules.join(", ")}`;
}

/** HCR_EL2: the names of the bits that are set. */
const hcrText = (value: bigint): string =>
  Object.entries(Hcr).filter(([, bits]) => (value & bits) === bits).map(([name]) => name).join(" ") || "nothing is set";

const vttbrText = (value: bigint): string => `VMID ${vmidOf(value)}, tables at ${hex(baseOf(value))}`;

/** ICH_LR<n>_EL2: the interrupt and its state; undefined for one that is free. */
function listRegisterText(value: bigint): string | undefined {
  const irq = listedIrq(value);
  if (!irq) return undefined;
  const { intid, pending, active, group, priority, physical } = irq;
  const states = [...pending ? ["pending"] : [], ...active ? ["active"] : []].join(" and ");
  const of = physical === undefined ? "" : `, of physical interrupt ${physical}`;
  return `INTID ${intid} ${states}, group ${group}, priority ${hex(priority, 2)}${of}`;
}

const LIST_REGISTER = /^ICH_LR\d+_EL2$/;

/** The words of a register's value, by its name in any case; undefined if it has none. */
export function registerWords(name: string, value: bigint): string | undefined {
  const register = name.toUpperCase();
  if (LIST_REGISTER.test(register)) return listRegisterText(value);
  switch (register) {
    case "PSTATE":
    case "SPSR_EL1":
    case "SPSR_EL2":
      return pstateParts(Number(value & 0xffff_ffffn)).join(" ");
    case "ESR_EL1":
    case "ESR_EL2":
      return value === 0n ? undefined : syndromeText(Number(value & 0xffff_ffffn), register === "ESR_EL2" ? 2 : 1);
    case "SCTLR_EL1":
    case "SCTLR_EL2":
      return sctlrText(value);
    case "HCR_EL2":
      return hcrText(value);
    case "VTTBR_EL2":
      return value === 0n ? undefined : vttbrText(value);
    case "ID_AA64MMFR0_EL1":
      return mmfr0Text(value);
    default:
      return undefined;
  }
}
