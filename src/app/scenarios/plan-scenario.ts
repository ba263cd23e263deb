// The machine of a scenario: what its first step boots, without outside connections, so that every
// run is the same run.

import { planOf, type PlanReader, planRun, type RunResult } from "../configuration/plan-run.ts";
import { type Consent, sourceFile } from "../../model/plans/host-resources.ts";
import { knownVms, PRIMARY_CONSOLE, type SessionPlan } from "../../model/plans/plan.ts";
import { checkNames, FaultRuleError, type KnownVm, parseFaultRule } from "../../model/queries/fault-rule.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { ONLY_CONSOLE, type Scenario, ScenarioError, type Step } from "./scenario.ts";
import { problemOf, problemOfAll, within } from "../../kit/support/problem.ts";

type Boot = Extract<Step, { kind: "boot" }>;
type Primary = Exclude<Boot["boot"], string>;

/**
 * Plans a scenario's machine.
 * @param seed instead of those of scenario and configuration
 * @throws ScenarioError that names the missing part, or the error of who asks for consent
 */
export async function planScenario(scenario: Scenario, seed: number | undefined, consent: Consent): Promise<SessionPlan> {
  const step = scenario.steps[0] as Boot, { boot } = step;
  const reader: PlanReader = { consent, source: sourceFile("scenario", scenario.file, () => scenario.source), alone: true };
  const result = typeof boot === "string" ? await planVms(scenario, step, boot, reader) : await planPrimary(scenario, boot, reader);
  if (!result.ok) {
    throw new ScenarioError(problemOfAll(result.problems.map((problem) => within(`${scenario.file}:${step.line}: boot`, problem))));
  }
  const { ui: _, recordTo: _recordTo, ...plan } = result.run;
  const vms = knownVms(plan);
  const consoles = consolesOf(plan);
  for (const step of scenario.steps) checkConsole(scenario, step, consoles);
  for (const rule of scenario.inject) checkRule(`${scenario.file}: inject`, rule, vms);
  for (const step of scenario.steps) if (step.kind === "inject") checkRule(`${scenario.file}:${step.line}: inject`, step.inject, vms);
  return { ...plan, seed: seed ?? scenario.seed ?? plan.seed, inject: scenario.inject, turbo: true };
}

/** @throws ScenarioError where a step leaves out the console, and there is not one alone */
function checkConsole({ file }: Scenario, step: Step, consoles: readonly string[]): void {
  const key = step.kind === "send" ? "to" : "of", name = "to" in step ? step.to : "of" in step ? step.of : undefined;
  if (name !== ONLY_CONSOLE || consoles.length === 1) return;
  const what = `${file}:${step.line}: ${step.kind} needs ${key}`;
  throw new ScenarioError(what, consoles.length === 0 ? "the machine has no console" : `its consoles are ${consoles.join(", ")}`);
}

/** @throws ScenarioError where a rule names what the machine does not have */
function checkRule(place: string, rule: string, vms: readonly KnownVm[]): void {
  try {
    checkNames(parseFaultRule(rule), vms);
  } catch (error) {
    if (!(error instanceof FaultRuleError)) throw error;
    throw new ScenarioError(problemOf(error, place));
  }
}

async function planVms(scenario: Scenario, step: Boot, what: string, reader: PlanReader): Promise<RunResult> {
  const isFile = what !== "demo" && !/^debian(-[a-z]+)?$/.test(what);
  return await planRun(isFile ? beside(scenario, what) : what, reader, step.set);
}

async function planPrimary(scenario: Scenario, primary: Primary, reader: PlanReader): Promise<RunResult> {
  const { image, initrd, append: cmdline, memory, cpus } = primary;
  const files = { kernel: beside(scenario, image), ...initrd !== undefined && { initrd: beside(scenario, initrd) } };
  return await planOf({ machine: { cpus, memory: formatSize(memory) }, host: { kind: "image", ...files, cmdline } }, reader);
}

/** A path as the scenario means it: relative to its own folder. */
function beside({ file }: Scenario, path: string): string {
  return path.startsWith("/") || !file.includes("/") ? path : `${file.slice(0, file.lastIndexOf("/"))}/${path}`;
}

/** Consoles of a plan's VMs. */
export function consolesOf({ what }: SessionPlan): string[] {
  return what.kind === "boot" ? [PRIMARY_CONSOLE] : what.host.vms.filter((vm) => vm.console).map(({ name }) => name);
}
