// System registers of features that this CPU does not have. A disassembler gives them generic
// names; a reader of an undefined instruction needs the feature (Arm ARM D24, DDI 0616).

/** Generic name to architectural name and feature. */
const ABSENT: ReadonlyMap<string, readonly [name: string, feature: string]> = new Map([
  ["s3_0_c1_c2_0", ["ZCR_EL1", "SVE"]],
  ["s3_0_c1_c2_4", ["SMPRI_EL1", "SME"]],
  ["s3_0_c1_c2_6", ["SMCR_EL1", "SME"]],
  ["s3_1_c0_c0_6", ["SMIDR_EL1", "SME"]],
  ["s3_3_c4_c2_2", ["SVCR", "SME"]],
  ["s3_3_c13_c0_5", ["TPIDR2_EL0", "SME"]],
  ["s3_0_c1_c0_5", ["RGSR_EL1", "MTE"]],
  ["s3_0_c1_c0_6", ["GCR_EL1", "MTE"]],
  ["s3_0_c5_c6_0", ["TFSR_EL1", "MTE"]],
  ["s3_0_c2_c1_0", ["APIAKeyLo_EL1", "PAuth"]],
  ["s3_0_c2_c1_1", ["APIAKeyHi_EL1", "PAuth"]],
  ["s3_3_c2_c4_0", ["RNDR", "RNG"]],
  ["s3_3_c2_c4_1", ["RNDRRS", "RNG"]],
]);
const GENERIC_NAME = /\bs3_\d_c\d+_c\d+_\d\b/i;

/**
 * The feature that an undefined instruction needs, as `SMPRI_EL1 is a register of SME, which
 * the CPU does not have`; empty if nothing is known.
 * @param text the instruction, disassembled
 */
export function missingFeature(text: string): string {
  const found = ABSENT.get(GENERIC_NAME.exec(text)?.[0].toLowerCase() ?? "");
  return found === undefined ? "" : `${found[0]} is a register of ${found[1]}, which the CPU does not have`;
}
