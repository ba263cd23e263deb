// Ids of objects: `vm:rt`, `vcpu:rt/0`, `irq:rt/34` (docs/design/workstation.md §2). Rows, queries
// and filters have them as text; this is the only place that reads them. The functions of
// machine/abi/ids.ts write those that the machine names itself, and `formatId` all of them.

import { LINUX_TABLES, type LinuxTables } from "./linux-tables.ts";

export * from "../../machine/abi/ids.ts";

/** A VM by its name, which has no `/`. */
type Vm = { vm: string };
type Vcpu = Vm & { index: number };
type Frame = Vcpu & { frame: number };
type Named = { name: string };
type Numbered = { number: number };
type Address = { address: bigint };
/** Of the Resource Manager. */
type Handle = { handle: number };
/** An event by its name: `37`, `hvc.1204`, `virq@4.000333120`. */
type Event = { event: string };

/** The parts of ids, by kind, but for those of Linux. */
interface OwnParts {
  vm: Vm;
  vcpu: Vcpu;
  /** `name`: of a port of a virtio console; 0 of the serial line. */
  con: Vm & Named;
  /** `vcpu`: of a private interrupt, if not the first. */
  irq: Vm & { intid: number; vcpu?: number };
  cap: Vm & { slot: bigint };
  dev: Vm & Named;
  ipa: Vm & Address;
  va: Vm & Address;
  frames: Vm & Address;
  sym: Vm & Named & Address;
  reg: Vcpu & Named;
  timer: Vcpu & Named;
  frame: Frame;
  var: Frame & { path: string };
  val: Vm & { path: string };
  /** Without a VM: of the whole machine. */
  limit: Partial<Vm> & Named;
  pa: Address;
  parcel: Handle;
  loan: Handle;
  /** `position`: of a message in the queue. */
  mq: Numbered & { position?: number };
  obj: Numbered;
  db: Numbered;
  pcpu: Numbered;
  why: Numbered;
  inject: Numbered;
  stop: Numbered;
  place: Numbered;
  /**
   * A place of the run, by the instructions that had been retired there; `order`: of something that
   * is not the first there.
   */
  insn: Numbered & { order?: number };
  check: Numbered;
  ev: Event;
  rpc: Event;
  trace: Named;
  memory: Named;
  hash: Named;
  session: Named;
  persona: Named;
  phone: Named;
  spec: Named;
}

/** Kinds of ids that tables about Linux declare. */
type LinuxIds = Extract<LinuxTables[keyof LinuxTables], { readonly ids: object }>["ids"];
/** The values of their parts. */
type LinuxValues = Vm & Numbered & Named & Address & { pid: number; path: string };
/** The names of a form's parts. */
type NamesIn<F extends string> = F extends `${string}{${infer N}}${infer Rest}` ? N | NamesIn<Rest> : never;
/** The names of those that may be absent. */
type OptionalIn<F extends string> = F extends `${string}[${infer Part}]${string}` ? NamesIn<Part> : never;
type LinuxParts = {
  [I in LinuxIds as I["kind"]]:
    & Pick<LinuxValues, Exclude<NamesIn<I["form"]>, OptionalIn<I["form"]>> & keyof LinuxValues>
    & Partial<Pick<LinuxValues, OptionalIn<I["form"]> & keyof LinuxValues>>;
};

/** The parts of an id, by its kind. */
type IdParts = OwnParts & LinuxParts;
export type IdKind = keyof IdParts;

/** An id by its parts, of any of these kinds. */
export type Id<K extends IdKind = IdKind> = { readonly [X in K]: { readonly kind: X } & Readonly<IdParts[X]> }[K];

/** The forms that tables about Linux declare. */
function linuxForms() {
  const declared = Object.values(LINUX_TABLES).flatMap((table): readonly LinuxIds[] => "ids" in table ? [table.ids] : []);
  return Object.fromEntries(declared.map(({ kind, form }) => [kind, form])) as { readonly [K in keyof LinuxParts]: string };
}

/** The form of an id after its kind and colon: parts in braces; those in brackets may be absent. */
const FORMS: Readonly<Record<IdKind, string>> = {
  vm: "{vm}",
  vcpu: "{vm}/{index}",
  con: "{vm}/{name}",
  irq: "{vm}/{intid}[@{vcpu}]",
  cap: "{vm}/{slot}",
  dev: "{vm}/{name}",
  ipa: "{vm}/{address}",
  va: "{vm}/{address}",
  frames: "{vm}/{address}",
  sym: "{vm}/{name}@{address}",
  reg: "{vm}/{index}/{name}",
  timer: "{vm}/{index}/{name}",
  frame: "{vm}/{index}/{frame}",
  var: "{vm}/{index}/{frame}/{path}",
  val: "{vm}/{path}",
  ...linuxForms(),
  limit: "[{vm}/]{name}",
  pa: "{address}",
  parcel: "{handle}",
  loan: "{handle}",
  mq: "{number}[/{position}]",
  obj: "{number}",
  db: "{number}",
  pcpu: "{number}",
  why: "{number}",
  inject: "{number}",
  stop: "{number}",
  place: "{number}",
  insn: "{number}[/{order}]",
  check: "{number}",
  ev: "{event}",
  rpc: "{event}",
  trace: "{name}",
  memory: "{name}",
  hash: "{name}",
  session: "{name}",
  persona: "{name}",
  phone: "{name}",
  spec: "{name}",
};

export const ID_KINDS: readonly string[] = Object.keys(FORMS);

/** Parts that are text or hexadecimal; the others are decimal numbers. */
const TEXTS: Readonly<Record<string, string>> = { vm: "[^/]+", name: ".+", path: ".+", event: ".+" };
const HEXADECIMAL: ReadonlySet<string> = new Set(["slot", "address", "handle"]);
/** Hexadecimal ones of up to 64 bits. */
const WIDE: ReadonlySet<string> = new Set(["slot", "address"]);

type PartValue = string | number | bigint;

/** A part of a form with the text around it. */
interface FormPart {
  readonly name: string;
  readonly before: string;
  readonly after: string;
  readonly optional: boolean;
}

function partsOf(form: string): FormPart[] {
  return Array.from(form.matchAll(/(\[?)([/@]?)\{(\w+)\}(?:(\/)(?=\]))?/g), ([, bracket, before, name, after = ""]) => {
    return { name, before, after, optional: bracket !== "" };
  });
}

function sourceOf(form: string, group: (name: string, value: string) => string): string {
  return partsOf(form).map(({ name, before, after, optional }) => {
    const value = TEXTS[name] ?? (HEXADECIMAL.has(name) ? "(?:0x[0-9a-f]+|\\d+)" : "\\d+");
    const part = `${before}${group(name, value)}${after}`;
    return optional ? `(?:${part})?` : part;
  }).join("");
}

/** The regular expression of ids of a kind, for schemas. */
export function idPattern(kind: IdKind): string {
  return `${kind}:${sourceOf(FORMS[kind], (_, value) => value)}`;
}

/** By kind, as they are needed. */
const formParts = new Map<IdKind, readonly FormPart[]>(), patterns = new Map<string, RegExp>();

function partsOfKind(kind: IdKind): readonly FormPart[] {
  let found = formParts.get(kind);
  if (!found) formParts.set(kind, found = partsOf(FORMS[kind]));
  return found;
}

/** Whether a console is that of a VM, or a port of its virtio consoles. */
export function isConsoleOf(vm: string, console: string): boolean {
  return console === vm || console.startsWith(`${vm}/`);
}

/** The console of a VM among these: its serial line, else the first port of its virtio consoles. */
export function consoleOf(vm: string, consoles: readonly string[]): string | undefined {
  return consoles.includes(vm) ? vm : consoles.find((console) => isConsoleOf(vm, console));
}

/** `con:rt/0`, the console of a VM; `con:rt/hvc0` for `rt/hvc0`, a port of a virtio console. */
export function conId(console: string): string {
  return withKind("con", console.includes("/") ? console : `${console}/0`);
}

/** `pcpu:0`. */
export function pcpuId(number: number): string {
  return `pcpu:${number}`;
}

/**
 * The part of an event's id that tells it from events of its kind in the same microsecond: the last
 * digits of its number, or the nanoseconds and what follows.
 */
export function eventDigits(id: string): string {
  const name = nameOf(id), last = name.slice(name.lastIndexOf(".") + 1);
  return name.includes("@") ? last.slice(6) : last.slice(-3);
}

/** Before a VM's name and a slash. */
const KIND_IN_VM = /\b(?:irq|vcpu|ipa):(?=[^ ]+\/)/g;

/** A text whose ids of interrupts, vCPUs and addresses of VMs have no kind: `ping/27`. */
export function withoutKinds(text: string): string {
  return text.replaceAll(KIND_IN_VM, "");
}

/** An id as text. */
export function formatId(id: Id): string {
  let text = `${id.kind}:`;
  for (const { name, before, after } of partsOfKind(id.kind)) {
    const value: PartValue | undefined = Reflect.get(id, name);
    if (value !== undefined) text += before + (HEXADECIMAL.has(name) ? `0x${value.toString(16)}` : value) + after;
  }
  return text;
}

function valueOf(name: string, text: string): PartValue {
  return name in TEXTS ? text : WIDE.has(name) ? BigInt(text) : Number(text);
}

/**
 * The parts of an id; undefined for anything else. A hexadecimal part may be decimal, and letters
 * capital.
 */
export function parseId(text: string): Id | undefined {
  const kind = kindOf(text);
  if (kind === undefined) return undefined;
  let pattern = patterns.get(kind);
  if (!pattern) patterns.set(kind, pattern = new RegExp(`^${sourceOf(FORMS[kind], (name, value) => `(?<${name}>${value})`)}$`, "is"));
  const found = pattern.exec(nameOf(text))?.groups;
  if (!found) return undefined;
  const parts = Object.entries(found).filter(([, value]) => value !== undefined).map(([name, value]) => [name, valueOf(name, value)]);
  const id: object = { kind, ...Object.fromEntries(parts) };
  return id as Id;
}

/** The parts of an id of this kind, which may be left out; undefined for anything else. */
export function parseAs<K extends IdKind>(kind: K, text: string): Id<K> | undefined {
  const id: object | undefined = parseId(withKind(kind, text));
  return id as Id<K> | undefined;
}

/** The kind of an id; undefined for what begins with none. */
export function kindOf(text: string): IdKind | undefined {
  const kind = text.slice(0, Math.max(text.indexOf(":"), 0));
  return Object.hasOwn(FORMS, kind) ? kind as IdKind : undefined;
}

/** Whether an id is of this kind, by its beginning. */
export function isOf(kind: IdKind, text: string): boolean {
  return text.charCodeAt(kind.length) === COLON && text.startsWith(kind);
}

const COLON = 0x3a;

/** The part of an id that a person reads, without the kind: `rt/0`. */
export function nameOf(id: string): string {
  return id.slice(id.indexOf(":") + 1);
}

/** The name of an object of this kind, by its id or its name. */
export function withoutKind(kind: IdKind, text: string): string {
  return isOf(kind, text) ? text.slice(kind.length + 1) : text;
}

/** The id of an object of this kind, by its id or its name. */
export function withKind(kind: IdKind, text: string): string {
  return isOf(kind, text) ? text : `${kind}:${text}`;
}

/** The VM, by name, that an id names or belongs to; undefined: none. */
export function vmIn(id: string): string | undefined {
  const kind = kindOf(id);
  if (kind === undefined || !FORMS[kind].startsWith("{vm}")) return undefined;
  return vmOfName(nameOf(id));
}

/** The VM of an object's name: `rt` of `rt/0`. */
export function vmOfName(name: string): string {
  const end = name.indexOf("/");
  return end < 0 ? name : name.slice(0, end);
}

/** The rest of an object's name after its VM: `/0` of `rt/0`. */
export function afterVm(name: string): string {
  return name.slice(vmOfName(name).length);
}

/** Names of the VMs that every session has. */
export const HOST = "host", RESOURCE_MANAGER = "rm";

/** Whether a VM, by id or name, is neither the host nor the Resource Manager. */
export function isGuest(vm: string | null): boolean {
  if (vm === null) return false;
  const name = withoutKind("vm", vm);
  return name !== HOST && name !== RESOURCE_MANAGER;
}

/** A place of code in a VM, and the vCPU if one is named: `rt:main`, `rt/1:pc`, `vm:rt:0x8000`. */
interface CodePlaceText {
  readonly vm: string;
  readonly index: number | undefined;
  readonly where: string;
}

/** The parts of a place of code; undefined for anything else. */
export function parsePlace(text: string): CodePlaceText | undefined {
  const [, vm, index, where] = /^(?:vm:|vcpu:)?([^/:]+)(?:\/(\d+))?:(.+)$/.exec(text) ?? [];
  return vm === undefined ? undefined : { vm, index: index === undefined ? undefined : Number(index), where };
}

/** An expression, and the VM or vCPU in which it is meant. */
export interface ScopedExpression {
  readonly vm?: string;
  readonly index?: number;
  readonly expression: string;
}

/** The parts of `EXPR`, `VM:EXPR` and `VM/INDEX:EXPR`; C's own expressions have no colon. */
export function scopedExpression(text: string): ScopedExpression {
  const { vm, index, where } = parsePlace(text) ?? {};
  return vm !== undefined && where !== undefined && /^[\w.-]+$/.test(vm) ? { vm, index, expression: where } : { expression: text };
}

/** A text with other ids for those of VMs and interrupts by their numbers (`numberedId`). */
export function withoutNumbers(text: string, id: (kind: "vm" | "irq", number: number) => string): string {
  return text.replaceAll(/\b(vm|irq):(0x[0-9a-f]+)\b/g, (_, kind: "vm" | "irq", number: string) => id(kind, Number(number)));
}
