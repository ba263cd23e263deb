// Assembly text of instruction words, as `objdump -d -M no-aliases` prints it.

import { decode } from "./decode.ts";
import { fieldValues } from "./notation/insn.ts";
import { nameWord } from "./word-names.ts";

/**
 * The text of a word at an address: mnemonic, a tab, operands; branch targets are addresses.
 * Words that the table does not know print as `.inst` with their value, and the name and feature
 * that Arm gives them.
 *
 * ```ts
 * import { disassemble } from "@el2/el2";
 *
 * console.log(disassemble(0x94000002, 0x4000_0000n)); // bl 0x40000008
 * ```
 */
export function disassemble(word: number, address: bigint): string {
  const encoding = decode(word);
  if (!encoding) return `.inst\t0x${(word >>> 0).toString(16).padStart(8, "0")} ; ${nameText(word)}`;
  return encoding.instruction.assembly(fieldValues(encoding.instruction, word), address);
}

/** `cntw (FEAT_SVE)`. */
function nameText(word: number): string {
  const { name, feature } = nameWord(word) ?? {};
  return feature === undefined ? "undefined" : `${name || "undefined"} (${feature})`;
}
