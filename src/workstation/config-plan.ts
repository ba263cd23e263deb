// From what `el2 run` names (a configuration, an image, `debian`) or the embedded demo to the plan of a native host: reads the files.

import { type HostDriver, type NativeHostPlan, type OwnSchedule, type VmImage, type VmLink, type VmPlan } from "../host/plan.ts";
import { neededMemory } from "../host/vm-layout.ts";
import type { Behaviour } from "../hypervisor/behaviour.ts";
import { checkRoot } from "./boot-plan.ts";
import { compactSymbols, readElfSymbols, writeElfSymbols } from "./symbols/elf-symbols.ts";
import { catalogPath, DEBIAN_RELEASES } from "./catalog.ts";
import { type Config, type ConfigError, formatConfigError, readConfig } from "./config.ts";
import type { FileHost, FileLink, FileRm, FileUi, FileVm } from "./config-schema.ts";
import { DEMO, EMBEDDED_FOLDER, embeddedFile } from "./embedded.ts";
import { formatSize, MiB } from "./config-units.ts";
import { PlanError, type RootPlan } from "./plan.ts";
import { bareMetalImage, firmwareImage, linuxImage } from "./images.ts";

/** A machine and the native host on it: what a configuration says, with all files read. */
export interface RunConfiguration {
  /** Physical CPUs. */
  readonly cpus: number;
  /** Bytes of all guests' memory together. */
  readonly memory: number;
  readonly turbo: boolean;
  readonly behaviour?: Behaviour;
  readonly seed: number;
  /** What runs in the root VM in place of our resource manager. */
  readonly root?: RootPlan;
  readonly host: NativeHostPlan;
  /** ELF files with symbols of VMs, by VM. */
  readonly symbols?: Readonly<Record<string, Uint8Array>>;
  /** What the file says of the screens. */
  readonly ui: FileUi;
}

/** Result of planning: the configuration, or lines that say what is wrong. */
export type RunResult = { readonly ok: true; readonly run: RunConfiguration } | { readonly ok: false; readonly errors: readonly string[] };

/** Timeslice of a VM that the hypervisor schedules, microseconds. */
const DEFAULT_TIMESLICE = 5000;

/** Plans what `el2 run WHAT` names: FILE.toml, a Debian of the catalogue (`debian`, `debian-trixie`), or a bare-metal or Linux image. */
export async function planRun(what: string, changes: readonly string[] = []): Promise<RunResult> {
  if (what.endsWith(".toml")) return await planFile(what, changes);
  const catalogued = what === "debian" || DEBIAN_RELEASES.some((release) => what === `debian-${release}`);
  return await planText(catalogued ? debianConfiguration(what) : imageConfiguration(what), undefined, ".", changes);
}

/** Plans the embedded three-VM demo. */
export async function planDemo(): Promise<RunResult> {
  return await planText(DEMO, "the demo", EMBEDDED_FOLDER);
}

/** One VM with a kernel and a ramdisk of the catalogue. */
function debianConfiguration(guest: string): string {
  return `el2 = 1
[machine]
memory = "768MiB"
[vm.debian]
kernel = "catalog:${guest}/Image"
initrd = "catalog:${guest}/initrd"
cmdline = "console=ttyAMA0"
memory = "512MiB"
on_exit = "end-session"
`;
}

/** One VM with an image of the user's. */
function imageConfiguration(path: string): string {
  return `el2 = 1\n[vm.guest]\nimage = ${JSON.stringify(path)}\ncmdline = "console=ttyAMA0"\non_exit = "end-session"\n`;
}

async function planFile(path: string, changes: readonly string[] = []): Promise<RunResult> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    return { ok: false, errors: [`${path}: ${cannotRead(error)}`] };
  }
  return await planText(text, path, path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : ".", changes);
}

/**
 * Plans the text of a configuration.
 * @param name what stands before line and column in errors; undefined for a text that no person wrote, whose errors are bare.
 * @param folder what paths in it are relative to.
 * @param changes `KEY=VALUE` each, which take the place of what the text says.
 */
export async function planText(
  text: string,
  name: string | undefined,
  folder: string,
  changes: readonly string[] = [],
): Promise<RunResult> {
  const result = readConfig(text, changes);
  const errors: ConfigError[] = result.ok ? [] : [...result.errors];
  const run = result.ok ? await planConfig(result.config, folder, errors) : undefined;
  if (run !== undefined && errors.length === 0) return { ok: true, run };
  errors.sort((a, b) => a.line - b.line || a.column - b.column);
  return { ok: false, errors: errors.map((error) => name === undefined ? error.message : formatConfigError(name, error)) };
}

async function planConfig({ file, positions }: Config, folder: string, errors: ConfigError[]): Promise<RunConfiguration> {
  const vms: VmPlan[] = [];
  const symbols: Record<string, Uint8Array> = {};
  for (const [name, vm] of Object.entries(file.vm)) {
    const refuse = (key: string, message: string) => {
      const position = positions.value(["vm", name, key]) ?? positions.key(["vm", name]) ?? { line: 1, column: 1 };
      errors.push({ ...position, message });
    };
    const plan = await planVm(name, vm, linksOf(name, Object.values(file.link)), folder, refuse);
    if (plan === undefined) continue;
    // What a person names is looked at before what comes with the image.
    const named = await load("symbols", vm.symbols, folder, refuse, (file) => writeElfSymbols(readElfSymbols(file)));
    const known = named ?? await load("image", vm.image, folder, refuse, compactSymbols);
    if (known) symbols[name] = known;
    const before = vms.find(({ firmware }) => firmware !== undefined);
    if (before !== undefined && plan.firmware !== undefined && !sameBytes(before.firmware!.bytes, plan.firmware.bytes)) {
      refuse("firmware", `firmware ${vm.firmware} is not vm ${JSON.stringify(before.name)}'s; RM holds one for all protected VMs`);
    }
    vms.push(plan);
  }
  const { cpus, memory, turbo, seed, cap_ids: capIds, quirks, strict, check } = file.machine;
  const behaviour = { capIds, quirks, strict, check };
  const root = await planRoot(file.rm, folder, (key, message) => {
    const position = positions.value(["rm", key]) ?? positions.key(["rm"]) ?? { line: 1, column: 1 };
    errors.push({ ...position, message });
  });
  return {
    root,
    cpus,
    memory,
    turbo,
    seed,
    behaviour,
    ...Object.keys(symbols).length > 0 && { symbols },
    host: { memory: file.host.memory, vcpus: file.host.vcpus ?? Math.min(2, cpus), vms, driver: driverOf(file.host) },
    ui: file.ui,
  };
}

/** `[host] device` and `gzvm`: the VMs are then run by VMMs on /dev/gunyah. */
function driverOf({ device, gzvm, memlock }: FileHost): HostDriver | undefined {
  return device || gzvm ? { device: device ?? "union", gzvm, memlock } : undefined;
}

/** The images of `[rm] kind = "image"`; undefined for our own resource manager, or where something is wrong. */
async function planRoot({ kind, runtime, app }: FileRm, folder: string, refuse: Refuse): Promise<RootPlan | undefined> {
  if (kind === "native") {
    if (runtime !== undefined) refuse("runtime", 'runtime belongs to kind = "image"');
    if (app !== undefined) refuse("app", 'app belongs to kind = "image"');
    return undefined;
  }
  if (runtime === undefined) refuse("kind", 'kind "image" needs a runtime');
  if (app === undefined) refuse("kind", 'kind "image" needs an app');
  const files = {
    runtime: await load("runtime", runtime, folder, refuse, (file) => file),
    app: await load("app", app, folder, refuse, (file) => file),
  };
  if (files.runtime === undefined || files.app === undefined) return undefined;
  const root = { runtime: files.runtime, app: files.app };
  try {
    checkRoot(root);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    refuse(error.message.startsWith("root runtime:") ? "runtime" : "app", error.message);
  }
  return root;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

type Refuse = (key: string, message: string) => void;

async function planVm(name: string, vm: FileVm, links: VmLink[], folder: string, refuse: Refuse): Promise<VmPlan | undefined> {
  const kernel = await load("kernel", vm.kernel, folder, refuse, linuxImage);
  const bareMetal = await load("image", vm.image, folder, refuse, (file) => bareMetalImage(file, vm.base, vm.memory));
  const initrd = await load("initrd", vm.initrd, folder, refuse, (file) => file);
  const firmware = await load("firmware", vm.firmware, folder, refuse, firmwareImage);
  const image: VmImage | undefined = kernel ?? bareMetal;
  if (image === undefined) return undefined;
  const needed = neededMemory({ image, firmware, initrd });
  if (needed > vm.memory) {
    const enough = formatSize(Math.ceil(needed / (2 * MiB)) * 2 * MiB);
    refuse("memory", `memory ${formatSize(vm.memory)} is too small for what vm ${JSON.stringify(name)} is loaded with; use ${enough}`);
  }
  return {
    name,
    hypervisor: vm.hypervisor,
    image,
    firmware,
    initrd,
    cmdline: vm.cmdline,
    memory: vm.memory,
    base: vm.base,
    vcpus: vm.vcpus,
    schedule: vm.schedule === "proxy" ? "proxy" : ownSchedule(vm),
    // Without the key a VM has a console where somebody can answer for it.
    console: vm.devices === undefined ? vm.schedule === "proxy" : vm.devices.length > 0,
    links,
    onExit: vm.on_exit,
  };
}

function ownSchedule(vm: FileVm): OwnSchedule {
  return {
    affinity: vm.affinity ?? "static",
    affinityMap: vm.affinity_map ?? Array.from({ length: vm.vcpus }, (_, index) => index),
    priority: vm.priority ?? -1,
    timeslice: vm.timeslice ?? DEFAULT_TIMESLICE,
  };
}

/** Reads the file that a key names and makes something of it; a failure is an error at the key's value. */
async function load<T>(
  key: string,
  reference: string | undefined,
  folder: string,
  refuse: Refuse,
  make: (file: Uint8Array) => T,
): Promise<T | undefined> {
  if (reference === undefined) return undefined;
  let path: string;
  try {
    path = reference.startsWith("catalog:")
      ? await catalogPath(reference)
      : reference.startsWith("/")
      ? reference
      : `${folder}/${reference}`;
  } catch (error) {
    refuse(key, reason(error));
    return undefined;
  }
  let file: Uint8Array;
  try {
    file = embeddedFile(path) ?? await Deno.readFile(path);
  } catch (error) {
    refuse(key, `${key} ${reference}: ${cannotRead(error)}`);
    return undefined;
  }
  try {
    return make(file);
  } catch (error) {
    refuse(key, `${key} ${reference}: ${reason(error)}`);
    return undefined;
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why a file could not be read. Anything that is not about the file is a bug of ours and goes on. */
function cannotRead(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.IsADirectory) return "this is a folder";
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) return "this may not be read";
  throw error;
}

/** The links of one VM, as it sees them. */
function linksOf(vm: string, links: readonly FileLink[]): VmLink[] {
  return links.flatMap((link): VmLink[] => {
    if (link.kind === "msgqueue-pair") {
      const { label, between: [a, b], depth, size } = link;
      return vm === a || vm === b ? [{ kind: "message-queue-pair", label, peer: vm === a ? b : a, depth, size }] : [];
    }
    const { label, from, to, source_can_clear: sourceCanClear } = link;
    if (vm === to) return [{ kind: "doorbell", label, peer: from, sourceCanClear }];
    return vm === from ? [{ kind: "doorbell-source", label, peer: to, sourceCanClear }] : [];
  });
}
