// The machine of a scenario: what its first step boots, without outside connections, so that every
// run is the same run.

import { checkBootPlan } from "../assembly/boot-plan.ts";
import { planRun } from "../configuration/plan-run.ts";
import { cannotRead, readToEnd } from "../support/named-file.ts";
import { PRIMARY_CONSOLE, type SessionPlan } from "../plans/plan.ts";
import { type Scenario, ScenarioError, type Step } from "./scenario.ts";

type Boot = Extract<Step, { kind: "boot" }>;
type Primary = Exclude<Boot["boot"], string>;

/**
 * Plans a scenario's machine.
 * @param seed instead of those of scenario and configuration
 * @throws ScenarioError that names the missing part
 */
export async function planScenario(scenario: Scenario, seed: number | undefined): Promise<SessionPlan> {
  const step = scenario.steps[0] as Boot;
  const plan = typeof step.boot === "string" ? await planVms(scenario, step, step.boot) : planPrimary(scenario, step, step.boot);
  return { ...plan, seed: seed ?? scenario.seed ?? plan.seed, inject: scenario.inject, turbo: true };
}

async function planVms(scenario: Scenario, step: Boot, what: string): Promise<SessionPlan> {
  const isFile = what !== "demo" && !/^debian(-[a-z]+)?$/.test(what);
  const result = await planRun(isFile ? beside(scenario, what) : what, step.set);
  if (!result.ok) throw new ScenarioError(result.errors.map((error) => `${scenario.file}:${step.line}: boot: ${error}`).join("\n     "));
  const { ui: _, recordTo: _recordTo, ...plan } = result.run;
  return plan;
}

function planPrimary(scenario: Scenario, step: Boot, { image, initrd, append, memory, cpus }: Primary): SessionPlan {
  const read = (path: string) => {
    try {
      return readToEnd(beside(scenario, path));
    } catch (error) {
      throw new ScenarioError(`${scenario.file}:${step.line}: ${beside(scenario, path)}: ${cannotRead(error)}`);
    }
  };
  const files = { image: read(image), initrd: initrd === undefined ? undefined : read(initrd) };
  const what = { kind: "boot", ...files, dtb: undefined, append, devices: [] } as const;
  const plan: SessionPlan = { cpus, memory, turbo: true, seed: 1, what };
  checkBootPlan(plan, what, image);
  return plan;
}

/** A path as the scenario means it: relative to its own folder. */
function beside({ file }: Scenario, path: string): string {
  return path.startsWith("/") || !file.includes("/") ? path : `${file.slice(0, file.lastIndexOf("/"))}/${path}`;
}

/** Consoles of a plan's VMs. */
export function consolesOf({ what }: SessionPlan): string[] {
  return what.kind === "boot" ? [PRIMARY_CONSOLE] : what.host.vms.filter((vm) => vm.console).map(({ name }) => name);
}
