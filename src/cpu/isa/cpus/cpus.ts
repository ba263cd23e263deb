// CPUs by name: sets of features (features.ts). An architecture `v8.N` has the features of that
// version that el2 has built; cores and phones have those that Arm's manuals and /proc/cpuinfo list
// (docs/spec/phones.md §A1), less what is not built. `NAME,+FEATURE,-FEATURE` changes one.

import { addressSizesOf } from "./address-sizes.ts";
import {
  CHANGEABLE_FEATURES,
  type Feature,
  FEATURE_NAMES,
  type FeatureName,
  FEATURES,
  hwcapLine,
  isBase,
  isBuilt,
  PAC_ALGORITHMS,
} from "./features.ts";
import { UserError } from "../../../kit/support/problem.ts";
import { nearest } from "../../../kit/support/text/did-you-mean.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** A CPU as a machine has it. */
export interface Cpu {
  /** As `parseCpu` reads it: the name, then the changes in the order of the table. */
  readonly name: string;
  readonly features: ReadonlySet<FeatureName>;
  /** Its features beyond those of every CPU: equal for equal CPUs, empty for `v8`. */
  readonly key: string;
  /** List registers of the GIC's virtual CPU interface; undefined without FEAT_EL2. */
  readonly listRegisters?: number;
}

/** The list registers of most CPUs. */
export const LIST_REGISTERS = 4;

/** A text that describes no CPU, or one that el2 does not have; the message is for its user. */
export class CpuError extends UserError {}

/** The CPU of a machine whose plan names none. */
export const DEFAULT_CPU = "v8";

interface NamedCpu {
  readonly title: string;
  /** The features that it has in reality; those that el2 has not built are left out. */
  readonly features: () => readonly FeatureName[];
}

/** Most of each chip's line of features, in Linux's names. */
const PHONE_BASE = "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 " +
  "asimdfhm dit uscat ilrcpc flagm sb dcpodp flagm2 frint i8mm bti";

/** Features of pointer authentication: of phones, whose algorithm is unknown; of Arm's cores. */
const UNLISTED_PAC: readonly FeatureName[] = ["FEAT_PACIMP", "FEAT_PAuth2"];
const ARM_PAC: readonly FeatureName[] = ["FEAT_PACQARMA5", "FEAT_FPACCOMBINE"];

/** Features without a name in Linux that CPUs of their version may lack (`ssbs` is FEAT_SSBS2). */
const OPTIONAL: readonly FeatureName[] = ["FEAT_SSBS"];

/** Features of every CPU of a version of the architecture for which Linux has no name. */
const unlisted = (version: number): FeatureName[] =>
  FEATURE_NAMES.filter((name) => {
    const { hwcaps, architecture = Infinity, requires = [] } = FEATURES[name] as Feature;
    return !hwcaps && architecture <= version && !requires.includes("FEAT_PAuth") && !OPTIONAL.includes(name);
  });

/** The features that Linux's names stand for, others without one, and what they all require. */
function ofHwcaps(line: string, others: readonly FeatureName[], authentication = UNLISTED_PAC): FeatureName[] {
  const names = new Set(line.split(" "));
  const listed = FEATURE_NAMES.filter((feature) => FEATURES[feature].hwcaps?.every((name) => names.has(name)));
  return closure([...FEATURE_NAMES.filter(isBase), ...listed, ...others, ...listed.includes("FEAT_PAuth") ? authentication : []]);
}

/** Features with what they require. */
function closure(features: readonly FeatureName[]): FeatureName[] {
  const all = new Set(features);
  for (const feature of all) for (const required of requirements(feature)) all.add(required);
  return inOrder(all);
}

const requirements = (feature: FeatureName) => (FEATURES[feature].requires ?? []) as readonly FeatureName[];
const inOrder = (features: ReadonlySet<FeatureName>): FeatureName[] => FEATURE_NAMES.filter((feature) => features.has(feature));

const architecture = (version: number): NamedCpu => ({
  title: version === 8 ? "Armv8.0-A with LSE, RDM, PAN, LRCPC: the least" : `Armv${version.toFixed(1)}-A`,
  features: () => FEATURE_NAMES.filter((feature) => (FEATURES[feature].architecture ?? Infinity) <= version),
});
const hwcaps = (title: string, more: string, authentication?: readonly FeatureName[]): NamedCpu => ({
  title,
  features: () => ofHwcaps(`${PHONE_BASE} ${more}`, unlisted(8.6), authentication),
});

/** The line of the cores of Armv8.2: Cortex-A55, A75 to A78. */
const V82_CORE = "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp";
/** They have PSTATE.SSBS, but not its MSR and MRS, which Linux's `ssbs` stands for. */
const core = (title: string, line: string): NamedCpu => ({ title, features: () => ofHwcaps(line, [...unlisted(8.2), "FEAT_SSBS"]) });

/** The line of the CPU of the recordings, from its ID registers (docs/spec/observed.md §3.4). */
const RECORDED = "fp asimd aes pmull sha1 sha2 crc32 atomics fphp asimdhp asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 " +
  "asimdfhm dit ilrcpc flagm ssbs sb dcpodp flagm2 frint i8mm dgh rng bti sve";
/** Its features for which Linux has no name. */
const RECORDED_UNLISTED: readonly FeatureName[] = [
  ...["FEAT_HAFDBS", "FEAT_PAN2", "FEAT_HPDS", "FEAT_XNX", "FEAT_TTCNP", "FEAT_RAS", "FEAT_IESB", "FEAT_TLBIRANGE"] as const,
  ...["FEAT_TTL", "FEAT_BBM", "FEAT_E0PD", "FEAT_SPECRES", "FEAT_PMUv3p5", "FEAT_Debugv8p4"] as const,
  ...["FEAT_TGran16K", "FEAT_TGran64K", "FEAT_UAO", "FEAT_TTST", "FEAT_LVA", "FEAT_LPA2", "FEAT_S2FWB"] as const,
  ...["FEAT_IDST", "FEAT_VHE", "FEAT_VMID16", "FEAT_LOR"] as const,
];

const NAMED: Readonly<Record<string, NamedCpu>> = {
  v8: architecture(8),
  "v8.2": architecture(8.2),
  "v8.4": architecture(8.4),
  "v8.6": architecture(8.6),
  max: {
    title: "all that el2 has built, with its own algorithm of pointer authentication",
    features: () => FEATURE_NAMES.filter((feature) => feature === "FEAT_PACIMP" || !PAC_ALGORITHMS.includes(feature)),
  },
  recorded: {
    title: "the CPU of the recordings, less SVE",
    features: () => ofHwcaps(RECORDED, RECORDED_UNLISTED),
  },
  a55: core("Cortex-A55", V82_CORE),
  a76: core("Cortex-A76", V82_CORE),
  a78: core("Cortex-A78", `${V82_CORE} uscat`),
  a510: hwcaps("Cortex-A510, less SVE2 and MTE", "ssbs paca pacg bf16", ARM_PAC),
  a710: hwcaps("Cortex-A710, less SVE2 and MTE", "ssbs paca pacg bf16", ARM_PAC),
  x2: hwcaps("Cortex-X2, less SVE2 and MTE", "ssbs paca pacg bf16", ARM_PAC),
  sm8450: hwcaps("Snapdragon 8 Gen 1, less SVE", "ssbs paca pacg bf16"),
  sm8475: hwcaps("Snapdragon 8+ Gen 1", "ssbs paca pacg"),
  sm8550: hwcaps("Snapdragon 8 Gen 2", "ssbs paca pacg bf16"),
  sm8650: hwcaps("Snapdragon 8 Gen 3", "ssbs paca pacg bf16 dgh ecv afp"),
  sm8750: hwcaps("Snapdragon 8 Elite", "ssbs paca pacg bf16 rng ecv afp rpres"),
  sm8850: hwcaps("Snapdragon 8 Elite Gen 5, less SVE2 and SME", "ssbs paca pacg bf16 rng ecv afp rpres lrcpc3"),
  mt6983: hwcaps("Dimensity 9000, less SVE2", "ssbs paca pacg bf16"),
  mt6989: hwcaps("Dimensity 9300, less SVE2 and MTE", "ssbs bf16 dgh ecv afp wfxt"),
  mt6991: hwcaps("Dimensity 9400, less SVE2", "paca pacg bf16 dgh ecv afp wfxt"),
  mt6993: hwcaps("Dimensity 9500, less SVE2 and SME", "ssbs paca pacg bf16 dgh ecv afp wfxt rprfm hbc lrcpc3"),
  exynos2200: hwcaps("Exynos 2200, less SVE2", "ssbs paca pacg bf16"),
  exynos2400: hwcaps("Exynos 2400, less SVE2", "ssbs paca pacg bf16 dgh ecv afp wfxt"),
  exynos2500: hwcaps("Exynos 2500, less SVE2", "paca pacg bf16 dgh ecv afp wfxt"),
  exynos2600: hwcaps("Exynos 2600, less SVE2 and SME", "ssbs paca pacg bf16 dgh ecv afp wfxt rprfm hbc lrcpc3"),
};

export const CPU_NAMES: readonly string[] = Object.keys(NAMED);
/** The architectures, lowest first. */
export const ARCHITECTURES = ["v8", "v8.2", "v8.4", "v8.6", "max"] as const;

/** One line about a CPU by name. */
export const cpuTitle = (name: string): string => NAMED[name].title;

/** Features that the CPU of this name has in reality, and el2 has not built. */
export const absentFeatures = (name: string): readonly FeatureName[] =>
  name === "max" ? [] : NAMED[name].features().filter((feature) => !isBuilt(feature));

const known = new Map<string, Cpu>();

/**
 * The CPU that `NAME,+FEATURE,-FEATURE,…` describes; features by their names with or without
 * `FEAT_`, in any case.
 * @throws CpuError that names the defect of the text, and what is permitted
 */
export function parseCpu(text: string): Cpu {
  const found = known.get(text);
  if (found) return found;
  const [name, ...changes] = text.split(",");
  const base = Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (!base) throw new CpuError(`"${name}" is not a CPU`, `use ${CPU_NAMES.join(", ")}`);
  const features = new Set(base.features().filter(isBuilt));
  for (const change of changes) {
    const feature = featureOf(change);
    if (change[0] === "-") features.delete(feature);
    else {
      // An algorithm replaces another one.
      if (PAC_ALGORITHMS.includes(feature)) { for (const other of PAC_ALGORITHMS) features.delete(other); }
      features.add(feature);
    }
  }
  check(features);
  const cpu = { name: canonicalName(name, features), features, key: inOrder(features).filter((feature) => !isBase(feature)).join() };
  known.set(text, cpu);
  return cpu;
}

/** Features with a part at EL2 that the core does not have yet. docs/design/el2.md §1. */
const UNBUILT_AT_EL2: readonly FeatureName[] = [
  ...["FEAT_MOPS", "FEAT_PMUv3", "FEAT_CSV2_2", "FEAT_PAN3", "FEAT_E0PD", "FEAT_ECV", "FEAT_WFxT"] as const,
  ...["FEAT_HAFDBS", "FEAT_LPA2", "FEAT_TTST", "FEAT_S2FWB", "FEAT_IDST", "FEAT_SPECRES"] as const,
];

/**
 * A CPU whose core executes EL2 as well.
 * @param listRegisters of the GIC's virtual CPU interface
 * @throws CpuError if it has a feature whose part at EL2 is not built
 */
export function withEl2({ name, features, key }: Cpu, listRegisters: 4 | 16 = LIST_REGISTERS): Cpu {
  const unbuilt = UNBUILT_AT_EL2.filter((feature) => features.has(feature));
  if (unbuilt.length) throw new CpuError(`el2 has not built EL2's part of ${unbuilt.join(", ")}`, "take them away: -FEATURE");
  const parts = [...key ? [key] : [], "FEAT_EL2", ...listRegisters === LIST_REGISTERS ? [] : [`${listRegisters} list registers`]];
  return { name, features: new Set([...features, "FEAT_EL2"]), key: parts.join(), listRegisters };
}

/** The feature of a change such as `+FEAT_BTI`. */
function featureOf(change: string): FeatureName {
  if (!/^[+-]./.test(change)) throw new CpuError(`"${change}" does not change a CPU`, "write +FEATURE or -FEATURE, such as +FEAT_FlagM");
  const wanted = change.slice(1).toLowerCase().replace(/^feat_/, "");
  const feature = FEATURE_NAMES.find((name) => name.slice("FEAT_".length).toLowerCase() === wanted);
  if (!feature) {
    throw new CpuError(`"${change.slice(1)}" is not a feature`, meantFeature(wanted) ?? way`${hint("reference cpu", "max")} lists them`);
  }
  if (isBase(feature) && change[0] === "-") {
    throw new CpuError(`every CPU of el2 has ${feature}`, `features that it can be without: ${CHANGEABLE_FEATURES.join(", ")}`);
  }
  if (!isBuilt(feature) && change[0] === "+") throw new CpuError(`el2 has not built ${feature}`, `use ${CHANGEABLE_FEATURES.join(", ")}`);
  return feature;
}

/** The way out of a misspelled feature, by the part of its name after `FEAT_`. */
function meantFeature(wanted: string): string | undefined {
  const names = FEATURE_NAMES.filter(isBuilt),
    plain = (name: string) => name.slice("FEAT_".length).toLowerCase();
  const near = nearest(wanted, names.map(plain));
  return near === undefined ? undefined : `did you mean "${names.find((name) => plain(name) === near)}"?`;
}

/** Refuses combinations that the architecture forbids. */
function check(features: ReadonlySet<FeatureName>): void {
  if (features.has("FEAT_PAuth") && !PAC_ALGORITHMS.some((feature) => features.has(feature))) {
    throw new CpuError(`FEAT_PAuth requires one of ${PAC_ALGORITHMS.join(", ")}`);
  }
  for (const feature of features) {
    const missing = requirements(feature).filter((required) => !features.has(required));
    if (missing.length) {
      throw new CpuError(`${feature} requires ${missing.join(", ")}`, `add +${missing.join(",+")}, or take it away: -${feature}`);
    }
  }
}

/** The name with the changes from it that make these features. */
function canonicalName(name: string, features: ReadonlySet<FeatureName>): string {
  const before = new Set(NAMED[name].features().filter(isBuilt));
  const changed = FEATURE_NAMES.filter((feature) => before.has(feature) !== features.has(feature));
  return [name, ...changed.map((feature) => `${features.has(feature) ? "+" : "-"}${feature}`)].join();
}

/** The CPU of a plan: by name, and by its features, as a name may have more in another version. */
export interface CpuPlan {
  readonly name: string;
  /** `Cpu.key`. */
  readonly features: string;
}

/** The CPU that a text describes, for a plan; undefined for the one of plans that name none. */
export function planCpu(text: string): CpuPlan | undefined {
  const { name, key } = parseCpu(text);
  return key === "" ? undefined : { name, features: key };
}

/**
 * The CPU of a plan.
 * @param atEl2 whether it executes EL2 as well
 * @throws CpuError if its name has other features in this version of el2, or one whose part at EL2
 * is not built
 */
export function cpuOfPlan(plan: CpuPlan | undefined, atEl2 = false): Cpu {
  const cpu = plan ? checkedCpu(plan) : parseCpu(DEFAULT_CPU);
  return atEl2 ? withEl2(cpu) : cpu;
}

function checkedCpu(plan: CpuPlan): Cpu {
  const cpu = parseCpu(plan.name);
  if (cpu.key !== plan.features) {
    throw new CpuError(
      `the CPU "${plan.name}" of the plan has the features ${plan.features}`,
      `here its features are ${cpu.key || "those of v8"}`,
    );
  }
  return cpu;
}

/** Bytes of the pages that a CPU has at stage 1. */
export const pageSizesOf = ({ features }: Cpu): number[] => addressSizesOf(features).granules.map((shift) => 2 ** shift);

/** The names of CPUs that have pages of this size. */
export function cpusWithPages(size: number): string[] {
  return CPU_NAMES.filter((name) => pageSizesOf(parseCpu(name)).includes(size));
}

/** The CPUs of el2 that have a feature of this name, built or not; architectures first. */
export function cpusWith(feature: string): string[] {
  return CPU_NAMES.filter((name) => (parseCpu(name).features as ReadonlySet<string>).has(feature));
}

/** Why a CPU does not have a feature, and which CPUs do; empty if it has it. */
export function lackOf(feature: string, { name, features }: Cpu): string {
  if ((features as ReadonlySet<string>).has(feature)) return "";
  const others = cpusWith(feature);
  return `${feature}; this CPU is "${name}"; ${others.length ? `CPUs that have it: ${others.join(", ")}` : "no CPU of el2 has it"}`;
}

/** The line `Features` of /proc/cpuinfo under Linux. */
export const hwcapsOf = ({ features }: Cpu): string => hwcapLine(features);
