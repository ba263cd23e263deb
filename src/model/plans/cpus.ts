// The CPUs that a plan can have, as data, for those who choose one: names, features, ID registers.

import { absentFeatures, CPU_NAMES, cpuTitle, DEFAULT_CPU, hwcapsOf, parseCpu } from "../../cpu/isa/cpus/cpus.ts";
import { CHANGEABLE_FEATURES, FEATURE_NAMES, FEATURES, isBase } from "../../cpu/isa/cpus/features.ts";
import { identificationOf } from "../../cpu/isa/cpus/identification.ts";
import { hex } from "../../kit/support/text/number-text.ts";

export { CHANGEABLE_FEATURES, DEFAULT_CPU };

/** The CPUs with names; changes may follow the name. */
export const NAMED_CPUS: readonly { readonly name: string; readonly title: string }[] = CPU_NAMES.map((name) => ({
  name,
  title: cpuTitle(name),
}));

/** A feature that a CPU has. */
interface CpuFeature {
  readonly name: string;
  /** Version of the architecture that has introduced it. */
  readonly since: number;
  /** Every CPU has it. */
  readonly isBase: boolean;
}

/** A CPU with its changes. */
export interface ChosenCpu {
  /** Its full name, which a plan has. */
  readonly name: string;
  /** The name that the changes follow. */
  readonly base: string;
  readonly title: string;
  readonly features: readonly CpuFeature[];
  /** Features of the real CPU that are not built. */
  readonly absent: readonly string[];
  /** ID registers as their MRS names, in hexadecimal. */
  readonly registers: Readonly<Record<string, string>>;
  /** The features in /proc/cpuinfo. */
  readonly hwcaps: string;
}

/**
 * The full name of a CPU that is named with changes, such as `v8.4,+FEAT_RNG`.
 * @throws UserError that lists what can be named
 */
export const cpuNamed = (text: string): string => parseCpu(text).name;

/** @throws UserError that lists what can be named */
export function chosenCpu(text: string): ChosenCpu {
  const cpu = parseCpu(text), [base] = cpu.name.split(",");
  const registers = Object.entries(identificationOf(cpu.features)).map(([register, value]) => [
    `ID_AA64${register}_EL1`,
    hex(value, 16),
  ]);
  return {
    name: cpu.name,
    base,
    title: cpuTitle(base),
    features: FEATURE_NAMES.filter((name) => cpu.features.has(name)).map((name) => ({
      name,
      since: FEATURES[name].since,
      isBase: isBase(name),
    })),
    absent: absentFeatures(base),
    registers: Object.fromEntries(registers),
    hwcaps: hwcapsOf(cpu),
  };
}
