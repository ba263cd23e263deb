// Names of the system registers of Armv8-A, for assembly text and reasons. Arm ARM D12.
// The core's implementation is in cpu/core/registers/system-registers.ts.

import { once } from "../../../kit/support/values/once.ts";

/** Lines of "op0.op1.CRn: name CRm.op2, ...", continued by indentation. */
const NAMES = `
2.0.0: osdtrrx_el1 0.2, mdccint_el1 2.0, mdscr_el1 2.2, osdtrtx_el1 3.2, oseccr_el1 6.2
2.0.1: mdrar_el1 0.0, oslar_el1 0.4, oslsr_el1 1.4, osdlr_el1 3.4, dbgprcr_el1 4.4
2.0.7: dbgclaimset_el1 8.6, dbgclaimclr_el1 9.6, dbgauthstatus_el1 14.6
2.3.0: mdccsr_el0 1.0
3.0.0: midr_el1 0.0, mpidr_el1 0.5, revidr_el1 0.6, id_pfr0_el1 1.0, id_pfr1_el1 1.1, id_dfr0_el1 1.2, id_afr0_el1 1.3, id_mmfr0_el1
  1.4, id_mmfr1_el1 1.5, id_mmfr2_el1 1.6, id_mmfr3_el1 1.7, id_isar0_el1 2.0, id_isar1_el1 2.1, id_isar2_el1 2.2, id_isar3_el1 2.3,
  id_isar4_el1 2.4, id_isar5_el1 2.5, id_mmfr4_el1 2.6, id_isar6_el1 2.7, mvfr0_el1 3.0, mvfr1_el1 3.1, mvfr2_el1 3.2, id_pfr2_el1 3.4,
  id_dfr1_el1 3.5, id_mmfr5_el1 3.6, id_aa64pfr0_el1 4.0, id_aa64pfr1_el1 4.1, id_aa64zfr0_el1 4.4, id_aa64smfr0_el1 4.5,
  id_aa64dfr0_el1 5.0, id_aa64dfr1_el1 5.1, id_aa64afr0_el1 5.4, id_aa64afr1_el1 5.5, id_aa64isar0_el1 6.0, id_aa64isar1_el1 6.1,
  id_aa64isar2_el1 6.2, id_aa64mmfr0_el1 7.0, id_aa64mmfr1_el1 7.1, id_aa64mmfr2_el1 7.2
3.0.1: sctlr_el1 0.0, actlr_el1 0.1, cpacr_el1 0.2, rgsr_el1 0.5, gcr_el1 0.6, zcr_el1 2.0, trfcr_el1 2.1, smpri_el1 2.4, smcr_el1 2.6
3.0.2: ttbr0_el1 0.0, ttbr1_el1 0.1, tcr_el1 0.2, apiakeylo_el1 1.0, apiakeyhi_el1 1.1, apibkeylo_el1 1.2, apibkeyhi_el1 1.3,
  apdakeylo_el1 2.0, apdakeyhi_el1 2.1, apdbkeylo_el1 2.2, apdbkeyhi_el1 2.3, apgakeylo_el1 3.0, apgakeyhi_el1 3.1
3.0.4: spsr_el1 0.0, elr_el1 0.1, sp_el0 1.0, spsel 2.0, currentel 2.2, pan 2.3, uao 2.4, allint 3.0, icc_pmr_el1 6.0
3.0.5: afsr0_el1 1.0, afsr1_el1 1.1, esr_el1 2.0, erridr_el1 3.0, errselr_el1 3.1, erxfr_el1 4.0, erxctlr_el1 4.1, erxstatus_el1 4.2,
  erxaddr_el1 4.3, erxpfgf_el1 4.4, erxpfgctl_el1 4.5, erxpfgcdn_el1 4.6, erxmisc0_el1 5.0, erxmisc1_el1 5.1, erxmisc2_el1 5.2,
  erxmisc3_el1 5.3, tfsr_el1 6.0, tfsre0_el1 6.1
3.0.6: far_el1 0.0
3.0.7: par_el1 4.0
3.0.9: pmscr_el1 9.0, pmsnevfr_el1 9.1, pmsicr_el1 9.2, pmsirr_el1 9.3, pmsfcr_el1 9.4, pmsevfr_el1 9.5, pmslatfr_el1 9.6, pmsidr_el1 9.7,
  pmblimitr_el1 10.0, pmbptr_el1 10.1, pmbsr_el1 10.3, pmbidr_el1 10.7, trblimitr_el1 11.0, trbptr_el1 11.1, trbbaser_el1 11.2, trbsr_el1
  11.3, trbmar_el1 11.4, trbtrg_el1 11.6, trbidr_el1 11.7, pmintenset_el1 14.1, pmintenclr_el1 14.2, pmmir_el1 14.6
3.0.10: mair_el1 2.0, amair_el1 3.0, lorsa_el1 4.0, lorea_el1 4.1, lorn_el1 4.2, lorc_el1 4.3, mpamidr_el1 4.4, lorid_el1 4.7, mpam1_el1
  5.0, mpam0_el1 5.1, mpamsm_el1 5.3
3.0.12: vbar_el1 0.0, rvbar_el1 0.1, rmr_el1 0.2, isr_el1 1.0, disr_el1 1.1, icc_iar0_el1 8.0, icc_eoir0_el1 8.1, icc_hppir0_el1 8.2,
  icc_bpr0_el1 8.3, icc_ap0r0_el1 8.4, icc_ap0r1_el1 8.5, icc_ap0r2_el1 8.6, icc_ap0r3_el1 8.7, icc_ap1r0_el1 9.0, icc_ap1r1_el1 9.1,
  icc_ap1r2_el1 9.2, icc_ap1r3_el1 9.3, icc_nmiar1_el1 9.5, icc_dir_el1 11.1, icc_rpr_el1 11.3, icc_sgi1r_el1 11.5, icc_asgi1r_el1 11.6,
  icc_sgi0r_el1 11.7, icc_iar1_el1 12.0, icc_eoir1_el1 12.1, icc_hppir1_el1 12.2, icc_bpr1_el1 12.3, icc_ctlr_el1 12.4, icc_sre_el1 12.5,
  icc_igrpen0_el1 12.6, icc_igrpen1_el1 12.7
3.0.13: contextidr_el1 0.1, tpidr_el1 0.4, accdata_el1 0.5, scxtnum_el1 0.7
3.0.14: cntkctl_el1 1.0
3.1.0: ccsidr_el1 0.0, clidr_el1 0.1, ccsidr2_el1 0.2, gmid_el1 0.4, smidr_el1 0.6, aidr_el1 0.7
3.2.0: csselr_el1 0.0
3.3.0: ctr_el0 0.1, dczid_el0 0.7
3.3.2: rndr 4.0, rndrrs 4.1
3.3.4: nzcv 2.0, daif 2.1, svcr 2.2, dit 2.5, ssbs 2.6, tco 2.7, fpcr 4.0, fpsr 4.1, dspsr_el0 5.0, dlr_el0 5.1
3.3.9: pmcr_el0 12.0, pmcntenset_el0 12.1, pmcntenclr_el0 12.2, pmovsclr_el0 12.3, pmswinc_el0 12.4, pmselr_el0 12.5, pmceid0_el0 12.6,
  pmceid1_el0 12.7, pmccntr_el0 13.0, pmxevtyper_el0 13.1, pmxevcntr_el0 13.2, pmuserenr_el0 14.0, pmovsset_el0 14.3
3.3.13: tpidr_el0 0.2, tpidrro_el0 0.3, tpidr2_el0 0.5, scxtnum_el0 0.7
3.3.14: cntfrq_el0 0.0, cntpct_el0 0.1, cntvct_el0 0.2, cntpctss_el0 0.5, cntvctss_el0 0.6, cntp_tval_el0 2.0, cntp_ctl_el0 2.1,
  cntp_cval_el0 2.2, cntv_tval_el0 3.0, cntv_ctl_el0 3.1, cntv_cval_el0 3.2, pmccfiltr_el0 15.7
3.4.0: vpidr_el2 0.0, vmpidr_el2 0.5
3.4.1: sctlr_el2 0.0, actlr_el2 0.1, hcr_el2 1.0, mdcr_el2 1.1, cptr_el2 1.2, hstr_el2 1.3, hfgrtr_el2 1.4, hfgwtr_el2 1.5, hfgitr_el2
  1.6, hacr_el2 1.7, zcr_el2 2.0, trfcr_el2 2.1, hcrx_el2 2.2, smprimap_el2 2.5, smcr_el2 2.6
3.4.2: ttbr0_el2 0.0, ttbr1_el2 0.1, tcr_el2 0.2, vttbr_el2 1.0, vtcr_el2 1.2, vncr_el2 2.0, vsttbr_el2 6.0, vstcr_el2 6.2
3.4.3: hdfgrtr_el2 1.4, hdfgwtr_el2 1.5, hafgrtr_el2 1.6
3.4.4: spsr_el2 0.0, elr_el2 0.1, sp_el1 1.0
3.4.5: afsr0_el2 1.0, afsr1_el2 1.1, esr_el2 2.0, vsesr_el2 2.3, tfsr_el2 6.0
3.4.6: far_el2 0.0, hpfar_el2 0.4
3.4.9: pmscr_el2 9.0
3.4.10: mair_el2 2.0, amair_el2 3.0, mpamhcr_el2 4.0, mpamvpmv_el2 4.1, mpam2_el2 5.0, mpamvpm0_el2 6.0, mpamvpm1_el2 6.1, mpamvpm2_el2
  6.2, mpamvpm3_el2 6.3, mpamvpm4_el2 6.4, mpamvpm5_el2 6.5, mpamvpm6_el2 6.6, mpamvpm7_el2 6.7
3.4.12: vbar_el2 0.0, rvbar_el2 0.1, rmr_el2 0.2, vdisr_el2 1.1, ich_ap0r0_el2 8.0, ich_ap0r1_el2 8.1, ich_ap0r2_el2 8.2, ich_ap0r3_el2
  8.3, ich_ap1r0_el2 9.0, ich_ap1r1_el2 9.1, ich_ap1r2_el2 9.2, ich_ap1r3_el2 9.3, icc_sre_el2 9.5, ich_hcr_el2 11.0, ich_vtr_el2 11.1,
  ich_misr_el2 11.2, ich_eisr_el2 11.3, ich_elrsr_el2 11.5, ich_vmcr_el2 11.7, ich_lr0_el2 12.0, ich_lr1_el2 12.1, ich_lr2_el2 12.2,
  ich_lr3_el2 12.3, ich_lr4_el2 12.4, ich_lr5_el2 12.5, ich_lr6_el2 12.6, ich_lr7_el2 12.7, ich_lr8_el2 13.0, ich_lr9_el2 13.1,
  ich_lr10_el2 13.2, ich_lr11_el2 13.3, ich_lr12_el2 13.4, ich_lr13_el2 13.5, ich_lr14_el2 13.6, ich_lr15_el2 13.7
3.4.13: contextidr_el2 0.1, tpidr_el2 0.2, scxtnum_el2 0.7
3.4.14: cntvoff_el2 0.3, cntpoff_el2 0.6, cnthctl_el2 1.0, cnthp_tval_el2 2.0, cnthp_ctl_el2 2.1, cnthp_cval_el2 2.2, cnthv_tval_el2 3.0,
  cnthv_ctl_el2 3.1, cnthv_cval_el2 3.2, cnthvs_tval_el2 4.0, cnthvs_ctl_el2 4.1, cnthvs_cval_el2 4.2, cnthps_tval_el2 5.0, cnthps_ctl_el2
  5.1, cnthps_cval_el2 5.2
3.5.1: sctlr_el12 0.0, cpacr_el12 0.2, zcr_el12 2.0, trfcr_el12 2.1, smcr_el12 2.6
3.5.2: ttbr0_el12 0.0, ttbr1_el12 0.1, tcr_el12 0.2
3.5.4: spsr_el12 0.0, elr_el12 0.1
3.5.5: afsr0_el12 1.0, afsr1_el12 1.1, esr_el12 2.0, tfsr_el12 6.0
3.5.6: far_el12 0.0
3.5.9: pmscr_el12 9.0
3.5.10: mair_el12 2.0, amair_el12 3.0, mpam1_el12 5.0
3.5.12: vbar_el12 0.0
3.5.13: contextidr_el12 0.1, scxtnum_el12 0.7
3.5.14: cntkctl_el12 1.0, cntp_tval_el02 2.0, cntp_ctl_el02 2.1, cntp_cval_el02 2.2, cntv_tval_el02 3.0, cntv_ctl_el02 3.1, cntv_cval_el02
  3.2
3.6.1: sctlr_el3 0.0, actlr_el3 0.1, scr_el3 1.0, cptr_el3 1.2, zcr_el3 2.0, smcr_el3 2.6, mdcr_el3 3.1
3.6.2: ttbr0_el3 0.0, tcr_el3 0.2, gptbr_el3 1.4, gpccr_el3 1.6
3.6.4: spsr_el3 0.0, elr_el3 0.1, sp_el2 1.0
3.6.5: afsr0_el3 1.0, afsr1_el3 1.1, esr_el3 2.0, tfsr_el3 6.0
3.6.6: far_el3 0.0, mfar_el3 0.5
3.6.10: mair_el3 2.0, amair_el3 3.0, mpam3_el3 5.0
3.6.12: vbar_el3 0.0, rvbar_el3 0.1, rmr_el3 0.2, icc_ctlr_el3 12.4, icc_sre_el3 12.5, icc_igrpen1_el3 12.7
3.6.13: tpidr_el3 0.2, scxtnum_el3 0.7
3.7.14: cntps_tval_el1 2.0, cntps_ctl_el1 2.1, cntps_cval_el1 2.2
`;

const names = once((): ReadonlyMap<number, string> => {
  const names = new Map<number, string>();
  for (const line of NAMES.trim().replace(/\n +/g, " ").split("\n")) {
    const [place, list] = line.split(": ");
    const [op0, op1, CRn] = place.split(".").map(Number);
    for (const entry of list.split(", ")) {
      const [name, low] = entry.split(" ");
      const [CRm, op2] = low.split(".").map(Number);
      names.set(systemRegisterNumber(op0, op1, CRn, CRm, op2), name);
    }
  }
  for (let n = 0; n < 16; n++) {
    for (const [op2, kind] of [[4, "bvr"], [5, "bcr"], [6, "wvr"], [7, "wcr"]] as const) {
      names.set(systemRegisterNumber(2, 0, 0, n, op2), `dbg${kind}${n}_el1`);
    }
  }
  for (let n = 0; n < 31; n++) {
    names.set(systemRegisterNumber(3, 3, 14, 8 + (n >> 3), n & 7), `pmevcntr${n}_el0`);
    names.set(systemRegisterNumber(3, 3, 14, 12 + (n >> 3), n & 7), `pmevtyper${n}_el0`);
  }
  return names;
});

/** A system register as one number: op0:op1:CRn:CRm:op2, 16 bits. */
export function systemRegisterNumber(op0: number, op1: number, CRn: number, CRm: number, op2: number): number {
  return op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2;
}

/** The register of a name in lower case. */
export function systemRegisterNamed(name: string): number {
  for (const [number, known] of names()) if (known === name) return number;
  throw new Error(`no system register ${name}`);
}

/** Its name in lower case. */
export const systemRegisterName = (number: number): string | undefined => names().get(number);

/** The same, or `s3_0_c1_c2_3` where it has none. */
export function systemRegisterText(number: number): string {
  return names().get(number) ?? `s${number >> 14}_${number >> 11 & 7}_c${number >> 7 & 15}_c${number >> 3 & 15}_${number & 7}`;
}
