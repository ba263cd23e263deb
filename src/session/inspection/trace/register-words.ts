// Values of registers in words: PSTATE and SPSR_EL1 (Arm ARM C5.2), ESR_EL1 (syndromes.ts), the
// switches of SCTLR_EL1, and address size and page sizes of ID_AA64MMFR0_EL1.

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

/** The words of a register's value, by its name in any case; undefined if it has none. */
export function registerWords(name: string, value: bigint): string | undefined {
  switch (name.toUpperCase()) {
    case "PSTATE":
    case "SPSR_EL1":
      return pstateParts(Number(value & 0xffff_ffffn)).join(" ");
    case "ESR_EL1":
      return value === 0n ? undefined : syndromeText(Number(value & 0xffff_ffffn));
    case "SCTLR_EL1":
      return sctlrText(value);
    case "ID_AA64MMFR0_EL1":
      return mmfr0Text(value);
    default:
      return undefined;
  }
}
