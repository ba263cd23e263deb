// Features of the architecture that el2 knows by name (Arm ARM A2, "Armv8-A Architecture
// Extensions"): the version that introduced each, what it requires, the fields of the ID registers
// that say so (D19.2), and the names that Linux gives it (Documentation/arch/arm64/elf_hwcaps).
// This table is the one source: CPUs (cpus.ts) are sets of these features, an entry of the
// instruction table names the one that it belongs to, and the core's identification follows from a
// set.

/** ID registers of AArch64 that features have fields in, without `ID_AA64` and `_EL1`. */
export const ID_REGISTERS = ["PFR0", "PFR1", "DFR0", "ISAR0", "ISAR1", "ISAR2", "MMFR0", "MMFR1", "MMFR2"] as const;
export type IdRegister = typeof ID_REGISTERS[number];

/** A field: register, lowest bit, value. */
type IdField = readonly [register: IdRegister, bit: number, value: number];

export interface Feature {
  /** The least version of the architecture that may have it. */
  readonly since: number;
  /** Features without which Arm does not permit it. */
  readonly requires?: readonly string[];
  /** Later features of a field replace the values of earlier ones. */
  readonly fields?: readonly IdField[];
  /** Linux's names, as /proc/cpuinfo prints them. */
  readonly hwcaps?: readonly string[];
  /** The level of address authentication, for whichever algorithm there is (identification.ts). */
  readonly authentication?: number;
  /** The least architecture (`v8.N`) that has it; no architecture has it without. `v8` is 8. */
  readonly architecture?: number;
  /** EL2 hides it from vCPUs without this option (docs/spec/hypervisor.md §4.9). */
  readonly option?: "ras_error_handler";
  /** el2 names it, but has not built it. */
  readonly absent?: true;
}

/** The option that a vCPU needs for a feature. */
export const optionOf = (feature: string): Feature["option"] =>
  Object.hasOwn(FEATURES, feature) ? (FEATURES as Record<string, Feature>)[feature].option : undefined;

const table = <T extends Record<string, Feature>>(features: T): { readonly [K in keyof T]: Feature } => features;

/** By name, in the order in which the fields of their registers grow. */
export const FEATURES = table({
  FEAT_FP: { since: 8, architecture: 8, hwcaps: ["fp"] },
  FEAT_AdvSIMD: { since: 8, architecture: 8, hwcaps: ["asimd"] },
  FEAT_AES: { since: 8, architecture: 8, fields: [["ISAR0", 4, 1]], hwcaps: ["aes"] },
  FEAT_PMULL: { since: 8, architecture: 8, requires: ["FEAT_AES"], fields: [["ISAR0", 4, 2]], hwcaps: ["pmull"] },
  FEAT_SHA1: { since: 8, architecture: 8, fields: [["ISAR0", 8, 1]], hwcaps: ["sha1"] },
  FEAT_SHA256: { since: 8, architecture: 8, fields: [["ISAR0", 12, 1]], hwcaps: ["sha2"] },
  FEAT_CRC32: { since: 8, architecture: 8, fields: [["ISAR0", 16, 1]], hwcaps: ["crc32"] },
  FEAT_LSE: { since: 8.1, architecture: 8, fields: [["ISAR0", 20, 2]], hwcaps: ["atomics"] },
  FEAT_RDM: { since: 8.1, architecture: 8, fields: [["ISAR0", 28, 1]], hwcaps: ["asimdrdm"] },
  FEAT_PAN: { since: 8.1, architecture: 8, fields: [["MMFR1", 20, 1]] },
  FEAT_DPB: { since: 8.2, architecture: 8, fields: [["ISAR1", 0, 1]], hwcaps: ["dcpop"] },
  FEAT_LRCPC: { since: 8.3, architecture: 8, fields: [["ISAR1", 20, 1]], hwcaps: ["lrcpc"] },
  FEAT_CSV2: { since: 8, architecture: 8, fields: [["PFR0", 56, 1]] },
  FEAT_CSV2_2: { since: 8, requires: ["FEAT_CSV2"], fields: [["PFR0", 56, 2]] },
  FEAT_CSV3: { since: 8, architecture: 8, fields: [["PFR0", 60, 1]] },

  // Matters of EL2.
  FEAT_VHE: { since: 8.1, architecture: 8.2, fields: [["MMFR1", 8, 1]] },
  FEAT_VMID16: { since: 8.1, architecture: 8.2, fields: [["MMFR1", 4, 2]] },
  // EL2 keeps its registers.
  FEAT_LOR: { since: 8.1, architecture: 8.2, fields: [["MMFR1", 16, 1]] },
  FEAT_PAN2: { since: 8.1, architecture: 8.2, requires: ["FEAT_PAN"], fields: [["MMFR1", 20, 2]] },
  FEAT_UAO: { since: 8.1, architecture: 8.2, fields: [["MMFR2", 4, 1]] },
  FEAT_PAN3: { since: 8.1, requires: ["FEAT_PAN2"], fields: [["MMFR1", 20, 3]] },
  FEAT_HAFDBS: { since: 8, architecture: 8.2, fields: [["MMFR1", 0, 2]] },
  FEAT_HPDS: { since: 8, architecture: 8.2, fields: [["MMFR1", 12, 1]] },
  FEAT_XNX: { since: 8.1, architecture: 8.2, fields: [["MMFR1", 28, 1]] },
  FEAT_TTCNP: { since: 8.1, architecture: 8.2, fields: [["MMFR2", 0, 1]] },
  FEAT_RAS: { since: 8, architecture: 8.2, fields: [["PFR0", 28, 1]], option: "ras_error_handler" },
  FEAT_RASv1p1: { since: 8.3, architecture: 8.4, requires: ["FEAT_RAS"], fields: [["PFR0", 28, 2]], option: "ras_error_handler" },
  // A matter of EL3, which no guest has.
  FEAT_DoubleFault: { since: 8.3, architecture: 8.4, requires: ["FEAT_RASv1p1"] },
  FEAT_IESB: { since: 8.1, architecture: 8.2, requires: ["FEAT_RAS"], fields: [["MMFR2", 12, 1]] },
  FEAT_CCIDX: { since: 8.2, fields: [["MMFR2", 20, 1]] },
  FEAT_TLBIOS: { since: 8.3, architecture: 8.4, fields: [["ISAR0", 56, 1]] },
  FEAT_TLBIRANGE: { since: 8.3, architecture: 8.4, requires: ["FEAT_TLBIOS"], fields: [["ISAR0", 56, 2]] },
  FEAT_TTL: { since: 8.3, architecture: 8.4, fields: [["MMFR2", 48, 1]] },
  // A matter of EL2.
  FEAT_S2FWB: { since: 8.3, architecture: 8.4, fields: [["MMFR2", 40, 1]] },
  FEAT_BBM: { since: 8.3, architecture: 8.4, fields: [["MMFR2", 52, 2]] },
  FEAT_IDST: { since: 8.3, architecture: 8.4, fields: [["MMFR2", 36, 1]] },
  FEAT_TTST: { since: 8.3, architecture: 8.4, fields: [["MMFR2", 28, 1]] },
  FEAT_LVA: { since: 8.1, requires: ["FEAT_TGran64K"], fields: [["MMFR2", 16, 1]] },
  FEAT_E0PD: { since: 8.4, architecture: 8.6, fields: [["MMFR2", 60, 1]] },
  FEAT_SPECRES: { since: 8, architecture: 8.6, fields: [["ISAR1", 40, 1]] },

  // In a guest, whose debug is EL1's own, these are values of the field alone.
  FEAT_Debugv8p2: { since: 8.1, architecture: 8.2, fields: [["DFR0", 0, 8]] },
  FEAT_Debugv8p4: { since: 8.3, architecture: 8.4, requires: ["FEAT_Debugv8p2"], fields: [["DFR0", 0, 9]] },
  FEAT_Debugv8p8: { since: 8.7, requires: ["FEAT_Debugv8p4"], fields: [["DFR0", 0, 10]] },
  FEAT_PMUv3: { since: 8, architecture: 8.2, fields: [["DFR0", 8, 1]] },
  FEAT_PMUv3p1: { since: 8.1, architecture: 8.2, requires: ["FEAT_PMUv3"], fields: [["DFR0", 8, 4]] },
  FEAT_PMUv3p4: { since: 8.4, architecture: 8.4, requires: ["FEAT_PMUv3p1"], fields: [["DFR0", 8, 5]] },
  FEAT_PMUv3p5: { since: 8.5, architecture: 8.6, requires: ["FEAT_PMUv3p4"], fields: [["DFR0", 8, 6]] },
  FEAT_PMUv3p7: { since: 8.7, requires: ["FEAT_PMUv3p5"], fields: [["DFR0", 8, 7]] },

  FEAT_TGran16K: { since: 8, architecture: 8.2, fields: [["MMFR0", 20, 1]] },
  FEAT_TGran64K: { since: 8, architecture: 8.2, fields: [["MMFR0", 24, 0]] },
  FEAT_LPA2: {
    since: 8.7,
    requires: ["FEAT_LVA", "FEAT_TGran16K"],
    fields: [["MMFR0", 28, 1], ["MMFR0", 20, 2], ["MMFR0", 32, 3], ["MMFR0", 40, 3]],
  },
  FEAT_FP16: {
    since: 8.2,
    architecture: 8.2,
    requires: ["FEAT_FP", "FEAT_AdvSIMD"],
    fields: [["PFR0", 16, 1], ["PFR0", 20, 1]],
    hwcaps: ["fphp", "asimdhp"],
  },
  FEAT_DotProd: { since: 8.2, architecture: 8.2, requires: ["FEAT_AdvSIMD"], fields: [["ISAR0", 44, 1]], hwcaps: ["asimddp"] },
  FEAT_FHM: { since: 8.2, architecture: 8.4, requires: ["FEAT_FP16"], fields: [["ISAR0", 48, 1]], hwcaps: ["asimdfhm"] },
  FEAT_SHA512: { since: 8.2, architecture: 8.4, requires: ["FEAT_SHA256"], fields: [["ISAR0", 12, 2]], hwcaps: ["sha512"] },
  FEAT_SHA3: { since: 8.2, architecture: 8.4, requires: ["FEAT_SHA512"], fields: [["ISAR0", 32, 1]], hwcaps: ["sha3"] },
  FEAT_SM3: { since: 8.2, architecture: 8.4, requires: ["FEAT_AdvSIMD"], fields: [["ISAR0", 36, 1]], hwcaps: ["sm3"] },
  FEAT_SM4: { since: 8.2, architecture: 8.4, requires: ["FEAT_SM3"], fields: [["ISAR0", 40, 1]], hwcaps: ["sm4"] },
  FEAT_JSCVT: { since: 8.3, architecture: 8.4, requires: ["FEAT_FP"], fields: [["ISAR1", 12, 1]], hwcaps: ["jscvt"] },
  FEAT_FCMA: { since: 8.3, architecture: 8.4, requires: ["FEAT_AdvSIMD"], fields: [["ISAR1", 16, 1]], hwcaps: ["fcma"] },
  FEAT_LRCPC2: { since: 8.4, architecture: 8.4, requires: ["FEAT_LRCPC"], fields: [["ISAR1", 20, 2]], hwcaps: ["ilrcpc"] },
  FEAT_FlagM: { since: 8.4, architecture: 8.4, fields: [["ISAR0", 52, 1]], hwcaps: ["flagm"] },
  FEAT_DIT: { since: 8.4, architecture: 8.4, fields: [["PFR0", 48, 1]], hwcaps: ["dit"] },
  FEAT_LSE2: { since: 8.4, architecture: 8.4, requires: ["FEAT_LSE"], fields: [["MMFR2", 32, 1]], hwcaps: ["uscat"] },
  FEAT_FlagM2: { since: 8.5, architecture: 8.6, requires: ["FEAT_FlagM"], fields: [["ISAR0", 52, 2]], hwcaps: ["flagm2"] },
  FEAT_FRINTTS: { since: 8.5, architecture: 8.6, requires: ["FEAT_FP"], fields: [["ISAR1", 32, 1]], hwcaps: ["frint"] },
  FEAT_SB: { since: 8.5, architecture: 8.6, fields: [["ISAR1", 36, 1]], hwcaps: ["sb"] },
  FEAT_SSBS: { since: 8.5, architecture: 8.6, fields: [["PFR1", 4, 1]] },
  FEAT_SSBS2: { since: 8.5, architecture: 8.6, requires: ["FEAT_SSBS"], fields: [["PFR1", 4, 2]], hwcaps: ["ssbs"] },
  FEAT_DPB2: { since: 8.5, architecture: 8.6, requires: ["FEAT_DPB"], fields: [["ISAR1", 0, 2]], hwcaps: ["dcpodp"] },
  FEAT_BTI: { since: 8.5, architecture: 8.6, fields: [["PFR1", 0, 1]], hwcaps: ["bti"] },
  FEAT_RNG: { since: 8.5, fields: [["ISAR0", 60, 1]], hwcaps: ["rng"] },
  FEAT_PAuth: { since: 8.3, architecture: 8.4, hwcaps: ["paca", "pacg"] },
  FEAT_PACIMP: { since: 8.3, architecture: 8.4, requires: ["FEAT_PAuth"], fields: [["ISAR1", 8, 1], ["ISAR1", 28, 1]] },
  FEAT_PACQARMA5: { since: 8.3, requires: ["FEAT_PAuth"], fields: [["ISAR1", 4, 1], ["ISAR1", 24, 1]] },
  FEAT_PACQARMA3: { since: 8.3, requires: ["FEAT_PAuth"], fields: [["ISAR2", 12, 1], ["ISAR2", 8, 1]] },
  FEAT_EPAC: { since: 8.3, requires: ["FEAT_PAuth"], authentication: 2 },
  FEAT_PAuth2: { since: 8.3, architecture: 8.6, requires: ["FEAT_PAuth"], authentication: 3 },
  FEAT_FPAC: { since: 8.3, requires: ["FEAT_PAuth2"], authentication: 4 },
  FEAT_FPACCOMBINE: { since: 8.3, requires: ["FEAT_FPAC"], authentication: 5 },
  FEAT_I8MM: { since: 8.2, architecture: 8.6, requires: ["FEAT_AdvSIMD"], fields: [["ISAR1", 52, 1]], hwcaps: ["i8mm"] },
  FEAT_BF16: { since: 8.2, architecture: 8.6, requires: ["FEAT_AdvSIMD"], fields: [["ISAR1", 44, 1]], hwcaps: ["bf16"] },
  FEAT_DGH: { since: 8, architecture: 8.6, fields: [["ISAR1", 48, 1]], hwcaps: ["dgh"] },
  // A matter of EL2.
  FEAT_FGT: { since: 8.6, fields: [["MMFR0", 56, 1]] },
  FEAT_ECV: { since: 8.6, architecture: 8.6, fields: [["MMFR0", 60, 1]], hwcaps: ["ecv"] },
  FEAT_AFP: { since: 8.7, requires: ["FEAT_FP"], fields: [["MMFR1", 44, 1]], hwcaps: ["afp"] },
  FEAT_RPRES: { since: 8.7, requires: ["FEAT_AFP"], fields: [["ISAR2", 4, 1]], hwcaps: ["rpres"] },
  FEAT_WFxT: { since: 8.7, fields: [["ISAR2", 0, 2]], hwcaps: ["wfxt"] },
  FEAT_XS: { since: 8.7, fields: [["ISAR1", 56, 1]] },
  FEAT_RPRFM: { since: 8, fields: [["ISAR2", 48, 1]], hwcaps: ["rprfm"] },
  FEAT_CSSC: { since: 8.7, fields: [["ISAR2", 52, 1]], hwcaps: ["cssc"] },
  FEAT_MOPS: { since: 8.7, fields: [["ISAR2", 16, 1]], hwcaps: ["mops"] },
  FEAT_HBC: { since: 8.7, fields: [["ISAR2", 20, 1]], hwcaps: ["hbc"] },
  FEAT_LRCPC3: { since: 8.7, requires: ["FEAT_LRCPC2", "FEAT_LSE2"], fields: [["ISAR1", 20, 3]], hwcaps: ["lrcpc3"] },
  FEAT_LSE128: { since: 8.7, requires: ["FEAT_LSE"], fields: [["ISAR0", 20, 3]], hwcaps: ["lse128"] },
  FEAT_SVE: { since: 8.2, requires: ["FEAT_FP16"], fields: [["PFR0", 32, 1]], hwcaps: ["sve"], absent: true },
  FEAT_SVE2: { since: 9, requires: ["FEAT_SVE"], hwcaps: ["sve2"], absent: true },
  FEAT_SME: { since: 9.2, requires: ["FEAT_FCMA"], fields: [["PFR1", 24, 1]], hwcaps: ["sme"], absent: true },
  FEAT_MTE: { since: 8.5, fields: [["PFR1", 8, 1]], absent: true },
  FEAT_MTE2: { since: 8.5, requires: ["FEAT_MTE"], fields: [["PFR1", 8, 2]], hwcaps: ["mte"], absent: true },
  // The core has it (`withEl2` of cpus.ts), but no machine does. Every CPU says that it is there.
  FEAT_EL2: { since: 8, absent: true },
});

/** A name of `FEATURES`. */
export type FeatureName = keyof typeof FEATURES;

/**
 * How the codes of pointers are computed: by el2's own hash, or as Arm specifies. A CPU with
 * FEAT_PAuth has one of them.
 */
export const PAC_ALGORITHMS: readonly FeatureName[] = ["FEAT_PACIMP", "FEAT_PACQARMA5", "FEAT_PACQARMA3"];

/** Their names, in the order of the table. */
export const FEATURE_NAMES = Object.keys(FEATURES) as readonly FeatureName[];

/** Whether el2 has built a feature. */
export const isBuilt = (name: FeatureName): boolean => !FEATURES[name].absent;

/** Whether every CPU has it: the entries of the instruction table without a feature are these. */
export const isBase = (name: FeatureName): boolean => FEATURES[name].architecture === 8;

/** Features that `+` adds to a CPU and `-` leaves out. */
export const CHANGEABLE_FEATURES: readonly FeatureName[] = FEATURE_NAMES.filter((name) => isBuilt(name) && !isBase(name));

/**
 * Linux's names in the order in which /proc/cpuinfo prints them: that of the bits of HWCAP and
 * HWCAP2.
 */
const HWCAP_ORDER = [
  ..."fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4".split(" "),
  ..."asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 flagm2 frint i8mm bf16 dgh rng bti".split(" "),
  ..."mte ecv afp rpres sme wfxt cssc rprfm mops hbc lrcpc3 lse128".split(" "),
];

/** Names of what Linux has on each CPU of el2: the event stream, and MRS of EL0. */
const HWCAPS_ALWAYS = ["evtstrm", "cpuid"];

/** The line `Features` of /proc/cpuinfo on a CPU with these features. */
export function hwcapLine(features: ReadonlySet<FeatureName>): string {
  const names = new Set(HWCAPS_ALWAYS);
  for (const feature of features) for (const name of FEATURES[feature].hwcaps ?? []) names.add(name);
  return HWCAP_ORDER.filter((name) => names.has(name)).join(" ");
}
