// Options of `boot`, `run` and `up` for the machine: CPU, phone, keys of the configuration, faults.

import { Option } from "@commander-js/extra-typings";
import { type CompletedLine, type Offer, offering } from "../common/command-tree.ts";
import { Failure } from "../common/failure.ts";
import { parseWhole } from "../common/values.ts";
import type { FaultRule } from "../../../machine/abi/faults.ts";
import { PHONE_NAMES } from "../../configuration/keys/names.ts";
import { CHANGEABLE_FEATURES, cpuNamed, DEFAULT_CPU, NAMED_CPUS } from "../../../model/plans/cpus.ts";
import { knownVms, type SessionPlan } from "../../../model/plans/plan.ts";
import { problemOf, UserError } from "../../../kit/support/problem.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** The CPU, by its full name. */
export function cpuOption(): Option<"--cpu <name>", undefined, undefined, undefined, false, string | undefined> {
  const text = `an architecture, core or phone with changes, such as v8.4,+FEAT_RNG (${
    hintText(hint("reference cpu"))
  }; default: "${DEFAULT_CPU}"; all but v8 have pages of 16K and 64K, docs/own-guests.md)`;
  return offering(new Option("--cpu <name>", text).argParser((text: string) => readCpu(text, cpuNamed)), cpuOffers);
}

/** The CPUs, and after a comma the features that change one. */
export function cpuOffers({ last }: CompletedLine): Offer[] {
  const before = last.slice(0, last.lastIndexOf(",") + 1);
  if (before === "") return NAMED_CPUS.map(({ name, title }) => ({ word: name, help: title }));
  return CHANGEABLE_FEATURES.flatMap((feature) => [{ word: `${before}+${feature}` }, { word: `${before}-${feature}` }]);
}

/**
 * Data of the CPU that the user names.
 * @throws Failure that lists what can be named
 */
export function readCpu<T>(text: string, read: (text: string) => T): T {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new Failure(problemOf(error, "cpu"));
  }
}

/** A phone whose values are the defaults of the configuration. */
export function phoneOption() {
  return new Option("--phone <name>", "profile of a phone; keys of the configuration take precedence (el2 reference phone NAME)").choices(
    PHONE_NAMES,
  );
}

/** Rules of faults that are injected from the start, for `readRules`. */
export function injectOption(): Option<"--inject <rule>", undefined, string[], undefined, false, string[] | undefined> {
  return new Option("--inject <rule>", "inject a fault from the start, such as 'rpc msg=MEM_LEND nth=3 -> NOMEM'; repeatable")
    .argParser((text: string, before: string[] | undefined) => [...before ?? [], text]);
}

/**
 * Fault rules by their texts, read before the plan of their machine is made, which may fetch. A run
 * without any need not wait for the names of all that can fail.
 * @throws Failure that reports the error in a rule.
 */
export async function readRules(texts: readonly string[]): Promise<FaultRule[]> {
  const { readFaultRule } = await import("../../../model/queries/fault-rule.ts");
  return await withRuleErrors(() => texts.map(readFaultRule));
}

/**
 * The texts of rules that name what a machine has.
 * @throws Failure that reports the error in a rule.
 */
export async function checkedRules(rules: readonly FaultRule[], plan: SessionPlan): Promise<string[]> {
  const { checkNames } = await import("../../../model/queries/fault-rule.ts"), vms = knownVms(plan);
  await withRuleErrors(() => rules.forEach((rule) => checkNames(rule, vms)));
  return rules.map(({ text }) => text);
}

async function withRuleErrors<T>(work: () => T): Promise<T> {
  const { FaultRuleError } = await import("../../../model/queries/fault-rule.ts");
  try {
    return work();
  } catch (error) {
    if (!(error instanceof FaultRuleError)) throw error;
    throw new Failure(`inject: ${error.message}`, way`see ${hint("inject", { help: true })}`);
  }
}

/** Another seed for a machine that is continued; one that begins has a key for it. */
export const seedOption = new Option("--seed <n>", "give a snapshot's guests other random numbers from here on")
  .argParser(parseWhole(0, 2 ** 32 - 1));

/** Options with the values that were given, as arguments of another command line. */
export function argumentsOf(options: readonly Option[], values: Readonly<Record<string, unknown>>): string[] {
  return options.flatMap((option) => {
    const value = values[option.attributeName()];
    if (value === undefined) return [];
    // Of `--no-NAME` the value is true if it was not given.
    if (option.negate) return value === false ? [option.long!] : [];
    return [value].flat().flatMap((one) => one === true ? [option.long!] : [option.long!, String(one)]);
  });
}

/** Options that set the keys of their names in [machine]. */
const KEYS = ["cpu", "phone", "turbo"] as const;

/** The options of a machine that are keys of its configuration. */
export type KeyOptions = { readonly [option in typeof KEYS[number]]?: string | boolean };

/** The given ones as changes of a configuration. */
export function changesOf(options: KeyOptions): string[] {
  return KEYS.flatMap((option) => {
    const value = options[option];
    return value === undefined ? [] : [`machine.${option}=${value}`];
  });
}

/** `--set KEY=VALUE`, once for each. */
export function setOption(): Option<"--set <key=value>", undefined, string[], undefined, false, string[] | undefined> {
  const text =
    "change a value of the configuration, such as vm.rt.memory=8MiB or machine.seed=7 (docs/reference/configuration.md); repeatable";
  return new Option("--set <key=value>", text).argParser((text: string, before: string[] | undefined) => {
    if (!/^[^=]+=./.test(text)) throw new Failure(`--set: "${text}" is not KEY=VALUE`, "use for example vm.rt.memory=8MiB");
    return [...before ?? [], text];
  });
}
