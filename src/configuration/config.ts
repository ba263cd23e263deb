// Reads a configuration (el2.toml, docs/design/workstation.md §3): syntax, keys, types, ranges, and
// what must fit together. All errors come at once, each as `FILE:LINE:COLUMN: what; way out`.
// `plan-run.ts` checks the files that it names.

import * as v from "valibot";
import { parse, TomlError } from "smol-toml";
import { type KeyPath, type Position, TomlPositions } from "./positions.ts";
import {
  DEFAULT_HOST_MEMORY,
  deviceKeys,
  type File,
  type FileLink,
  type FileUi,
  type FileVm,
  HOST_KEYS,
  KNOWN_KEYS,
  OWN_SCHEDULE_KEYS,
  Schema,
  shown,
} from "./schema.ts";
import { THEMES } from "./theme-names.ts";
import { meets, NEEDS, needText } from "./needs.ts";
import { notKnown } from "./plain-values.ts";
import { GH } from "../abi/ioctl/gunyah.ts";
import { rulesOf } from "../host/interface.ts";
import { PERSONAS } from "../abi/ioctl/personas.ts";
import { MAXIMUM_PRIMARY_MEMORY, MINIMUM_PLATFORM_MEMORY } from "../machine/memory-map.ts";
import { applyPhone } from "./phones.ts";
import { formatSize } from "../support/units.ts";
import { KiB } from "../support/sizes.ts";
import { didYouMean, nearest } from "../support/did-you-mean.ts";
import { hex } from "../support/number-text.ts";

/** One thing wrong with a configuration. */
export interface ConfigError extends Position {
  readonly message: string;
}

/** An error of a configuration; line and column are 0 where it is nowhere in the text. */
export const nowhere = (message: string): ConfigError => ({ line: 0, column: 0, message });

/** A checked configuration. `positions` finds keys for later errors. */
export interface Config {
  readonly file: File;
  readonly positions: TomlPositions;
  /**
   * Parts that were removed because they are invalid: errors that follow from them are not
   * reported. Empty in a valid file.
   */
  readonly spoilt: Spoilt;
}

/**
 * Result of `readConfig`. Errors are in the order of the text; `rest` is the valid part, if any,
 * which can be checked for more errors.
 */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly errors: readonly ConfigError[]; readonly rest: Config | undefined };

const NO_VM = "no VM; add [vm.NAME] with a kernel or an image";
/** Messages for missing required keys, where the default message would not help. */
const MISSING: Readonly<Record<string, string>> = { el2: "el2 is missing; begin the file with el2 = 1", vm: NO_VM };

/** Characters of a configuration, and tables inside each other: a device of a VM has four. */
const TEXT_MAX = 256 * KiB;
const DEPTH_MAX = 16;
/** Characters of a key: positions keep the path of each key as a text. */
const KEY_MAX = 128;

export const VM_NAME = /^[a-z][a-z0-9-]*$/;
/** Bytes of one. */
export const VM_NAME_MAX = 79;
export const THEME_NAME = /^[a-z][a-z0-9-]*$/;

/** The tables of a TOML file, or the place where it is not TOML. */
export function readToml(text: string): { readonly raw: Record<string, unknown> } | { readonly error: ConfigError } {
  const refuse = (message: string) => ({ error: { line: 1, column: 1, message } });
  if (text.length > TEXT_MAX) return refuse(`the file has ${text.length} characters; it may have ${TEXT_MAX}`);
  try {
    const raw = parse(text);
    if (isDeeper(raw, DEPTH_MAX)) return refuse(`tables and lists are nested deeper than ${DEPTH_MAX}`);
    return hasLongKey(raw) ? refuse(`a key has more than ${KEY_MAX} characters`) : { raw };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const message = error.message.split("\n")[0].replace(/^Invalid TOML document: /, "");
    return { error: { line: error.line, column: error.column, message: `this is not TOML: ${message}` } };
  }
}

/** Keys of a configuration, as TOML has them. */
export type Table = Record<string, unknown>;

function refused(message: string): ConfigResult {
  return { ok: false, errors: [{ line: 1, column: 1, message }], rest: undefined };
}

/** Checks the text of a configuration, with changes (`vm.rt.memory=8MiB`) that override it. */
export function readConfig(text: string, changes: readonly string[] = []): ConfigResult {
  if (text.length > TEXT_MAX) return refused(`the file has ${text.length} characters; a configuration has at most ${TEXT_MAX}`);
  const read = readToml(text);
  if ("error" in read) return { ok: false, errors: [read.error], rest: undefined };
  return checkedTable(changed(read.raw, changes), new TomlPositions(text));
}

/**
 * Checks the keys of a configuration; a profile of a phone adds its own.
 * @param positions of the keys in a text; without one, errors have no useful position
 */
export function checkedTable(raw: Table, positions = new TomlPositions("")): ConfigResult {
  if (isDeeper(raw, DEPTH_MAX)) return refused(`tables and lists are nested deeper than ${DEPTH_MAX}`);
  applyPhone(raw);
  // Such a host makes its VMs by itself, so that none are missing.
  if (isTable(raw.host) && raw.host.kind === "image") raw.vm ??= {};
  const errors = new ConfigErrors(positions);
  checkKeys(raw, errors);
  const result = v.safeParse(Schema, raw, { abortPipeEarly: true });
  const wrong = result.issues?.map((issue) => (issue.path ?? []).map((item) => item.key as string | number)) ?? [];
  for (const [index, issue] of (result.issues ?? []).entries()) {
    const path = wrong[index];
    const key = path.findLast((part) => typeof part === "string");
    if (issue.received === "undefined") errors.atKey(path, MISSING[path.join(".")] ?? `${key} is missing${inTable(path)}`);
    else errors.atIssue(path, issue);
  }
  const spoilt = new Spoilt([...wrong, ...errors.meant]);
  const rest = result.success ? result : v.safeParse(Schema, spoilt.takenOut(raw), { abortPipeEarly: true });
  const config = rest.success ? { file: rest.output, positions, spoilt } : undefined;
  if (config !== undefined) checkTogether(config, errors);
  if (config !== undefined && errors.found.length === 0) return { ok: true, config };
  return { ok: false, errors: errors.sorted(), rest: config };
}

/** Whether tables and lists are nested deeper than `most`; it looks no deeper than that. */
function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== "object" || value === null || value instanceof Date) return false;
  return most === 0 || Object.values(value).some((part) => isDeeper(part, most - 1));
}

/** Whether a table in a value of bounded depth has a key that is too long. */
function hasLongKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof Date) return false;
  return Object.entries(value).some(([key, part]) => key.length > KEY_MAX || hasLongKey(part));
}

/** Values that are wrong by themselves. */
export class Spoilt {
  /**
   * Paths of what has to go with them: the whole of a device or a link, as a part of it means
   * nothing.
   */
  readonly #paths: readonly KeyPath[];

  constructor(wrong: readonly KeyPath[]) {
    const depth = (path: KeyPath) => path[0] === "vm" && path[2] === "devices" ? 4 : path[0] === "vm" || path[0] === "ui" ? 3 : 2;
    const whole = wrong.map((path) => path.slice(0, depth(path)));
    this.#paths = [...new Map(whole.map((path) => [JSON.stringify(path), path])).values()];
  }

  /** Whether one of these keys, or something in them, is wrong. */
  has(...keys: readonly KeyPath[]): boolean {
    return keys.some((key) => this.#paths.some((path) => key.every((part, index) => index >= path.length || path[index] === part)));
  }

  /** The file without them. */
  takenOut(raw: Record<string, unknown>): Record<string, unknown> {
    const rest = structuredClone(raw);
    // From the end, so that indices of devices stay right.
    for (const path of this.#paths.toReversed()) {
      const table = path.slice(0, -1).reduce<unknown>((inside, part) => (inside as Record<string, unknown> | undefined)?.[part], rest);
      const last = path.at(-1);
      if (Array.isArray(table)) table.splice(last as number, 1);
      else if (isTable(table)) delete table[last as string];
    }
    return rest;
  }
}

/**
 * A table with values set by their paths: `vm.rt.memory=8MiB` each. Numbers, booleans, quoted
 * texts, lists and tables are those of TOML, everything else is text.
 */
export function changed(table: Table, changes: readonly string[]): Table {
  for (const change of changes) applyChange(table, change);
  return table;
}

function applyChange(raw: Table, change: string): void {
  const [path, text] = [change.slice(0, change.indexOf("=")), change.slice(change.indexOf("=") + 1)];
  const keys = path.split(".");
  let table = raw;
  for (const key of keys.slice(0, -1)) {
    const next = table[key];
    table = (isTable(next) ? next : table[key] = {}) as Table;
  }
  table[keys.at(-1)!] = changedValue(text);
}

function changedValue(text: string): unknown {
  if (/^-?\d+$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  if (!/^[[{"]/.test(text)) return text;
  const read = readToml(`value = ${text}`);
  return "raw" in read ? read.raw.value : text;
}

export function formatConfigError(file: string, { line, column, message }: ConfigError): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** Collects errors by key path. */
export class ConfigErrors {
  readonly found: ConfigError[] = [];
  /** Misspelled keys, as they were probably meant: their defaults cause no further errors. */
  readonly meant: KeyPath[] = [];

  constructor(readonly positions: TomlPositions) {}

  atKey(path: KeyPath, message: string): void {
    this.#add(this.positions.key(path), path, message);
  }

  atValue(path: KeyPath, message: string): void {
    this.#add(this.positions.value(path), path, message);
  }

  /** A value that its schema refuses. */
  atIssue(path: KeyPath, { input, message }: Pick<v.BaseIssue<unknown>, "input" | "message">): void {
    const key = path.findLast((part) => typeof part === "string");
    this.atValue(path, [key, shown(key, input), message].filter((part) => part !== "").join(" "));
  }

  /** For a path that is missing, the error goes to the table that lacks it. */
  #add(position: Position | undefined, path: KeyPath, message: string): void {
    for (let length = path.length - 1; position === undefined && length > 0; length--) position = this.positions.key(path.slice(0, length));
    this.found.push({ ...position ?? { line: 1, column: 1 }, message });
  }

  sorted(): ConfigError[] {
    return this.found.sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

function tableName(path: KeyPath): string {
  return path.map((key) => typeof key === "number" ? `[${key}]` : key).join(".").replaceAll(".[", "[");
}

function inTable(path: KeyPath): string {
  return path.length > 1 ? ` in [${tableName(path.slice(0, -1))}]` : "";
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Keys that nothing knows. Values of a wrong type are left to the schema. */
function checkKeys(raw: Record<string, unknown>, errors: ConfigErrors): void {
  checkTable(raw, [], KNOWN_KEYS.root, errors);
  for (const name of ["machine", "host", "rm", "ui"] as const) {
    if (isTable(raw[name])) checkTable(raw[name], [name], KNOWN_KEYS[name], errors);
  }
  if (isTable(raw.host)) checkHostKeys(raw.host, errors);
  for (const [name, vm] of Object.entries(isTable(raw.vm) ? raw.vm : {})) {
    if (!VM_NAME.test(name)) errors.atKey(["vm", name], `vm name ${JSON.stringify(name)} is not of the form [a-z][a-z0-9-]*`);
    if (new TextEncoder().encode(name).length > VM_NAME_MAX) errors.atKey(["vm", name], `vm name is longer than ${VM_NAME_MAX} bytes`);
    if (!isTable(vm)) continue;
    checkTable(vm, ["vm", name], KNOWN_KEYS.vm, errors);
    const devices = Array.isArray(vm.devices) ? vm.devices as unknown[] : [];
    devices.forEach((device, index) => {
      const known = isTable(device) ? deviceKeys(device.kind) : undefined;
      if (known !== undefined) checkTable(device as Record<string, unknown>, ["vm", name, "devices", index], known, errors);
    });
  }
  for (const [name, link] of Object.entries(isTable(raw.link) ? raw.link : {})) {
    if (!isTable(link)) continue;
    if (link.kind === "msgqueue-pair" || link.kind === "doorbell" || link.kind === "shm") {
      checkTable(link, ["link", name], KNOWN_KEYS[link.kind], errors);
    }
  }
}

/** Keys that only the other kind of host has. */
function checkHostKeys(host: Record<string, unknown>, errors: ConfigErrors): void {
  const other = host.kind === "image" ? "native" : "image";
  for (const key of HOST_KEYS[other]) if (key in host) errors.atKey(["host", key], `${key} belongs to kind = "${other}"`);
}

/** Tables that would start programs, which no configuration may. */
const PROGRAM_KEYS: ReadonlyMap<string, string> = new Map([
  ["ui.command", "; commands belong in your own ~/.config/el2/ui.toml"],
  ["hook", "; to start programs on events, use el2 events --follow --json"],
]);

function checkTable(table: Record<string, unknown>, path: KeyPath, known: readonly string[], errors: ConfigErrors): void {
  const where = path.length > 0 ? ` in [${tableName(path)}]` : "";
  for (const key of Object.keys(table)) {
    if (path[0] === "vm" && OWN_SCHEDULE_KEYS.includes(key) && table.schedule !== "own") {
      errors.atKey([...path, key], `${key} needs schedule = "own"; a proxied vCPU runs where its caller runs`);
      continue;
    }
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    if (meant !== undefined) errors.meant.push([...path, meant]);
    const way = PROGRAM_KEYS.get(tableName([...path, key])) ?? didYouMean(key, known);
    errors.atKey([...path, key], `unknown key ${JSON.stringify(key)}${where}${way}`);
  }
}

/** Rules between keys. */
function checkTogether({ file, spoilt }: Config, errors: ConfigErrors): void {
  // Without a known number of CPUs, none is out of range.
  const cpus = spoilt.has(["machine", "cpus"]) ? Infinity : file.machine.cpus;
  if (!spoilt.has(["ui", "theme"], ["ui", "themes"])) checkThemes(file.ui, errors);
  const vms = Object.entries(file.vm);
  if (file.host.kind === "image") return checkHostImage(file, errors);
  if (vms.length === 0 && !spoilt.has(["vm"])) errors.atKey(["vm"], NO_VM);
  if (file.host.vcpus !== undefined && file.host.vcpus > cpus) {
    errors.atValue(["host", "vcpus"], `vcpus ${file.host.vcpus} is over the ${cpus} physical CPUs of [machine]; use 1..${cpus}`);
  }
  for (const [name, vm] of vms) {
    checkVm(name, vm, cpus, spoilt, errors);
    if (!spoilt.has(["vm", name, "memory"], ["vm", name, "base"])) checkBase(name, vm, 2 ** file.machine.ipa_bits, errors);
    checkStart(name, vm.start, file, errors);
    checkDriver(name, vm, file, spoilt, errors);
    if (vm.hypervisor === "geniezone" && !file.host.gzvm && !spoilt.has(["host", "gzvm"])) {
      errors.atValue(["vm", name, "hypervisor"], 'hypervisor "geniezone" needs /dev/gzvm; add gzvm = true to [host]');
    }
  }
  checkVariables(vms, errors);
  const buffers = Object.values(file.link).reduce((sum, link) => link.kind === "shm" ? sum + link.size : sum, 0);
  const needed = vms.reduce((sum, [, vm]) => sum + ramOf(vm) + firmwareRoom(vm), (file.host.memory ?? DEFAULT_HOST_MEMORY) + buffers);
  const unknown = spoilt.has(["machine", "memory"], ["host", "memory"], ...vms.map(([name]) => ["vm", name, "memory"]));
  const has = formatSize(file.machine.memory);
  if (file.machine.memory < MINIMUM_PLATFORM_MEMORY && !unknown) {
    const range = `${formatSize(MINIMUM_PLATFORM_MEMORY)}..${formatSize(MAXIMUM_PRIMARY_MEMORY)}`;
    errors.atValue(["machine", "memory"], `memory "${has}" is outside ${range}`);
  } else if (needed > file.machine.memory && !unknown) {
    errors.atValue(["machine", "memory"], `memory "${has}" is under the ${formatSize(needed)} that host and VMs need together`);
  }
  checkContextIds(vms, errors);
  checkLinks(Object.entries(file.link), file, errors);
}

/** The theme is one of ours or one of the file's, which have names that ours do not have. */
export function checkThemes({ theme, themes }: FileUi, errors: ConfigErrors): void {
  const known = ["auto", ...THEMES], own = Object.keys(themes);
  for (const name of own) {
    if (known.includes(name)) errors.atKey(["ui", "themes", name], `theme ${JSON.stringify(name)} exists already; use another name`);
    else if (!THEME_NAME.test(name)) {
      errors.atKey(["ui", "themes", name], `theme name ${JSON.stringify(name)} is not of the form [a-z][a-z0-9-]*`);
    }
  }
  const all = [...known, ...own];
  if (theme === undefined || all.includes(theme)) return;
  errors.atValue(["ui", "theme"], `theme ${JSON.stringify(theme)} ${notKnown(...all)}`);
}

/** An image as the primary VM makes its own VMs. */
function checkHostImage({ vm, link }: File, errors: ConfigErrors): void {
  const way = 'remove it, or use [host] kind = "native"';
  for (const name of Object.keys(vm)) errors.atKey(["vm", name], `the primary VM is an image, which creates its own VMs; ${way}`);
  for (const name of Object.keys(link)) errors.atKey(["link", name], `links connect VMs of the native host; ${way}`);
}

/** Context ids that devices are given: the network of sockets has each once. */
function checkContextIds(vms: readonly [string, FileVm][], errors: ConfigErrors): void {
  const users = new Map<number, string>();
  for (const [name, { devices = [] }] of vms) {
    devices.forEach((device, index) => {
      if (device.kind !== "vsock" || device.cid === undefined) return;
      const other = users.get(device.cid);
      if (other !== undefined) {
        errors.atValue(
          ["vm", name, "devices", index, "cid"],
          `cid ${device.cid} is already that of vm ${JSON.stringify(other)}; change one`,
        );
      }
      users.set(device.cid, name);
    });
  }
}

/** A VM's RAM and windows are in its addresses, which end at `limit`, one after the other. */
function checkBase(name: string, { base, memory, windows = [], size_max: sizeMax }: FileVm, limit: number, errors: ConfigErrors): void {
  const end = Math.min(limit, base + (sizeMax ?? Infinity));
  if (base + memory > limit) {
    const message = `base ${hex(base)} leaves no room for ${formatSize(memory)}; use at most ${hex(limit - memory)}`;
    return errors.atValue(["vm", name, "base"], message);
  }
  let free = base + memory;
  for (const [index, window] of windows.entries()) {
    const at = ["vm", name, "windows", index];
    if (window.base < free) {
      errors.atValue(at, `the window at ${hex(window.base)} overlaps the RAM below it; begin at ${hex(free)} or above, in ascending order`);
    } else if (window.base + window.size > end) {
      const more = limit < 2 ** 40 ? "; [machine] ipa_bits = 40 has addresses up to 0xffffffffff" : "";
      errors.atValue(at, `the window at ${hex(window.base)} ends above ${hex(end)}${more}`);
    }
    free = window.base + window.size;
  }
}

/** A file of variables has one writer. */
function checkVariables(vms: readonly (readonly [string, FileVm])[], errors: ConfigErrors): void {
  for (const [index, [name, { bios_vars: path }]] of vms.entries()) {
    const other = path === undefined ? undefined : vms.slice(0, index).find(([, vm]) => vm.bios_vars === path)?.[0];
    if (other !== undefined) {
      errors.atValue(["vm", name, "bios_vars"], `vm ${JSON.stringify(other)} keeps its variables there; use another file`);
    }
  }
}

function checkVm(name: string, vm: FileVm, cpus: number, spoilt: Spoilt, errors: ConfigErrors): void {
  const path = ["vm", name];
  const unknown = (...keys: string[]) => spoilt.has(...keys.map((key) => [...path, key]));
  if (vm.kernel === undefined && vm.image === undefined && vm.bios === undefined && !unknown("kernel", "image", "bios")) {
    errors.atKey(path, `vm ${JSON.stringify(name)} needs a kernel or an image`);
  }
  if (vm.kernel !== undefined && vm.image !== undefined) {
    errors.atKey([...path, "image"], "image and kernel are mutually exclusive; use kernel for Linux, image for bare metal");
  }
  if (vm.bios !== undefined && (vm.kernel ?? vm.image) !== undefined) {
    errors.atKey([...path, "bios"], "bios replaces kernel and image; remove it, or them");
  }
  for (const need of NEEDS) {
    const { key, value, when = {}, needs } = need, given = vm[key as keyof FileVm];
    if (given === undefined || value !== undefined && given !== value || !meets(vm, when) || meets(vm, needs)) continue;
    if (unknown(...Object.keys({ ...when, ...needs }))) continue;
    if (value === undefined) errors.atKey([...path, key], needText(need));
    else errors.atValue([...path, key], needText(need));
  }
  checkBoard(path, vm, errors);
  if (vm.schedule === "own") checkOwnSchedule(path, unknown("vcpus") ? undefined : vm.vcpus, vm, cpus, errors);
  if (vm.vcpus > cpus) {
    errors.atValue([...path, "vcpus"], `vcpus ${vm.vcpus} is over the ${cpus} physical CPUs of [machine]; use 1..${cpus}`);
  }
}

/** Bytes of a VM's RAM. */
function ramOf({ memory, windows = [] }: FileVm): number {
  return windows.reduce((sum, { size }) => sum + size, memory);
}

/** Bytes of a VM's memory besides its RAM. */
function firmwareRoom(vm: FileVm): number {
  return rulesOf(vm).room({ isProtected: vm.type === "protected", hasBios: vm.bios !== undefined });
}

/** Values that do not fit the board of a VM. */
function checkBoard(path: KeyPath, vm: FileVm, errors: ConfigErrors): void {
  const { platform } = vm, { keys, ports, ram } = rulesOf(vm);
  if (vm.base !== ram && !keys.includes("base")) {
    errors.atValue([...path, "base"], `the RAM of platform "${platform}" begins at 0x${ram.toString(16)}; remove base`);
  }
  if (ports === undefined) return;
  vm.devices?.forEach(({ kind }, index) => {
    if (kind !== "pl011") return;
    errors.atValue([...path, "devices", index, "kind"], `platform "${platform}" has ${ports}; remove it`);
  });
}

/** A driver without RUN has no VMs whose vCPUs their owner runs. */
function checkDriver(name: string, vm: FileVm, { host }: File, spoilt: Config["spoilt"], errors: ConfigErrors): void {
  const { device } = host;
  const unknown = spoilt.has(["host", "device"], ["vm", name, "schedule"], ["vm", name, "hypervisor"]);
  const { functions, requests } = PERSONAS[device];
  if (vm.windows !== undefined && !unknown && vm.hypervisor === "gunyah" && PERSONAS[device].memory.given !== "on-demand") {
    const why = "gives memory in parcels, which the resource manager places one after the other";
    errors.atKey(["vm", name, "windows"], `device "${device}" ${why}; windows need device = "v17" or later`);
  }
  const rules = rulesOf(vm), { vmm } = rules, inFlash = vm.bios !== undefined && rules.bios === "flash" && vm.hypervisor === "gunyah";
  if (inFlash && !unknown && PERSONAS[device].memory.given !== "on-demand") {
    errors.atKey(["vm", name, "bios"], `device "${device}" gives memory in parcels, which are never flash; use the default, "union"`);
  }
  const regions = requests.includes(GH.SET_USER_MEM_REGION) || device === "legacy";
  if (vmm !== undefined && !unknown && vm.hypervisor === "gunyah" && functions && !regions) {
    errors.atValue(["host", "device"], `device "${device}" has no SET_USER_MEM_REGION, by which ${vmm} gives memory; use "v14"`);
  }
  if (unknown || vm.hypervisor === "geniezone" || vm.schedule === "own" || functions !== undefined) return;
  errors.atValue(
    ["host", "device"],
    `device "${device}" has no ioctl to run vCPUs; give vm ${JSON.stringify(name)} schedule = "own" and devices = []`,
  );
}

/** `start = "after:NAME"`: another VM, which does not wait for this one in turn. */
function checkStart(name: string, start: string, { vm: vms }: File, errors: ConfigErrors): void {
  const path = ["vm", name, "start"];
  const other = afterOf(start);
  if (other === undefined) return;
  if (!Object.hasOwn(vms, other)) {
    return errors.atValue(path, `no vm ${JSON.stringify(other)}${didYouMean(other, Object.keys(vms))}`);
  }
  const seen = [name];
  for (let next: string | undefined = other; next !== undefined; next = afterOf(vms[next]?.start ?? "auto")) {
    if (next === name) return errors.atValue(path, `start ${JSON.stringify(start)} waits for itself: ${[...seen, name].join(" -> ")}`);
    if (seen.includes(next)) return;
    seen.push(next);
  }
}

/** The VM that a VM waits for, by its `start`. */
export function afterOf(start: string): string | undefined {
  return start.startsWith("after:") ? start.slice("after:".length) : undefined;
}

/** Ports of a console on a virtio-mmio object, which has 16 queues, two of them for control. */
export const OBJECT_PORTS = 7;

function checkOwnSchedule(path: KeyPath, vcpus: number | undefined, vm: FileVm, cpus: number, errors: ConfigErrors): void {
  const map = vm.affinity_map;
  if (map !== undefined && map.length !== (vcpus ?? map.length)) {
    const entries = `${map.length} ${map.length === 1 ? "entry" : "entries"}`;
    errors.atValue([...path, "affinity_map"], `affinity_map has ${entries} for ${vcpus} vcpus; name a physical CPU for each`);
  }
  map?.forEach((cpu, index) => {
    if (cpu < cpus) return;
    errors.atValue([...path, "affinity_map", index], `affinity_map names CPU ${cpu}; [machine] has ${cpus}; use 0..${cpus - 1}`);
  });
  vm.devices?.forEach((device, index) => {
    const place = [...path, "devices", index, "kind"];
    if (device.kind === "pl011") {
      const why = "nothing handles device accesses of a VM that the hypervisor schedules";
      errors.atValue(place, `a pl011 needs schedule = "proxy"; ${why}; use { kind = "console" }`);
    } else if (device.kind === "console" && device.ports.length > OBJECT_PORTS) {
      errors.atValue(
        place,
        `a console of ${device.ports.length} ports has more queues than an object of the hypervisor's; use ${OBJECT_PORTS}`,
      );
    }
  });
}

/** Names that `link` mentions, with the keys that hold them. */
function linkEnds(link: FileLink): { vm: string; key: KeyPath }[] {
  if (link.kind === "msgqueue-pair") return link.between.map((vm, index) => ({ vm, key: ["between", index] }));
  if (link.kind === "shm") return Object.keys(link.access).map((vm) => ({ vm, key: ["access", vm] }));
  return [{ vm: link.from, key: ["from"] }, { vm: link.to, key: ["to"] }];
}

const LINK_NAMES = { "msgqueue-pair": "message queue pairs", doorbell: "doorbells", shm: "shared memories" } as const;

function checkLinks(links: readonly [string, FileLink][], file: File, errors: ConfigErrors): void {
  const names = Object.keys(file.vm);
  links.forEach(([name, link], index) => {
    const ends = linkEnds(link);
    for (const { vm, key } of ends) {
      if (names.includes(vm)) continue;
      errors.atValue(["link", name, ...key], `no vm ${JSON.stringify(vm)}${didYouMean(vm, names)}`);
    }
    for (const { vm, key } of link.kind === "doorbell" ? ends : []) {
      const { platform } = file.vm[vm] ?? {}, { firstLabel } = rulesOf({ platform });
      if (link.label >= firstLabel) continue;
      const why = `labels below ${firstLabel} are those of the interrupts of platform "${platform}"`;
      errors.atValue(["link", name, "label"], `${why}, which vm ${JSON.stringify(vm)} (${key.join(".")}) has; use a higher one`);
    }
    if (link.kind !== "shm" && ends[0].vm === ends[1].vm) {
      errors.atValue(["link", name, ...ends[1].key], `${JSON.stringify(name)} connects ${ends[0].vm} to itself`);
    }
    // The first link keeps the label; each later link with the same label gets an error.
    for (const [other, before] of links.slice(0, index)) {
      if (before.kind !== link.kind || before.label !== link.label) continue;
      const shared = ends.find(({ vm }) => linkEnds(before).some((end) => end.vm === vm));
      if (shared === undefined) continue;
      const kind = LINK_NAMES[link.kind];
      const both = `${JSON.stringify(other)} and ${JSON.stringify(name)}`;
      errors.atValue(["link", name, "label"], `label ${link.label}: ${kind} ${both} meet in vm ${JSON.stringify(shared.vm)}; change one`);
    }
  });
}
