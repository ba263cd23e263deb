// Cases that el2 answers in another way than the recorded hypervisor, on purpose.
// docs/differences.md says more of each.

/**
 * Cause of a difference: the recorded CPU has features that ours lacks, or the recording
 * contradicts its document.
 */
export type Kind = "cpu" | "defect";

/** Cases of one group that differ for one reason. */
export interface Difference {
  readonly group: string;
  readonly kind: Kind;
  readonly reason: string;
  /** Whether `machine.quirks = "as-observed"` gives the recorded answer. */
  readonly quirk?: boolean;
  /** Whether `--cpu recorded` gives it. */
  readonly onRecorded?: boolean;
  /** Names of the cases. */
  readonly cases: readonly string[];
}

const identification = (registers: readonly string[]) => registers.map((register) => `identification space s3_0_c0_${register}`);
const reads = (registers: readonly string[]) => registers.map((register) => `${register} read`);

export const DIFFERENCES: readonly Difference[] = [
  {
    group: "sysregs",
    kind: "cpu",
    reason:
      "identification registers tell of the recorded CPU: AArch32 at EL0; in MMFR0 both endiannesses, and physical addresses of 52 bits",
    cases: identification(["c1_0", "c1_5", "c1_6", "c1_7", "c2_0", "c2_4", "c2_7", "c3_2", "c3_4", "c7_0"]),
  },
  {
    group: "sysregs",
    kind: "cpu",
    onRecorded: true,
    reason: "identification registers tell of features that `v8` has not: RAS, PMU and more",
    cases: identification(["c4_1", "c5_0", "c6_0"]),
  },
  {
    group: "sysregs",
    kind: "cpu",
    onRecorded: true,
    reason: "what is not allocated among the identification registers is UNDEFINED: `v8` has not FEAT_IDST",
    cases: [...identification(["c0_1", "c0_2", "c0_4", "c0_7"]), "GMID_EL1 read"],
  },
  {
    group: "sysregs",
    kind: "cpu",
    reason: "registers of SVE and SME, which no CPU has",
    cases: [...reads(["ZCR_EL1", "SMIDR_EL1", "TPIDR2_EL0"]), "ZCR_EL1 written with 0xf, then read"],
  },
  {
    group: "sysregs",
    kind: "cpu",
    onRecorded: true,
    reason: "registers of RAS, RNDR and the PMU, which `v8` has not",
    cases: [
      ...reads(["DISR_EL1", "RNDRRS"]),
      ...reads(["PMCR_EL0", "PMCNTENSET_EL0", "PMCEID1_EL0", "PMUSERENR_EL0", "PMSELR_EL0", "PMCCFILTR_EL0"]),
      "PMCR_EL0 written with 0x0, then read",
    ],
  },
  {
    group: "guest-view",
    kind: "cpu",
    reason: "identification registers, as in sysregs; an SVE instruction is undefined instead of trapped",
    cases: [
      ...["c1", "c4", "c6", "c7"].map((registers) => `identification registers s3_0_c0_${registers}`),
      "undefined and trapped instructions in a guest",
    ],
  },
  {
    group: "guest-view",
    kind: "defect",
    quirk: true,
    reason:
      "the virtual timer's level interrupt comes once more after its line fell and the guest ended it; the GIC architecture has it gone",
    cases: ["virtual and physical timer of a guest"],
  },
  {
    group: "vcpu-run",
    kind: "defect",
    quirk: true,
    reason: "the same of the virtual timer that has woken a guest from WFI",
    cases: ["wfi with the virtual timer armed wakes by itself"],
  },
  {
    group: "guest-rpc",
    kind: "defect",
    quirk: true,
    reason: "memory that the primary donates out of a 1 GiB block stays mapped in its own stage 2",
    cases: ["accept a donated parcel at a given address, use it, release it"],
  },
  {
    group: "rm-transport",
    kind: "defect",
    quirk: true,
    reason:
      "message queues answer OK for a message that they could not copy; the document has ADDR_INVALID (22), the cases' lists have not",
    cases: ["msgqueue_receive of a 16-byte reply into an unmapped buffer", "msgqueue_send from an unmapped address"],
  },
];
