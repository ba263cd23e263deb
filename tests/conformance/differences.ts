// Cases that el2 answers in another way than the recorded hypervisor, on purpose. docs/differences.md has each with its reason.

/** Case names by group. */
export const DIFFERENCES: Readonly<Record<string, { reason: string; cases: readonly string[] }>> = {
  "rm-transport": {
    reason: "Message that cannot be copied: ADDR_INVALID, as documented",
    cases: ["msgqueue_receive of a 16-byte reply into an unmapped buffer"],
  },
  sysregs: {
    reason: "the CPU is Armv8.0 without SVE, PMU, RAS, RNDR and SME, and its ID registers say so",
    cases: [
      ...[
        "c0_1",
        "c0_2",
        "c0_4",
        "c0_7",
        "c1_0",
        "c1_5",
        "c1_6",
        "c1_7",
        "c2_0",
        "c2_4",
        "c2_7",
        "c3_2",
        "c3_4",
        "c4_1",
        "c5_0",
        "c6_0",
        "c7_0",
      ]
        .map((register) => `identification space s3_0_c0_${register}`),
      ...[
        "ZCR_EL1",
        "DISR_EL1",
        "GMID_EL1",
        "SMIDR_EL1",
        "RNDRRS",
        "PMCR_EL0",
        "PMCNTENSET_EL0",
        "PMCEID1_EL0",
        "PMUSERENR_EL0",
        "PMSELR_EL0",
      ]
        .map((register) => `${register} read`),
      ...["TPIDR2_EL0", "PMCCFILTR_EL0"].map((register) => `${register} read`),
      "ZCR_EL1 written with 0xf, then read",
      "PMCR_EL0 written with 0x0, then read",
    ],
  },
  "guest-view": {
    reason: "the CPU, as in sysregs; interrupts that fell are not delivered",
    cases: [
      ...["c0", "c1", "c4", "c6", "c7"].map((registers) => `identification registers s3_0_c0_${registers}`),
      "virtual and physical timer of a guest",
      "undefined and trapped instructions in a guest",
    ],
  },
};
