// `el2 cpu ls` and `el2 cpu show NAME`: the CPUs that `--cpu` takes, their features and ID
// registers.

import type { Command } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import { examplesText } from "../../common/command.ts";
import { printListing, withListOptions } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { readCpu } from "../../options/behavior.ts";
import { absentFeatures, CPU_NAMES, cpuTitle, hwcapsOf } from "../../../../cpu/isa/cpus/cpus.ts";
import { FEATURE_NAMES, FEATURES, isBase } from "../../../../cpu/isa/cpus/features.ts";
import { identificationOf } from "../../../../cpu/isa/cpus/identification.ts";
import { CPU, documentText, type FieldsOf, listingOf } from "../../../../model/queries/documents.ts";

export function registerCpu(program: Command): void {
  const command = program.command("cpu").description("print the CPUs that --cpu takes");
  withListOptions(command.command("ls").description("list the architectures, cores and phones"))
    .option("--json", "print one line of JSON per CPU, with features and ID registers")
    .addHelpText("after", examplesText(["cpu ls", "cpu ls --columns name,features"]))
    .action(async (options) => {
      await printListing(listingOf(CPU, "there is no CPU"), options, () => CPU_NAMES.map(cpuAsJson), (rows) => {
        const width = Math.max(...rows.map(({ name }) => name.length));
        for (const row of rows) output(options.json ? `${documentText(CPU, row)}\n` : `${row.name.padEnd(width)}  ${row.title}\n`);
      });
    });
  command.command("show")
    .description("print the features of a CPU, its ID registers, and what Linux lists in /proc/cpuinfo")
    .argument("<name>", "a CPU of el2 cpu ls, with changes such as v8.4,+FEAT_RNG,-FEAT_DIT")
    .addOption(jsonOption)
    .addHelpText("after", examplesText(["cpu show v8.4", "cpu show sm8650 --json"]))
    .action((name, { json }) => output(`${json ? documentText(CPU, cpuAsJson(name)) : cpuAsText(name)}\n`));
}

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
