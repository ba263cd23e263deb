// `el2 reference cpu [NAME]`: the CPUs that `--cpu` takes, their features and ID registers.

import { Argument } from "@commander-js/extra-typings";
import { printListing } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { offering } from "../../common/command-tree.ts";
import type { ReferencePage } from "./page.ts";
import { cpuOffers, readCpu } from "../../options/behavior.ts";
import { absentFeatures, CPU_NAMES, cpuTitle, hwcapsOf } from "../../../../cpu/isa/cpus/cpus.ts";
import { FEATURE_NAMES, FEATURES, isBase } from "../../../../cpu/isa/cpus/features.ts";
import { identificationOf } from "../../../../cpu/isa/cpus/identification.ts";
import { CPU, documentText, type FieldsOf, listingOf } from "../../../../model/queries/documents.ts";

export const CPU_PAGE: ReferencePage = {
  name: "cpu",
  doc: "list the architectures, cores and phones that --cpu takes; with a name, its features, its ID registers, and /proc/cpuinfo",
  words: [offering(new Argument("[name]", "a CPU of the list, with changes such as v8.4,+FEAT_RNG,-FEAT_DIT"), cpuOffers)],
  form: "list",
  examples: ["cpu", "cpu v8.4", "cpu sm8650 --json", "cpu --columns name,features"],
  async print([name], options) {
    if (name !== undefined) return output(`${options.json ? documentText(CPU, cpuAsJson(name)) : cpuAsText(name)}\n`);
    await printListing(listingOf(CPU, "there is no CPU"), options, () => CPU_NAMES.map(cpuAsJson), (rows) => {
      const width = Math.max(...rows.map(({ name }) => name.length));
      for (const row of rows) output(options.json ? `${documentText(CPU, row)}\n` : `${row.name.padEnd(width)}  ${row.title}\n`);
    });
  },
};

/** A CPU as plain data. */
function cpuAsJson(text: string): FieldsOf<typeof CPU> {
  const cpu = readCpu(text), [name] = cpu.name.split(",");
  const registers = Object.entries(identificationOf(cpu.features)).map(([register, value]) => [
    `ID_AA64${register}_EL1`,
    `0x${value.toString(16).padStart(16, "0")}`,
  ]);
  return {
    id: `cpu:${cpu.name}`,
    name: cpu.name,
    title: cpuTitle(name),
    features: FEATURE_NAMES.filter((feature) => cpu.features.has(feature)),
    absent: absentFeatures(name),
    registers: Object.fromEntries(registers),
    hwcaps: hwcapsOf(cpu),
  };
}

/** The same as text. */
export function cpuAsText(text: string): string {
  const { features } = readCpu(text), { name, title, absent, registers, hwcaps } = cpuAsJson(text);
  const own = FEATURE_NAMES.filter((feature) => features.has(feature) && !isBase(feature));
  const versions = [...new Set(own.map((feature) => FEATURES[feature].since))].sort((a, b) => a - b);
  return [
    `${name}: ${title}`,
    ...versions.map((version) => `v${version.toFixed(1)}  ${own.filter((feature) => FEATURES[feature].since === version).join(" ")}`),
    `base  ${FEATURE_NAMES.filter(isBase).join(" ")}`,
    ...absent.length ? [`less  ${absent.join(" ")}: not built`] : [],
    "",
    ...Object.entries(registers as Record<string, string>).map(([register, value]) => `${register.padEnd(16)}  ${value}`),
    "",
    `/proc/cpuinfo: ${hwcaps}`,
  ].join("\n");
}
