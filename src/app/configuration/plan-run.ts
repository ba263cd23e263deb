// From what `el2 run` names (a configuration, an image, `debian`) or the embedded demo to the plan
// of a native host: reads the files.

import type { DriverQuirks, NativeHostPlan, VmPlan } from "../../machine/host/interface.ts";
import { type Behaviour, DEFAULT_BEHAVIOUR } from "../../machine/hypervisor/options.ts";
import { checkRoot } from "../../session/assembly/layout/boot-plan.ts";
import { compactSymbols } from "../../inside/symbols/elf-symbols.ts";
import { sameBytes } from "../../kit/support/values/bytes.ts";
import { exists } from "../../kit/support/files/cache.ts";
import { addedConfiguration } from "../catalog/add.ts";
import { diskGuestTable, hasDiskGuest } from "../catalog/boot.ts";
import { DEBIAN_RELEASES } from "../catalog/catalog.ts";
import { buffersOf, linksByVm } from "./links.ts";
import {
  changed,
  changedKeys,
  checkedTable,
  type Config,
  type ConfigResult,
  keyName,
  readConfig,
  type Spoilt,
  type Table,
} from "./config.ts";
import { type ConfigError, type ConfigFact, configProblem, hiddenProblem, ruled } from "../../model/plans/config-fact.ts";
import { type Files, inFolder, load, logOf, problemFact, type Refuse, refuseInShared, symbolsIn, TakenFiles } from "./files.ts";
import { hostUse } from "./host-use.ts";
import { planHostImage } from "./host-image.ts";
import { TomlPositions } from "./positions.ts";
import { savedKeys } from "./saved-table.ts";
import { planVm } from "./plan-vm.ts";
import { DEFAULT_HOST_MEMORY, TAKEN_NAMES, VM_NAME_MAX } from "../../model/plans/limits.ts";
import { NATIVE_HOST } from "./keys/host.ts";
import { planned } from "./keys/key.ts";
import { MACHINE, NATIVE_RM } from "./keys/machine.ts";
import { HISTORY } from "./keys/ui.ts";
import { type File, type FileRm, type FileUi, RM_KEYS } from "./schema.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { DEMO, EMBEDDED_FILES, TOUR } from "./embedded.ts";
import { cannotRead, readToEnd } from "../../kit/support/files/named-file.ts";
import { type Problem, within } from "../../kit/support/problem.ts";
import {
  type BootPlan,
  type DevicePlan,
  FIRST_CID,
  PlanError,
  type PlanTable,
  PRIMARY_CONSOLE,
  type RootPlan,
  type RunPlan,
} from "../../model/plans/plan.ts";
import {
  beyondFolder,
  type Consent,
  hostPathOf,
  type HostResource,
  isPath,
  placesOf,
  type PlanSource,
  sourceFile,
  withoutConnections,
} from "../../model/plans/host-resources.ts";
import { type CpuPlan, planCpu } from "../../cpu/isa/cpus/cpus.ts";
import { RootImageError } from "../../session/assembly/layout/root-images.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { terminalWord } from "../../kit/support/text/terminal-text.ts";
import { mapWayOut, way } from "../../kit/support/text/way-out.ts";
import { node } from "../../kit/support/node-modules.ts";

/** A machine and its guests: the content of a configuration, with all files read. */
export interface RunConfiguration {
  /** Physical CPUs. */
  readonly cpus: number;
  readonly cpu?: CpuPlan;
  /** Bytes of all guests' memory together; where the primary VM is an image, of that one. */
  readonly memory: number;
  readonly turbo: boolean;
  readonly behaviour?: Behaviour;
  readonly seed: number;
  /** The program of the root VM, if not our Resource Manager. */
  readonly root?: RootPlan;
  /** The native host with its VMs, or an image as the primary VM. */
  readonly what: RunPlan | BootPlan;
  /** The table that makes it again; undefined with errors. */
  readonly table?: PlanTable;
  /** ELF files with symbols of VMs, by VM. */
  readonly symbols?: Readonly<Record<string, readonly Uint8Array[]>>;
  /** Where the paths of its files, folders and sockets lead. */
  readonly places?: Readonly<Record<string, string>>;
  /** File that the run is recorded to. */
  readonly recordTo: string | undefined;
  /** Files that consoles are written to, by console. */
  readonly logs: Readonly<Record<string, string>>;
  /** Bytes of memory and of the disk for states of the run. */
  readonly historyMemory?: number;
  readonly diskBudget?: number;
  /** The file's settings of the screens. */
  readonly ui: FileUi;
}

/** Result of planning: the configuration, or the problems in the order of its text. */
export type RunResult = { readonly ok: true; readonly run: RunConfiguration } | {
  readonly ok: false;
  readonly problems: readonly Problem[];
};

const refusedFor = (problem: Problem): RunResult => ({ ok: false, problems: [problem] });

/** Characters of a name that are kept for the number of another VM of this name. */
const NUMBER_ROOM = 4;

/** This program's folder, for generated tables. */
const HERE: Files = { folder: "." };

/** The judge of a plan's uses of this computer. */
interface Judged extends PlanReader {
  readonly source: PlanSource;
  /** Keys that the user has typed: their values need no consent. */
  readonly typed: readonly string[];
}

/** How the user is asked for consent, and whether a file asks for it. */
export interface PlanReader {
  readonly consent: Consent;
  /** The file that names the plan and its changes; without it the user has typed them. */
  readonly source?: PlanSource;
  /** The machine will have no connections. */
  readonly alone?: boolean;
}

/**
 * Plans the machine of a table with a configuration's keys: the one way to a plan. Errors have no
 * position.
 * @param changes `KEY=VALUE` each, which override the table
 * @param reader who has not typed the table; by default the user, this program, or a file whose
 * reader asks for consent later
 */
export async function planOf(
  table: Table,
  reader?: PlanReader,
  files: Files = HERE,
  changes: readonly string[] = [],
): Promise<RunResult> {
  const all = changed(structuredClone({ el2: 1, ...table }), changes), positions = new TomlPositions("", changes.map(changedKeys));
  return await planChecked(checkedTable(all, positions), files, undefined, judgedBy(reader));
}

/** The user has typed everything, or the judge of what a source names. */
function judgedBy(reader: PlanReader | undefined): Judged | undefined {
  return reader?.source && { ...reader, source: reader.source, typed: [] };
}

/**
 * Plans what `el2 run WHAT` names: FILE.toml, `demo`, a guest of the catalog (`debian`,
 * `debian-trixie`, or added), or a bare-metal or Linux image.
 * @param changes `KEY=VALUE` each, which override the configuration
 */
export async function planRun(what: string, reader: PlanReader, changes: readonly string[] = []): Promise<RunResult> {
  if (what.endsWith(".toml")) return await planFile(what, reader, changes);
  const judged = judgedBy(reader);
  if (what === "demo") return await planChecked(readConfig(DEMO, changes), EMBEDDED, "the demo", judged);
  const own = await addedConfiguration(what);
  if (own !== undefined) return await planChecked(readConfig(own, changes), HERE, undefined, judged);
  const guest = diskGuestTable(what);
  if (guest !== undefined && await hasDiskGuest(what)) return await planOf(guest, reader, HERE, changes);
  const table = await vmTable(what);
  return "what" in table ? refusedFor(table) : await planOf(table, reader, HERE, changes);
}

/**
 * A table with one VM of an image, or of a Debian of the catalog without a disk; what is wrong if
 * there is neither.
 * @param more devices of the VM, for which a Debian's ramdisk has the drivers
 */
export async function vmTable(
  what: string,
  more: readonly Table[] = [],
): Promise<{ readonly vm: Readonly<Record<string, Table>> } | Problem> {
  const devices = more.length > 0 && { devices: [{ kind: "pl011" }, ...more] };
  if (DEBIAN_NAMES.includes(what)) return debianTable(what, devices);
  if (!what.includes("/") && !await exists(what)) {
    const wayOut = didYouMean(what, ["demo", ...DEBIAN_NAMES]) ?? way`list them with ${hint("guests ls")}`;
    return { what: `image ${terminalWord(what)}: no such file, and no guest of this name`, wayOut };
  }
  return imageTable(what, devices);
}

/** Guests of the catalog. */
export const DEBIAN_NAMES: readonly string[] = ["debian", ...DEBIAN_RELEASES.map((release) => `debian-${release}`)];

/** Plans the embedded three-VM demo. */
export async function planDemo(): Promise<RunResult> {
  return await planChecked(readConfig(DEMO), EMBEDDED, "the demo", undefined);
}

/** Plans the machine of the tour: the demo, and a VM with a defect. */
export async function planTour(): Promise<RunResult> {
  return await planChecked(readConfig(TOUR), EMBEDDED, "the tour", undefined);
}

/** Files of the program itself: there may be no folder to read them from. */
const EMBEDDED: Files = { folder: "embedded:", given: EMBEDDED_FILES };

/** The key of a VM's devices, if it has any. */
type VmDevices = { readonly devices: readonly Table[] } | false;

/** One VM with a kernel and a ramdisk of the catalog. */
function debianTable(guest: string, devices: VmDevices) {
  const [kernel, initrd] = ["Image", devices ? "initrd-virtio" : "initrd"].map((file) => `catalog:${guest}/${file}`);
  const vm = { kernel, initrd, cmdline: "console=ttyAMA0", memory: "512MiB", on_exit: "end-session", ...devices };
  return { machine: { memory: "768MiB" }, vm: { debian: vm } };
}

/** One VM with an image of the user's. */
function imageTable(image: string, devices: VmDevices) {
  return { vm: { [vmNameOf(image)]: { image, cmdline: "console=ttyAMA0", on_exit: "end-session", ...devices } } };
}

/**
 * The name of an image's VM: that of its file, as far as VMs can have it, and with a number where
 * another VM has it.
 */
export function vmNameOf(image: string, others: readonly string[] = []): string {
  const file = node.path.basename(image).replace(/\.[a-z]\w*$/i, "").toLowerCase();
  const stem = file.replaceAll(/[^a-z0-9-]/g, "-").replace(/^[^a-z]+/, "").slice(0, VM_NAME_MAX - NUMBER_ROOM) || "vm";
  let name = stem;
  for (let number = 2; TAKEN_NAMES.includes(name) || others.includes(name); number++) name = `${stem}-${number}`;
  return name;
}

async function planFile(path: string, reader: PlanReader, changes: readonly string[]): Promise<RunResult> {
  let text: string;
  if (reader.source) askFor(reader, reader.source, [hostPathOf("configuration", path, false)]);
  try {
    text = new TextDecoder().decode(readToEnd(path));
  } catch (error) {
    return refusedFor(within(path, cannotRead(error)));
  }
  const own = sourceFile("configuration", path, () => text);
  const { source: named } = reader, source = named ? { ...named, content: () => `${named.content()}\0${text}` } : own;
  // The changes come from who names the file.
  const typed = named ? [] : changes.map((change) => change.slice(0, change.indexOf("=")));
  const judged = { ...reader, source, typed };
  return await planChecked(readConfig(text, changes), { folder: own.folder }, path, judged);
}

/**
 * Plans the text of a configuration, which is trusted with this computer.
 * @param name prefix of line and column in errors; undefined for generated text, whose errors have
 * no position
 * @param folder of relative paths in it
 * @param changes `KEY=VALUE` each, which override the text
 */
export async function planText(
  text: string,
  name: string | undefined,
  folder: string,
  changes: readonly string[] = [],
): Promise<RunResult> {
  return await planChecked(readConfig(text, changes), { folder }, name, undefined);
}

/**
 * @param judged resources that were neither typed by the user nor made by this program need consent
 * @throws the error of who asks for it
 */
async function planChecked(
  result: ConfigResult,
  files: Files,
  name: string | undefined,
  judged: Judged | undefined,
): Promise<RunResult> {
  const errors: ConfigError[] = result.ok ? [] : [...result.errors];
  // Errors in files are reported together with those in the text.
  const config = result.ok ? result.config : result.rest;
  const use = () => config ? hostUse(config.file, files, judged?.typed ?? []) : [];
  const judgedUse = judged?.alone ? withoutConnections(use()) : use();
  const beyond = judged ? beyondFolder(judged.source.folder, judgedUse) : [];
  // Nothing beyond the folder is looked at before there is consent, and a text that is wrong asks
  // for none.
  if (judged && beyond.length > 0) {
    if (errors.length > 0) return refusedWith(errors, files, name);
    judged.consent(judged.source, beyond);
  }
  const run = config && await planConfig(config, files, errors);
  if (run !== undefined && errors.length === 0) {
    const places = placesOf(use());
    const moved = judgedUse.filter(isPath).find(({ path, place }) => places[path] !== place);
    if (moved) {
      return refusedFor({ what: `${terminalWord(moved.path)} leads elsewhere since it was read`, wayOut: "start again" });
    }
    return { ok: true, run: { ...run, places } };
  }
  return refusedWith(errors, files, name);
}

/** Asks for consent to what lies beyond the folder of a source. */
function askFor({ consent }: PlanReader, source: PlanSource, resources: readonly HostResource[]): void {
  const beyond = beyondFolder(source.folder, resources);
  if (beyond.length > 0) consent(source, beyond);
}

function refusedWith(errors: ConfigError[], files: Files, name: string | undefined): RunResult {
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  const isHidden = files === EMBEDDED && name !== undefined;
  return { ok: false, problems: errors.map((error) => isHidden ? hiddenProblem(name, error) : configProblem(name, error)) };
}

async function planConfig(config: Config, named: Files, errors: ConfigError[]): Promise<RunConfiguration | undefined> {
  const taken = new TakenFiles(), run = await planMachine(config, { ...named, taken }, errors);
  // Errors leave parts of the table out.
  if (run === undefined || errors.length > 0) return run;
  const files = { files: Object.fromEntries(taken.contents), variables: Object.fromEntries(taken.variables) };
  const disks = taken.images.size > 0 && { disks: Object.fromEntries(taken.images) };
  return { ...run, table: { keys: savedKeys(config.raw, named, taken), ...files, ...disks } };
}

async function planMachine(
  { file, positions, spoilt }: Config,
  files: Files,
  errors: ConfigError[],
): Promise<RunConfiguration | undefined> {
  const symbols: Record<string, readonly Uint8Array[]> = {};
  const logs: Record<string, string> = {};
  /** Notes errors at keys of a table. */
  const refuseIn = (...table: string[]): Refuse => (key, fact) => {
    const position = positions.value([...table, key]) ?? positions.key(table) ?? { line: 1, column: 1 };
    errors.push({ ...position, fact: inWords(fact), key: keyName([...table, key]) });
  };
  const manager = planned(NATIVE_RM, "behaviour", file.rm);
  const behaviour: Behaviour = { ...DEFAULT_BEHAVIOUR, ...planned(MACHINE, "behaviour", file.machine), ...manager };
  const root = spoilt.has(["rm"]) ? undefined : await planRoot(file.rm, files, refuseIn("rm"));
  const recordTo = file.machine.record === "off" ? undefined : inFolder(file.machine.record, files);
  const cpu = spoilt.has(["machine", "cpu"]) ? undefined : planCpu(file.machine.cpu);
  const { memory } = file.machine;
  const session = { ...planned(MACHINE, "session", file.machine), ...planned(HISTORY, "session", file.history) };
  const common = { root, ...session, ...cpu && { cpu }, behaviour, logs, ui: file.ui, recordTo };
  const named = () => Object.keys(symbols).length > 0 && { symbols };
  if (file.host.kind === "image") {
    // Most of what is said about it rests on the machine.
    if (spoilt.has(["machine"], ["host"])) return undefined;
    const planned = await planHostImage(file.host, { cpu, memory, files, hasRoot: file.rm.kind === "image" }, refuseIn("host"));
    if (planned === undefined) return undefined;
    if (planned.symbols) symbols[PRIMARY_CONSOLE] = [planned.symbols];
    if (planned.log !== undefined) logs[PRIMARY_CONSOLE] = planned.log;
    const { devices = [] } = planned.boot;
    refuseInShared(filesOf(devices, planned.log), devices, refuseIn("host"));
    return { ...common, ...named(), memory: planned.memory, what: planned.boot };
  }
  const vms = await planVms(file, files, { symbols, logs }, (name) => refuseIn("vm", name), spoilt);
  const vmMsis = vms.some(({ msi }) => msi === "its");
  return { ...common, behaviour: { ...behaviour, vmMsis }, ...named(), what: { kind: "run", host: nativeHostOf(file, vms) } };
}

/** Parts of VMs that are not in their plans, by VM. */
interface Brought {
  readonly symbols: Record<string, readonly Uint8Array[]>;
  readonly logs: Record<string, string>;
}

/** A fact whose texts, which may be a stranger's, stay in their line. */
function inWords(fact: ConfigFact): ConfigFact {
  if (fact.code !== "rule") return fact;
  const { what, wayOut } = fact;
  return { ...fact, what: terminalWord(what), ...wayOut !== undefined && { wayOut: mapWayOut(wayOut, terminalWord) } };
}

async function planVms(
  file: File,
  files: Files,
  { symbols, logs }: Brought,
  refuseIn: (vm: string) => Refuse,
  spoilt: Spoilt,
): Promise<VmPlan[]> {
  const vms: VmPlan[] = [], links = linksByVm(Object.values(file.link));
  for (const [index, [name, vm]] of Object.entries(file.vm).entries()) {
    const refuse = refuseIn(name);
    const log = logOf(vm.devices, files, refuse);
    if (log !== undefined) logs[name] = log;
    const roomKnown = !spoilt.has(["vm", name, "memory"], ["vm", name, "base"]);
    const place = {
      cid: FIRST_CID + index,
      files,
      links: links.get(name) ?? [],
      roomKnown,
      hasIts: file.rm.kind === "native",
      cpu: spoilt.has(["machine", "cpu"]) ? undefined : planCpu(file.machine.cpu),
    };
    const plan = await planVm(name, vm, place, refuse);
    if (plan === undefined) continue;
    // Symbols that the user names take precedence over those of the image.
    const named = await load("symbols", vm.symbols, { ...files, taken: undefined }, refuse, symbolsIn);
    const known = named ?? await load("image", vm.image, files, refuse, compactSymbols);
    if (known) symbols[name] = [known];
    const before = vms.find(({ firmware }) => firmware !== undefined);
    if (before !== undefined && plan.firmware !== undefined && !sameBytes(before.firmware!.bytes, plan.firmware.bytes)) {
      const what = `firmware ${vm.firmware} is not vm ${JSON.stringify(before.name)}'s`;
      refuse("firmware", ruled(what, "RM holds one for all protected VMs"));
    }
    vms.push(plan);
  }
  const devices = vms.flatMap((vm) => vm.devices ?? []);
  for (const vm of vms) refuseInShared(filesOf(vm.devices, logs[vm.name]), devices, refuseIn(vm.name));
  return vms;
}

/** Files that el2 writes for a VM: its log, and captures of its cards. */
function filesOf(devices: readonly DevicePlan[] = [], log?: string): string[] {
  const captures = devices.flatMap((device) => device.kind === "net" && device.capture !== undefined ? [device.capture] : []);
  return log === undefined ? captures : [log, ...captures];
}

function nativeHostOf({ host, machine, link }: File, vms: readonly VmPlan[]): NativeHostPlan {
  const { memory = DEFAULT_HOST_MEMORY, vcpus = Math.min(2, machine.cpus) } = host;
  const quirks: DriverQuirks = planned(NATIVE_HOST, "quirks", host), hasQuirks = Object.keys(quirks).length > 0;
  const driver = { ...planned(NATIVE_HOST, "driver", host), ...hasQuirks && { quirks } };
  return { memory, vcpus, vms, buffers: buffersOf(Object.values(link)), driver };
}

/**
 * The images of `[rm] kind = "image"`; undefined for our own Resource Manager, or where something
 * is wrong.
 */
async function planRoot(rm: FileRm, files: Files, refuse: Refuse): Promise<RootPlan | undefined> {
  const { kind, runtime, app } = rm, given = (keys: readonly string[]) => keys.filter((key) => rm[key as keyof FileRm] !== undefined);
  if (kind === "native") {
    for (const key of given(RM_KEYS.image)) refuse(key, { code: "belongs", key, kind: "image" });
    return undefined;
  }
  for (const key of given(RM_KEYS.native)) refuse(key, { code: "belongs", key, kind: "native", why: "an image has its own rules" });
  if (runtime === undefined) refuse("kind", { code: "needs", what: 'kind "image"', needs: "a runtime" });
  if (app === undefined) refuse("kind", { code: "needs", what: 'kind "image"', needs: "an app" });
  const images = {
    runtime: await load("runtime", runtime, files, refuse, (file) => file),
    app: await load("app", app, files, refuse, (file) => file),
  };
  if (images.runtime === undefined || images.app === undefined) return undefined;
  const root = { runtime: images.runtime, app: images.app };
  try {
    checkRoot(root);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    refuse(error instanceof RootImageError ? error.file : "app", problemFact(error));
  }
  return root;
}
