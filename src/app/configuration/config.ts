// Reads a configuration (el2.toml, docs/design/workstation.md §3): syntax, keys, types, ranges, and
// what must fit together. All errors come at once, each as `FILE:LINE:COLUMN: what; way out`.
// `plan-run.ts` checks the files that it names.

import * as v from "valibot";
import { parse, TomlError } from "smol-toml";
import { type KeyPath, type Position, TomlPositions } from "./positions.ts";
import { deviceKeys, type File, type FileUi, HOST_KEYS, KNOWN_KEYS, OWN_SCHEDULE_KEYS, Schema, shown } from "./schema.ts";
import { THEMES } from "./keys/names.ts";
import { checkMachine, NO_VM } from "./machine-rules.ts";
import { type ConfigError, type ConfigFact, factIn, ruled } from "../../model/plans/config-fact.ts";
import { applyPhone } from "./phone-settings.ts";
import { KiB } from "../../kit/support/values/sizes.ts";
import { nearest } from "../../kit/support/text/did-you-mean.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";

/** A checked configuration. `positions` finds keys for later errors. */
export interface Config {
  readonly file: File;
  /** The table, with the keys that a phone's profile sets. */
  readonly raw: Table;
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

/** Errors of missing required keys, where that they are missing would not help. */
const MISSING: ReadonlyMap<string, ConfigFact> = new Map([["el2", ruled("el2 is missing", "begin the file with el2 = 1")], ["vm", NO_VM]]);

/** Characters of a configuration, and tables inside each other: a device of a VM has four. */
const TEXT_MAX = 256 * KiB;
const DEPTH_MAX = 16;
/** Characters of a key: positions keep the path of each key as a text. */
const KEY_MAX = 128;

export const THEME_NAME = /^[a-z][a-z0-9-]*$/;

/** The tables of a TOML file, or the place where it is not TOML. */
export function readToml(text: string): { readonly raw: Record<string, unknown> } | { readonly error: ConfigError } {
  const refuse = (what: string, wayOut?: string) => ({ error: { line: 1, column: 1, fact: ruled(what, wayOut) } });
  if (text.length > TEXT_MAX) return refuse(`the file has ${text.length} characters`, `it may have ${TEXT_MAX}`);
  try {
    const raw = parse(text);
    if (isDeeper(raw, DEPTH_MAX)) return refuse(`tables and lists are nested deeper than ${DEPTH_MAX}`);
    return hasLongKey(raw) ? refuse(`a key has more than ${KEY_MAX} characters`) : { raw };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split("\n")[0].replace(/^Invalid TOML document: /, "");
    return { error: { line: error.line, column: error.column, fact: ruled(`this is not TOML: ${reason}`) } };
  }
}

/** Keys of a configuration, as TOML has them. */
export type Table = Record<string, unknown>;

function refused(what: string, wayOut?: string): ConfigResult {
  return { ok: false, errors: [{ line: 1, column: 1, fact: ruled(what, wayOut) }], rest: undefined };
}

/**
 * Checks the text of a configuration, with changes (`vm.rt.memory=8MiB`) that override it. Errors
 * in a change have no position.
 */
export function readConfig(text: string, changes: readonly string[] = []): ConfigResult {
  const read = readToml(text);
  if ("error" in read) return { ok: false, errors: [read.error], rest: undefined };
  return checkedTable(changed(read.raw, changes), new TomlPositions(text, changes.map(changedKeys)));
}

/**
 * Checks the keys of a configuration; a profile of a phone adds its own.
 * @param positions of the keys in a text; without one, errors have no useful position
 */
export function checkedTable(raw: Table, positions = new TomlPositions("")): ConfigResult {
  if (isDeeper(raw, DEPTH_MAX)) return refused(`tables and lists are nested deeper than ${DEPTH_MAX}`);
  const badName = nameError(raw, positions);
  if (badName) return { ok: false, errors: [badName], rest: undefined };
  applyPhone(raw);
  // Such a host makes its VMs by itself, so that none are missing.
  if (isTable(raw.host) && raw.host.kind === "image") raw.vm ??= {};
  const errors = new ConfigErrors(positions);
  checkKeys(raw, errors);
  const result = v.safeParse(Schema, raw, { abortPipeEarly: true });
  const wrong = result.issues?.map((issue) => (issue.path ?? []).map((item) => item.key as string | number)) ?? [];
  for (const [index, issue] of (result.issues ?? []).entries()) {
    const path = wrong[index], missing = issue.received === "undefined" ? MISSING.get(path.join(".")) : undefined;
    if (missing) errors.atKey(path, missing);
    else errors.atIssue(path, issue, inTable(path));
  }
  const spoilt = new Spoilt([...wrong, ...errors.meant]);
  const rest = result.success ? result : v.safeParse(Schema, spoilt.takenOut(raw), { abortPipeEarly: true });
  const config = rest.success ? { file: rest.output, raw, positions, spoilt } : undefined;
  if (config !== undefined) checkTogether(config, errors);
  if (config !== undefined && errors.found.length === 0) return { ok: true, config };
  return { ok: false, errors: errors.sorted(), rest: config };
}

/** Tables whose keys are names that the file chooses; `*`: each of them. */
const NAMED: readonly KeyPath[] = [["vm"], ["link"], ["link", "*", "access"], ["ui", "themes"], ["ui", "keys"]];
/** Names that a table of the schema would leave out without a word. */
const NO_NAMES: readonly string[] = ["__proto__", "constructor", "prototype"];

/** The first name that nothing can have, or a list where a table with names belongs. */
function nameError(raw: Table, positions: TomlPositions): ConfigError | undefined {
  const error = (path: KeyPath, fact: ConfigFact) => ({ ...positions.key(path) ?? { line: 1, column: 1 }, fact, key: keyName(path) });
  for (const key of ["vm", "link"]) {
    if (Array.isArray(raw[key])) return error([key], ruled(`[[${key}]] is a list`, `write [${key}.NAME] for each, such as [${key}.a]`));
  }
  for (const [path, table] of NAMED.flatMap((path) => tablesAt(raw, path))) {
    const name = Object.keys(table).find((key) => NO_NAMES.includes(key));
    if (name !== undefined) return error([...path, name], ruled(`${JSON.stringify(name)} cannot be a name`, "use another one"));
  }
  const vms: Table = isTable(raw.vm) ? raw.vm : {},
    isWhole = (name: string) => STARTS.some((key) => isTable(vms[name]) && Object.hasOwn(vms[name], key));
  for (const [table, name, key] of positions.changed) {
    if (table !== "vm" || key === undefined || isWhole(String(name)) || positions.key(["vm", name])?.line !== 0) continue;
    return error(["vm", name], { code: "no-vm", vm: String(name), known: Object.keys(vms).filter(isWhole) });
  }
  return undefined;
}

/** Keys without which a table of a VM makes none. */
const STARTS: readonly string[] = ["kernel", "image", "bios"];

/** The tables at a path, with theirs. */
function tablesAt(raw: Table, path: KeyPath): (readonly [KeyPath, Table])[] {
  return path.reduce<(readonly [KeyPath, Table])[]>(
    (found, part) =>
      found.flatMap(([at, table]) =>
        Object.entries(table).flatMap(([key, value]) =>
          (part === "*" || key === part) && isTable(value) ? [[[...at, key], value] as const] : []
        )
      ),
    [[[], raw]],
  );
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

/** The path of the key that a change sets. */
export const changedKeys = (change: string): string[] => change.slice(0, change.indexOf("=")).split(".");

function applyChange(raw: Table, change: string): void {
  const keys = changedKeys(change), text = change.slice(change.indexOf("=") + 1);
  // A name that all objects have, such as __proto__, is a key of the table, too.
  const put = (table: Table, key: string, value: unknown) =>
    Object.defineProperty(table, key, { value, enumerable: true, configurable: true, writable: true });
  let table = raw;
  for (const key of keys.slice(0, -1)) {
    const next = Object.hasOwn(table, key) ? table[key] : undefined;
    if (!isTable(next)) put(table, key, {});
    table = table[key] as Table;
  }
  put(table, keys.at(-1)!, changedValue(text));
}

function changedValue(text: string): unknown {
  if (/^-?\d+$/.test(text)) return Number(text);
  if (text === "true" || text === "false") return text === "true";
  if (!/^[[{"]/.test(text)) return text;
  const read = readToml(`value = ${text}`);
  return "raw" in read ? read.raw.value : text;
}

/** Collects errors by key path. */
export class ConfigErrors {
  readonly found: ConfigError[] = [];
  /** Misspelled keys, as they were probably meant: their defaults cause no further errors. */
  readonly meant: KeyPath[] = [];

  constructor(readonly positions: TomlPositions) {}

  atKey(path: KeyPath, fact: ConfigFact): void {
    this.#add(this.positions.key(path), path, fact);
  }

  atValue(path: KeyPath, fact: ConfigFact): void {
    this.#add(this.positions.value(path), path, fact);
  }

  /** A value that its schema refuses, or a missing one. @param where ` in [vm.rt]` */
  atIssue(path: KeyPath, { input, message, received }: v.BaseIssue<unknown>, where = ""): void {
    const key = path.findLast((part) => typeof part === "string");
    if (received === "undefined") this.atKey(path, { code: "missing", key: `${key}`, where });
    else this.atValue(path, { code: "value", key, shown: shown(key, input), fact: factIn(message) });
  }

  /** For a path that is missing, the error goes to the table that lacks it. */
  #add(position: Position | undefined, path: KeyPath, fact: ConfigFact): void {
    for (let length = path.length - 1; position === undefined && length > 0; length--) position = this.positions.key(path.slice(0, length));
    this.found.push({ ...position ?? { line: 1, column: 1 }, fact, key: keyName(path) });
  }

  sorted(): ConfigError[] {
    return this.found.sort((a, b) => a.line - b.line || a.column - b.column);
  }
}

/** A key as `--set` names it, `vm.rt.memory`. */
export function keyName(path: KeyPath): string {
  return path.map((key) => typeof key === "number" ? `[${key}]` : key).join(".").replaceAll(".[", "[");
}

function inTable(path: KeyPath): string {
  return path.length > 1 ? ` in [${keyName(path.slice(0, -1))}]` : "";
}

/** Whether a value of TOML is a table. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Keys that nothing knows. Values of a wrong type are left to the schema. */
function checkKeys(raw: Record<string, unknown>, errors: ConfigErrors): void {
  checkTable(raw, [], KNOWN_KEYS.root, errors);
  for (const name of ["machine", "host", "rm", "history", "ui"] as const) {
    if (isTable(raw[name])) checkTable(raw[name], [name], KNOWN_KEYS[name], errors);
  }
  if (isTable(raw.host)) {
    checkHostKeys(raw.host, errors);
    checkDeviceKeys(["host", "devices"], raw.host.devices, errors);
  }
  for (const [name, vm] of Object.entries(isTable(raw.vm) ? raw.vm : {})) {
    if (!isTable(vm)) continue;
    checkTable(vm, ["vm", name], KNOWN_KEYS.vm, errors);
    checkDeviceKeys(["vm", name, "devices"], vm.devices, errors);
  }
  for (const [name, link] of Object.entries(isTable(raw.link) ? raw.link : {})) {
    if (!isTable(link)) continue;
    if (link.kind === "msgqueue-pair" || link.kind === "doorbell" || link.kind === "shm") {
      checkTable(link, ["link", name], KNOWN_KEYS[link.kind], errors);
    }
  }
}

function checkDeviceKeys(path: KeyPath, devices: unknown, errors: ConfigErrors): void {
  for (const [index, device] of Array.isArray(devices) ? devices.entries() : []) {
    const known = isTable(device) ? deviceKeys(device.kind) : undefined;
    if (known === undefined) continue;
    checkTable(device, [...path, index], known, errors);
    const parts: unknown = device.kind === "block" ? device.partitions : undefined;
    for (const [number, part] of Array.isArray(parts) ? parts.entries() : []) {
      if (isTable(part)) checkTable(part, [...path, index, "partitions", number], KNOWN_KEYS.partition, errors);
    }
  }
}

/** Keys that only the other kind of host has. */
function checkHostKeys(host: Record<string, unknown>, errors: ConfigErrors): void {
  const other = host.kind === "image" ? "native" : "image";
  for (const key of HOST_KEYS[other]) if (key in host) errors.atKey(["host", key], { code: "belongs", key, kind: other });
}

/**
 * Keys that a file may not have, or no longer has, and what to use instead: tables that would start
 * programs, and keys that are part of others.
 */
const INSTEAD: ReadonlyMap<string, string> = new Map([
  ["host.gzvm_probe", 'it is the value of gzvm: gzvm = "silent" or gzvm = "no-node"'],
  ["vm.bios_tree", "el2 counts the zeros before the bios's code"],
  ["ui.command", "commands belong in your own ~/.config/el2/ui.toml"],
  ["hook", `to start programs on events, use ${hintText(hint("events", { follow: true, json: true }))}`],
]);

function checkTable(table: Record<string, unknown>, path: KeyPath, known: readonly string[], errors: ConfigErrors): void {
  const where = path.length > 0 ? ` in [${keyName(path)}]` : "";
  for (const key of Object.keys(table)) {
    if (path[0] === "vm" && OWN_SCHEDULE_KEYS.includes(key) && table.schedule !== "own") {
      const wayOut = "a proxied vCPU runs where its caller runs";
      errors.atKey([...path, key], { code: "needs", what: key, needs: 'schedule = "own"', wayOut });
      continue;
    }
    if (known.includes(key)) continue;
    const instead = INSTEAD.get(path[0] === "vm" ? `vm.${key}` : keyName([...path, key]));
    const meant = instead === undefined ? nearest(key, known) : undefined;
    if (meant !== undefined) errors.meant.push([...path, meant]);
    errors.atKey([...path, key], { code: "unknown-key", key, where, known: instead === undefined ? known : [], instead });
  }
}

/** Rules between keys. */
function checkTogether(config: Config, errors: ConfigErrors): void {
  const { file, spoilt } = config;
  if (!spoilt.has(["ui", "theme"], ["ui", "themes"])) checkThemes(file.ui, errors);
  checkMachine(config, errors);
}

/** The theme is one of ours or one of the file's, which have names that ours do not have. */
export function checkThemes({ theme, themes }: FileUi, errors: ConfigErrors): void {
  const known = ["auto", ...THEMES], own = Object.keys(themes);
  for (const name of own) {
    if (known.includes(name)) {
      errors.atKey(["ui", "themes", name], ruled(`theme ${JSON.stringify(name)} exists already`, "use another name"));
    } else if (!THEME_NAME.test(name)) {
      errors.atKey(["ui", "themes", name], { code: "name", of: "theme", name });
    }
  }
  const all = [...known, ...own];
  if (theme === undefined || all.includes(theme)) return;
  errors.atValue(["ui", "theme"], { code: "value", key: "theme", shown: JSON.stringify(theme), fact: { code: "not-known", words: all } });
}
