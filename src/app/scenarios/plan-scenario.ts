// The machine of a scenario: what its first step boots, without outside connections, so that every
// run is the same run.

import { planOf, type PlanReader, planRun, type RunResult } from "../configuration/plan-run.ts";
import { beyondFolder, type Consent, type PlanSource, sourceFile } from "../../model/plans/host-resources.ts";
import { knownVms, PRIMARY_CONSOLE, type SessionPlan } from "../../model/plans/plan.ts";
import { checkNames, FaultRuleError, type KnownVm, parseFaultRule } from "../../model/queries/fault-rule.ts";
import { shellQuoted } from "../../kit/support/text/shell.ts";
import { formatSize } from "../../kit/support/text/units.ts";
import { ONLY_CONSOLE, type Scenario, ScenarioError, type Step, withConsole } from "./scenario.ts";
import { type KeptPrompts, type PreparedPlan, RAMDISK, withClock } from "./kept-prompts.ts";
import { guestFile, isGuestRoot, type Ramdisk, ramdiskOf, type RootChoice, rootUse } from "./scenario-root.ts";
import { problemOf, problemOfAll, UserError, within } from "../../kit/support/problem.ts";

type Boot = Extract<Step, { kind: "boot" }>;
type Primary = Exclude<Boot["boot"], string>;

/** The console of a Linux that is the primary VM. */
const CONSOLE = "console=ttyAMA0";

type JudgedReader = PlanReader & { readonly source: PlanSource };

/** A machine, and the ramdisk that was made for it. */
interface PlannedBoot {
  readonly result: RunResult;
  readonly ramdisk?: Ramdisk;
  /** The state at its prompt follows from its plan: it has no disks and folders of the computer. */
  readonly isWhole?: boolean;
}

/** The clock (s) of all machines of this process that share a state: it has to be the same. */
const STARTED = Math.floor(Date.now() / 1000);

/** A scenario whose steps name their consoles and commands, with its machine. */
export interface PlannedScenario extends PreparedPlan {
  readonly scenario: Scenario;
  /** It begins at a prompt, with a state that it shares. */
  readonly isPrepared: boolean;
}

/**
 * Plans a scenario's machine.
 * @param seed instead of those of scenario and configuration
 * @param prompts states of earlier processes, and those for later ones
 * @throws ScenarioError that names the missing part, or the error of `consent`
 */
export async function planScenario(
  scenario: Scenario,
  seed: number | undefined,
  consent: Consent,
  prompts?: KeptPrompts,
): Promise<PlannedScenario> {
  const step = scenario.steps[0] as Boot, { boot } = step, isPrepared = step.from !== undefined;
  const reader = { consent, source: sourceFile("scenario", scenario.file, () => scenario.source), alone: true };
  const { result, ramdisk, isWhole }: PlannedBoot = typeof boot === "string"
    ? { result: await planVms(scenario, step, boot, reader) }
    : await planPrimary(scenario, boot, reader);
  if (!result.ok) {
    throw new ScenarioError(problemOfAll(result.problems.map((problem) => within(`${scenario.file}:${step.line}: boot`, problem))));
  }
  const { ui: _, recordTo: _recordTo, ...planned } = result.run;
  const vms = knownVms(planned);
  const consoles = consolesOf(planned);
  for (const step of scenario.steps) checkConsole(scenario, step, consoles);
  for (const rule of scenario.inject) checkRule(`${scenario.file}: inject`, rule, vms);
  for (const step of scenario.steps) if (step.kind === "inject") checkRule(`${scenario.file}:${step.line}: inject`, step.inject, vms);
  if (isPrepared && consoles.length !== 1) {
    throw new ScenarioError(`${scenario.file}:${step.line}: boot: from needs a machine with one console`, consolesText(consoles));
  }
  const plan = { ...planned, seed: seed ?? scenario.seed ?? planned.seed, inject: scenario.inject, turbo: true };
  const all = { scenario: withKselftest(withConsole(scenario, consoles), ramdisk?.kselftests ?? []), isPrepared };
  if (!isPrepared) return { ...all, plan };
  const shared = withClock(plan, STARTED);
  return { ...all, ...prompts && isWhole ? await prompts.plan(shared, ramdisk) : { plan: shared } };
}

/**
 * kselftest appends what its programs report to /dev/stdout, which a system without udev lacks: it
 * would be a file.
 */
const LINK_STDOUT = "[ -e /dev/stdout ] || ln -s /proc/self/fd/1 /dev/stdout";

/** The same with commands for targets of kselftest. @throws ScenarioError if there is none */
function withKselftest(scenario: Scenario, [folder]: readonly string[]): Scenario {
  const steps = scenario.steps.map((step): Step => {
    if (step.kind !== "run" || typeof step.run === "string") return step;
    const targets = step.run.kselftest.map((target) => `-c ${target}`).join(" ");
    if (folder !== undefined) return { ...step, run: `cd ${shellQuoted(folder)} && { ${LINK_STDOUT}; ./run_kselftest.sh ${targets}; }` };
    const what = `${scenario.file}:${step.line}: run: no folder of overlay or root has run_kselftest.sh`;
    throw new ScenarioError(what, "build one with make -C tools/testing/selftests install INSTALL_PATH=FOLDER, and name it in overlay");
  });
  return { ...scenario, steps };
}

/** @throws ScenarioError where a step leaves out the console, and there is not one alone */
function checkConsole({ file }: Scenario, step: Step, consoles: readonly string[]): void {
  const key = step.kind === "send" ? "to" : "of", name = "to" in step ? step.to : "of" in step ? step.of : undefined;
  if (name !== ONLY_CONSOLE || consoles.length === 1) return;
  const what = `${file}:${step.line}: ${step.kind} needs ${key}`;
  throw new ScenarioError(what, consolesText(consoles));
}

function consolesText(consoles: readonly string[]): string {
  return consoles.length === 0 ? "the machine has no console" : `its consoles are ${consoles.join(", ")}`;
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

/** A command line that names an init. */
const INIT = /(?:^|\s)(?:rd)?init=/;

async function planPrimary(scenario: Scenario, primary: Primary, reader: JudgedReader): Promise<PlannedBoot> {
  const { image, memory, cpus, append } = primary, choice = rootChoice(scenario, primary), { root, initrd, overlays } = choice;
  checkRoot(scenario, primary);
  const kernel = image === undefined ? root && guestFile(root, "Image") : beside(scenario, image);
  const isMade = overlays.length > 0 || root !== undefined && !isGuestRoot(root);
  const beyond = beyondFolder(reader.source.folder, rootUse(choice));
  if (beyond.length > 0) reader.consent(reader.source, beyond);
  const made = isMade ? await madeRamdisk(scenario, choice) : undefined;
  const hasOwnInit = append !== undefined && INIT.test(append);
  const ramdisk = made ? RAMDISK : isGuestRoot(root) ? guestFile(root, "initrd-virtio") : initrd;
  const cmdline = root === undefined ? append : [CONSOLE, append].filter((part) => part !== undefined).join(" ");
  const host = { kind: "image", kernel, ...ramdisk !== undefined && { initrd: ramdisk }, cmdline };
  const files = { folder: ".", ...made && { given: { [RAMDISK]: made.bytes } } };
  const result = await planOf({ machine: { cpus, memory: formatSize(memory) }, host }, reader, files);
  return { result, ramdisk: hasOwnInit && made ? { ...made, late: [], with: () => made.bytes } : made, isWhole: true };
}

/** @throws ScenarioError */
async function madeRamdisk({ file, steps: [{ line }] }: Scenario, choice: RootChoice): Promise<Ramdisk> {
  try {
    return await ramdiskOf(choice);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new ScenarioError(problemOf(error, `${file}:${line}: boot`));
  }
}

function rootChoice(scenario: Scenario, { root, initrd, overlay }: Primary): RootChoice {
  const laid = Array.isArray(overlay)
    ? overlay.map((folder) => ({ folder, place: "/" }))
    : Object.entries(overlay).map(([place, folder]) => ({ folder, place }));
  return {
    root: root === undefined || isGuestRoot(root) ? root : beside(scenario, root),
    initrd: initrd === undefined ? undefined : beside(scenario, initrd),
    overlays: laid.map(({ folder, place }) => ({ folder: beside(scenario, folder), place })),
  };
}

/** @throws ScenarioError where keys do not go together */
function checkRoot({ file, steps: [{ line }] }: Scenario, { image, initrd, root, overlay }: Primary): void {
  const refuse = (what: string, wayOut: string) => {
    throw new ScenarioError(`${file}:${line}: boot: ${what}`, wayOut);
  };
  if (image === undefined && !isGuestRoot(root)) refuse("image is missing", "name a kernel, or a Debian of the catalog as root");
  if (root !== undefined && initrd !== undefined) refuse("root and initrd are mutually exclusive", "give one");
  const hasOverlay = Array.isArray(overlay) ? overlay.length > 0 : Object.keys(overlay).length > 0;
  if (hasOverlay && root === undefined && initrd === undefined) refuse("overlay needs a root or an initrd", 'such as root = "debian"');
}

/** A path as the scenario means it: relative to its own folder. */
function beside({ file }: Scenario, path: string): string {
  return path.startsWith("/") || !file.includes("/") ? path : `${file.slice(0, file.lastIndexOf("/"))}/${path}`;
}

/** Consoles of a plan's VMs. */
export function consolesOf({ what }: SessionPlan): string[] {
  return what.kind === "boot" ? [PRIMARY_CONSOLE] : what.host.vms.filter((vm) => vm.console).map(({ name }) => name);
}
