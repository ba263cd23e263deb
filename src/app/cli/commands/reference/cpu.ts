// `el2 reference cpu [NAME]`: the CPUs that `--cpu` takes, their features and ID registers.

import { Argument } from "@commander-js/extra-typings";
import { printListing } from "../../common/list-options.ts";
import { output } from "../../common/print.ts";
import { offering } from "../../common/command-tree.ts";
import type { ReferencePage } from "./page.ts";
import { cpuOffers, readCpu } from "../../options/behavior.ts";
import { type ChosenCpu, chosenCpu, NAMED_CPUS } from "../../../../model/plans/cpus.ts";
import { CPU, documentText, type FieldsOf, listingOf } from "../../../../model/queries/documents.ts";

export const CPU_PAGE: ReferencePage = {
  name: "cpu",
  doc: "list the architectures, cores and phones that --cpu takes; with a name, its features, its ID registers, and /proc/cpuinfo",
  words: [offering(new Argument("[name]", "a CPU of the list, with changes such as v8.4,+FEAT_RNG,-FEAT_DIT"), cpuOffers)],
  form: "list",
  examples: ["cpu", "cpu v8.4", "cpu sm8650 --json", "cpu --columns name,features"],
  async print([name], options) {
    if (name !== undefined) {
      const cpu = readCpu(name, chosenCpu);
      return output(`${options.json ? documentText(CPU, cpuAsJson(cpu)) : cpuAsText(cpu)}\n`);
    }
    await printListing(
      listingOf(CPU, "there is no CPU"),
      options,
      () => NAMED_CPUS.map(({ name }) => cpuAsJson(chosenCpu(name))),
      (rows) => {
        const width = Math.max(...rows.map(({ name }) => name.length));
        for (const row of rows) output(options.json ? `${documentText(CPU, row)}\n` : `${row.name.padEnd(width)}  ${row.title}\n`);
      },
    );
  },
};

/** A CPU as plain data. */
function cpuAsJson({ name, title, features, absent, registers, hwcaps }: ChosenCpu): FieldsOf<typeof CPU> {
  return { id: `cpu:${name}`, name, title, features: features.map((feature) => feature.name), absent, registers, hwcaps };
}

/** The same as text. */
export function cpuAsText({ name, title, features, absent, registers, hwcaps }: ChosenCpu): string {
  const names = (chosen: ChosenCpu["features"]) => chosen.map((one) => one.name).join(" ");
  const own = features.filter(({ isBase }) => !isBase);
  const versions = [...new Set(own.map(({ since }) => since))].sort((a, b) => a - b);
  return [
    `${name}: ${title}`,
    ...versions.map((version) => `v${version.toFixed(1)}  ${names(own.filter(({ since }) => since === version))}`),
    `base  ${names(features.filter(({ isBase }) => isBase))}`,
    ...absent.length ? [`less  ${absent.join(" ")}: not built`] : [],
    "",
    ...Object.entries(registers).map(([register, value]) => `${register.padEnd(16)}  ${value}`),
    "",
    `/proc/cpuinfo: ${hwcaps}`,
  ].join("\n");
}
