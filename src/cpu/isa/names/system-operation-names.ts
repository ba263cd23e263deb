// Names of the operands of SYS: cache and TLB maintenance, address translation (Arm ARM C5.3 to
// C5.5). TLBI forms for Inner and Outer Shareable (IS, OS) and ranges (R) have a CRm each.

import { once } from "../../../kit/support/values/once.ts";

/** Lines of "op1.CRn.CRm: name op2, ...". */
const NAMES = `
0.7.1: ic_ialluis 0
0.7.5: ic_iallu 0
0.7.6: dc_ivac 1, dc_isw 2, dc_igvac 3, dc_igsw 4, dc_igdvac 5, dc_igdsw 6
0.7.8: at_s1e1r 0, at_s1e1w 1, at_s1e0r 2, at_s1e0w 3
0.7.9: at_s1e1rp 0, at_s1e1wp 1
0.7.10: dc_csw 2, dc_cgsw 4, dc_cgdsw 6
0.7.14: dc_cisw 2, dc_cigsw 4, dc_cigdsw 6
3.7.3: cfp_rctx 4, dvp_rctx 5, cpp_rctx 7
3.7.4: dc_zva 1, dc_gva 3, dc_gzva 4
3.7.5: ic_ivau 1
3.7.10: dc_cvac 1, dc_cgvac 3, dc_cgdvac 5
3.7.11: dc_cvau 1
3.7.12: dc_cvap 1, dc_cgvap 3, dc_cgdvap 5
3.7.13: dc_cvadp 1, dc_cgvadp 3, dc_cgdvadp 5
3.7.14: dc_civac 1, dc_cigvac 3, dc_cigdvac 5
4.7.8: at_s1e2r 0, at_s1e2w 1, at_s12e1r 4, at_s12e1w 5, at_s12e0r 6, at_s12e0w 7
4.8.0: tlbi_ipas2e1is 1, tlbi_ripas2e1is 2, tlbi_ipas2le1is 5, tlbi_ripas2le1is 6
4.8.4: tlbi_ipas2e1os 0, tlbi_ipas2e1 1, tlbi_ripas2e1 2, tlbi_ripas2e1os 3, tlbi_ipas2le1os 4, tlbi_ipas2le1 5, tlbi_ripas2le1 6,
  tlbi_ripas2le1os 7
6.7.8: at_s1e3r 0, at_s1e3w 1
6.7.14: dc_cipapa 1, dc_cigdpapa 5
`;

/** CRm of the forms of TLBI by VA, by ASID and of all. */
const TLBI_FORMS = { "": 7, is: 3, os: 1 } as const;
/** CRm of those of a range. */
const TLBI_RANGES = { "": 6, is: 2, os: 5 } as const;
/** Operations by op1 and op2; those that begin with `va` have a form for a range. */
const TLBI: Readonly<Record<number, readonly (readonly [name: string, op2: number])[]>> = {
  0: [["vmalle1", 0], ["vae1", 1], ["aside1", 2], ["vaae1", 3], ["vale1", 5], ["vaale1", 7]],
  4: [["alle2", 0], ["vae2", 1], ["alle1", 4], ["vale2", 5], ["vmalls12e1", 6]],
  6: [["alle3", 0], ["vae3", 1], ["vale3", 5]],
};

const names = once((): ReadonlyMap<number, string> => {
  const names = new Map<number, string>();
  for (const line of NAMES.trim().replace(/\n +/g, " ").split("\n")) {
    const [place, list] = line.split(": ");
    const [op1, CRn, CRm] = place.split(".").map(Number);
    for (const entry of list.split(", ")) {
      const [name, op2] = entry.split(" ");
      names.set(operationNumber(op1, CRn, CRm, Number(op2)), name.replace("_", "\t"));
    }
  }
  for (const [op1, operations] of Object.entries(TLBI)) {
    for (const [name, op2] of operations) {
      for (const [form, CRm] of Object.entries(TLBI_FORMS)) names.set(operationNumber(Number(op1), 8, CRm, op2), `tlbi\t${name}${form}`);
      if (!name.startsWith("va")) continue;
      for (const [form, CRm] of Object.entries(TLBI_RANGES)) names.set(operationNumber(Number(op1), 8, CRm, op2), `tlbi\tr${name}${form}`);
    }
  }
  return names;
});

/** An operation as one number: op1:CRn:CRm:op2, 14 bits. */
export function operationNumber(op1: number, CRn: number, CRm: number, op2: number): number {
  return op1 << 11 | CRn << 7 | CRm << 3 | op2;
}

/** `tlbi`, a tab, `vmalle1`; undefined for an operation without a name. */
export const operationName = (number: number): string | undefined => names().get(number);
