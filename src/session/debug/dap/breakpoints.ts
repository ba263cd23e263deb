// The breakpoints of a DAP client: by source line, function and instruction, for data and events;
// with conditions, hit counts and log messages. A line or function is set in each VM whose program
// has it. A place that several breakpoints share is set once.

import type { DebugProtocol } from "@vscode/debugprotocol";
import type { WatchKind } from "../../../cpu/core/interface.ts";
import type { DebugAnswer } from "../../../machine/hypervisor/interface.ts";
import { rowsOf } from "../../../model/queries/query.ts";
import { MODULE_LOADS } from "../../../model/queries/stop-rule.ts";
import { CODE, LINES, VARIABLES } from "../../../model/queries/tables.ts";
import { type Arguments, RequestError } from "./arguments.ts";
import type { DapStop, DapTarget } from "./target.ts";
import type { Threads, VcpuAddress } from "./threads.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** Kinds of breakpoints: a request sets all of a kind, of source lines all of a file. */
type BreakpointGroup = "function" | "instruction" | `source ${string}`;

/** Terms on which a breakpoint stops the machine. */
interface Terms {
  readonly condition: string | undefined;
  readonly hitCondition: string | undefined;
  readonly logMessage: string | undefined;
}

interface Breakpoint extends Terms {
  readonly id: number;
  readonly group: BreakpointGroup;
  /** Finds its addresses in a VM. */
  readonly find: (vm: string) => Promise<FoundCode>;
  /** The one VM that it is for; without a VM of that name, a module of any VM's kernel. */
  readonly only: string | undefined;
  places: readonly CodePlace[];
  /** Whether one of them was in a module of a kernel: it moves when the kernel loads it again. */
  inModule: boolean;
  /**
   * VMs that had not mapped code at its places yet. A kernel that moves itself has other places
   * once it is mapped.
   */
  readonly unmapped: Set<string>;
  hits: number;
}

interface CodePlace {
  readonly vm: string;
  readonly address: bigint;
}

/** A place at which a client wants to stop. */
interface WantedBreakpoint {
  readonly terms: Terms;
  readonly find: Breakpoint["find"];
  readonly only?: string;
}

interface FoundCode {
  readonly addresses: readonly bigint[];
  readonly line?: number;
  readonly inModule?: boolean;
  /** The reason if there are none. */
  readonly message?: string;
}

interface DataBreakpoint extends Terms {
  readonly id: number;
  readonly vm: string;
  readonly address: bigint;
  readonly length: number;
  readonly watch: WatchKind;
  hits: number;
}

/** Events at which the machine stops, as exception filters. */
export const EVENT_FILTERS: readonly (DebugProtocol.ExceptionBreakpointsFilter & { readonly events: string })[] = [
  {
    filter: "refused",
    label: "Refused calls and requests",
    description: "Hypercalls and RPCs that return an error",
    events: "refused=yes",
  },
  { filter: "hvc", label: "Hypercalls", description: "All hypercalls", events: "kind=hvc" },
  { filter: "rpc", label: "Resource Manager RPCs", description: "Requests to the Resource Manager, and its replies", events: "kind=rpc" },
  { filter: "psci", label: "PSCI calls", description: "Power control", events: "kind=psci" },
  { filter: "state", label: "Life cycles", description: "State changes of VMs", events: "kind=state" },
];
/** Prefixes of function breakpoints that stop at events: `event:kind=hvc name=msgqueue_send`. */
const EVENT_NAMES: Readonly<Record<string, (rest: string) => string>> = {
  "event:": (rest) => rest,
  "hvc:": (rest) => `kind=hvc name=${rest}`,
  "rpc:": (rest) => `kind=rpc name=${rest}`,
};
/**
 * `VM:NAME` or `MODULE:NAME`: a function of one VM, or of a module in any. Names of C++ and Rust
 * have `::`.
 */
const FUNCTION_OF_VM = /^([a-z][a-z0-9-]*):(?!:)(.+)$/;
const WATCHES: Readonly<Record<string, WatchKind>> = { read: "read", write: "write", readWrite: "access" };
/** Conditions of one place that the machine evaluates. */
const CONDITIONS_MAX = 64;
/** Limit on the VMs whose reasons for not having a place are reported. */
const MESSAGES = 3;
/** Bytes of a data breakpoint by default. */
const WORD = 8;

/** A stop that counts, or a message to print instead. */
export interface ReachedStop {
  readonly stops: boolean;
  readonly ids: readonly number[];
  readonly group: BreakpointGroup | "data" | undefined;
  readonly messages: readonly string[];
}

/** The breakpoints of one machine. */
export class Breakpoints {
  #next = 1;
  #code: Breakpoint[] = [];
  #data: DataBreakpoint[] = [];
  /** Those whose condition holds where the machine has stopped. */
  #here: (Breakpoint | DataBreakpoint)[] = [];
  /** Filters of the exception request, and of function breakpoints. */
  #events: { filters: readonly string[]; named: readonly string[] } = { filters: [], named: [] };
  /** Where kernels have loaded a module, by VM, while a breakpoint waits for one or is in one. */
  readonly #loads = new Map<string, bigint>();

  /**
   * @param current the vCPU that an address without a name means
   * @param changed called with those that have a place now
   */
  constructor(
    readonly target: DapTarget,
    readonly threads: Threads,
    readonly current: () => number,
    readonly changed: (breakpoints: readonly DebugProtocol.Breakpoint[]) => void,
  ) {}

  /** Breakpoints of a source file. */
  async setSource(path: string, guestPath: string, wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    return await this.#replace(
      `source ${path}`,
      wanted.map((one) => ({ terms: termsOf(one), find: (vm) => this.#line(vm, guestPath, one.number("line")) })),
      wanted.map((one) => ({ line: one.number("line"), source: { path } })),
    );
  }

  /** Breakpoints of functions, and of events. */
  async setFunctions(wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    const events: string[] = [];
    const code: Arguments[] = [];
    const answers = new Map<Arguments, DebugProtocol.Breakpoint>();
    for (const one of wanted) {
      const name = one.text("name"), prefix = Object.keys(EVENT_NAMES).find((start) => name.startsWith(start));
      if (prefix === undefined) code.push(one);
      else {
        const condition = one.optionalText("condition");
        const filter = `${EVENT_NAMES[prefix](name.slice(prefix.length).trim())}${condition === undefined ? "" : ` ${condition}`}`;
        const message = await this.target.stopAtEvents(filter);
        if (message === undefined) events.push(filter);
        answers.set(one, { id: this.#next++, verified: message === undefined, ...message !== undefined && { message } });
      }
    }
    const set = await this.#replace(
      "function",
      code.map((one) => {
        const name = one.text("name"), [, of, rest = name] = FUNCTION_OF_VM.exec(name) ?? [];
        return { terms: termsOf(one), find: (vm) => this.#function(vm, vm === of ? rest : name), only: of };
      }),
    );
    code.forEach((one, index) => answers.set(one, set[index]));
    this.#events = { ...this.#events, named: events };
    await this.#applyEvents();
    return wanted.map((one) => answers.get(one)!);
  }

  async setInstructions(wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    return await this.#replace(
      "instruction",
      wanted.map((one) => {
        const { vm, address } = this.#placeOf(one.text("instructionReference"));
        const at = BigInt.asUintN(64, address + BigInt(one.number("offset", 0)));
        return { terms: termsOf(one), find: () => Promise.resolve({ addresses: [at] }), only: vm };
      }),
      wanted.map((one) => ({ instructionReference: one.text("instructionReference") })),
    );
  }

  #placeOf(reference: string): VcpuAddress & { readonly vm: string } {
    const place = this.threads.place(reference, this.current());
    return { ...place, vm: this.threads.vmOf(place.vcpu) };
  }

  /** Breakpoints of data: `dataId` is `REFERENCE:LENGTH`. */
  async setData(wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    for (const { vm, address, length, watch } of this.#data) {
      await this.target.ask({ kind: "remove-watchpoint", vm, address, length, watch });
    }
    this.#data = [];
    const answers: DebugProtocol.Breakpoint[] = [];
    for (const one of wanted) {
      const match = /^(.*0x[0-9a-f]{1,16}):(\d{1,7})$/i.exec(one.text("dataId"));
      const watch = WATCHES[one.text("accessType", "write")];
      if (!match || !watch) {
        answers.push({ verified: false, message: "not an answer of dataBreakpointInfo" });
        continue;
      }
      const { vm, address } = this.#placeOf(match[1]), length = Number(match[2]);
      const data = { ...termsOf(one), id: this.#next++, vm, address, length, watch, hits: 0 };
      const answer = await this.target.ask({ kind: "insert-watchpoint", vm, address, length, watch });
      if (answer.kind === "done") this.#data.push(data);
      answers.push({ id: data.id, verified: answer.kind === "done", ...answer.kind === "refused" && { message: answer.message } });
    }
    return answers;
  }

  /** Stops at events by the filters of the protocol's exceptions. */
  async setEvents(filters: readonly string[], options: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    const wanted = [
      ...filters.map((filter) => ({ filter, condition: undefined })),
      ...options.map((one) => ({ filter: one.text("filterId"), condition: one.optionalText("condition") })),
    ];
    const accepted: string[] = [], answers: DebugProtocol.Breakpoint[] = [];
    for (const { filter, condition } of wanted) {
      const known = EVENT_FILTERS.find((one) => one.filter === filter);
      const events = known && (condition ? `${known.events} ${condition}` : known.events);
      const message = events === undefined ? `no filter ${JSON.stringify(filter)}` : await this.target.stopAtEvents(events);
      if (message === undefined && events !== undefined) accepted.push(events);
      answers.push({ verified: message === undefined, ...message !== undefined && { message } });
    }
    this.#events = { ...this.#events, filters: accepted };
    await this.#applyEvents();
    return answers;
  }

  async #applyEvents(): Promise<void> {
    const all = [...this.#events.filters, ...this.#events.named];
    const message = await this.target.stopAtEvents(all.length ? all.join(" | ") : undefined);
    if (message !== undefined) throw new RequestError(message);
  }

  /** Whether a vCPU of a VM that is about to execute this instruction stops there again. */
  has(vm: string, pc: bigint): boolean {
    return this.#loads.get(vm) === pc || this.#isWanted(vm, pc);
  }

  #isWanted(vm: string, pc: bigint): boolean {
    return this.#code.some(({ places }) => places.some((place) => place.vm === vm && place.address === pc));
  }

  /** Whether some have no place, or one without code. */
  get waiting(): boolean {
    return this.#code.some(({ places, unmapped }) => !places.length || unmapped.size > 0);
  }

  /**
   * Sets them in a VM that is new, or knows more symbols than before; returns those that had no
   * place until now.
   */
  async placeIn(vm: string): Promise<DebugProtocol.Breakpoint[]> {
    const changed = await this.#placeAgain(vm, (one) => one.unmapped.has(vm));
    await this.#awaitModules(vm);
    return changed;
  }

  /** Sets those without a place in a VM, and some of those with one. */
  async #placeAgain(vm: string, also: (one: Breakpoint) => boolean): Promise<DebugProtocol.Breakpoint[]> {
    const changed: DebugProtocol.Breakpoint[] = [];
    for (const one of this.#code) {
      const before = one.places.filter((place) => place.vm === vm);
      if (before.length && !also(one)) continue;
      const isNew = one.places.length === 0;
      one.places = one.places.filter((place) => place.vm !== vm);
      const answer = await this.#place(one, [vm]);
      await this.#remove(before);
      if (!this.#code.includes(one)) await this.#remove(one.places);
      if (isNew && answer.verified) changed.push(answer);
    }
    return changed;
  }

  #isFor({ only }: Breakpoint, vm: string): boolean {
    return only === undefined || only === vm || !this.threads.vms.includes(only);
  }

  /** Stops a VM for a moment where its kernel loads a module, if a breakpoint depends on that. */
  async #awaitModules(vm: string): Promise<void> {
    const waits = (one: Breakpoint) => one.group !== "instruction" && this.#isFor(one, vm) && !one.places.some((place) => place.vm === vm);
    const isWanted = this.#code.some((one) => one.inModule || waits(one));
    const code = isWanted ? await this.target.query({ table: "code", args: { at: `${vm}:${MODULE_LOADS}`, size: 1 } }) : undefined;
    const at = code && code.error === undefined ? BigInt(rowsOf(CODE, code)[0].address) : undefined, before = this.#loads.get(vm);
    if (at === before) return;
    this.#loads.delete(vm);
    if (before !== undefined) await this.#remove([{ vm, address: before }]);
    if (at === undefined || (await this.target.ask({ kind: "insert-breakpoint", vm, address: at })).kind !== "done") return;
    this.#loads.set(vm, at);
  }

  /** The machine leaves a stop. The way back over one takes its hit back. */
  leave(isBack: boolean): void {
    if (isBack) { for (const one of this.#here) one.hits--; }
    this.#here = [];
  }

  /**
   * The meaning of a stop at a breakpoint or watchpoint: evaluates conditions, and counts hits on
   * the way forward.
   */
  async reached(stop: DapStop, isBack: boolean): Promise<ReachedStop> {
    const vcpu = this.threads.nameOf(stop.vcpu), at = this.threads.vmOf(stop.vcpu);
    if (stop.cause === "breakpoint" && stop.pc === this.#loads.get(at)) this.changed(await this.#placeAgain(at, (one) => one.inModule));
    const here: readonly (Breakpoint | DataBreakpoint)[] = stop.cause === "watchpoint"
      ? this.#data.filter(({ vm, address, length }) =>
        vm === at && stop.watch && stop.watch.address >= address && stop.watch.address < address + BigInt(length)
      )
      : this.#code.filter(({ places }) => places.some(({ vm, address }) => vm === at && address === stop.pc));
    const ids: number[] = [], messages: string[] = [];
    let group: ReachedStop["group"];
    for (const one of here) {
      if (one.condition !== undefined) {
        const holds = await this.#holds(one.condition, vcpu);
        // A condition without a value stops, so that its author notices.
        if (typeof holds === "string") messages.push(`condition ${one.condition}: ${holds}`);
        else if (!holds) continue;
      }
      this.#here.push(one);
      if (!isBack) one.hits++;
      if (one.hitCondition !== undefined && !isHit(one.hitCondition, one.hits)) continue;
      if (one.logMessage !== undefined) {
        if (!isBack) messages.push(await this.#message(one.logMessage, vcpu));
        continue;
      }
      ids.push(one.id);
      group ??= "group" in one ? one.group : "data";
    }
    return { stops: ids.length > 0, ids, group, messages };
  }

  async #holds(condition: string, vcpu: string): Promise<boolean | string> {
    const { rows, error } = await this.target.query({ table: "vcpu.vars", args: { vcpu, frame: 0, at: `(${condition}) != 0` } });
    if (error !== undefined) return error;
    return rowsOf(VARIABLES, { table: "vcpu.vars", rows })[0]?.address === "0x1";
  }

  /** A log message: expressions in braces are evaluated. */
  async #message(text: string, vcpu: string): Promise<string> {
    let message = "";
    for (const part of text.split(/(\{[^{}]*\})/)) {
      if (!part.startsWith("{")) {
        message += part;
        continue;
      }
      const answer = await this.target.query({ table: "vcpu.vars", args: { vcpu, frame: 0, at: part.slice(1, -1) } });
      message += answer.error === undefined ? rowsOf(VARIABLES, answer)[0]?.value ?? "" : `{${answer.error}}`;
    }
    return message;
  }

  async #replace(
    group: BreakpointGroup,
    wanted: readonly WantedBreakpoint[],
    more: readonly Partial<DebugProtocol.Breakpoint>[] = [],
  ): Promise<DebugProtocol.Breakpoint[]> {
    const old = this.#code.filter((one) => one.group === group);
    this.#code = this.#code.filter((one) => one.group !== group);
    await this.#remove(old.flatMap(({ places }) => places));
    const answers: DebugProtocol.Breakpoint[] = [];
    for (const [index, { terms, find, only }] of wanted.entries()) {
      const one: Breakpoint = { ...terms, id: this.#next++, group, find, only, places: [], inModule: false, unmapped: new Set(), hits: 0 };
      this.#code.push(one);
      answers.push({ ...more[index], ...await this.#place(one, this.threads.vms) });
    }
    for (const vm of this.threads.vms) await this.#awaitModules(vm);
    return answers;
  }

  /** Removes what no breakpoint shares. */
  async #remove(places: readonly CodePlace[]): Promise<void> {
    for (const { vm, address } of places) {
      if (this.has(vm, address)) await this.#arm(vm, address);
      else await this.target.ask({ kind: "remove-breakpoint", vm, address });
    }
  }

  /**
   * Makes the machine stop at an address. If all breakpoints there have conditions, it stops only
   * where one of them holds.
   */
  #arm(vm: string, address: bigint, added?: Breakpoint): Promise<DebugAnswer> {
    const here = this.#code.filter((one) => one === added || one.places.some((place) => place.vm === vm && place.address === address));
    const texts = here.flatMap(({ condition }) => condition ?? []);
    const conditions = texts.length < here.length || texts.length > CONDITIONS_MAX
      ? undefined
      : texts.map((text) => ({ kind: "expression", text }) as const);
    return this.target.ask({ kind: "insert-breakpoint", vm, address, conditions });
  }

  /** Sets a breakpoint in those of some VMs that have it. */
  async #place(one: Breakpoint, vms: readonly string[]): Promise<DebugProtocol.Breakpoint> {
    const places: CodePlace[] = [], messages: string[] = [];
    let reference: string | undefined, line: number | undefined;
    for (const vm of vms) {
      if (!this.#isFor(one, vm)) continue;
      const found = await one.find(vm);
      one.unmapped.delete(vm);
      one.inModule ||= found.inModule ?? false;
      if (found.addresses.length && !await this.#isMapped(vm, found.addresses[0])) one.unmapped.add(vm);
      if (found.message !== undefined && (one.only ?? vm) === vm) messages.push(found.message);
      for (const address of found.addresses) {
        const answer = await this.#arm(vm, address, one);
        if (answer.kind === "refused") messages.push(answer.message);
        if (answer.kind !== "done") continue;
        places.push({ vm, address });
        reference ??= this.threads.reference(this.threads.vcpuOf(this.threads.ofVm(vm)[0]), address);
        line ??= found.line;
      }
    }
    one.places = [...one.places, ...places];
    if (reference !== undefined) {
      return { id: one.id, verified: true, instructionReference: reference, ...line !== undefined && { line } };
    }
    const nobody = one.only === undefined
      ? "no VM executes instructions yet"
      : `no VM ${one.only} executes instructions yet, and no kernel has loaded a module ${one.only}`;
    const message = messages.slice(0, MESSAGES).join("; ") || nobody;
    return { id: one.id, verified: false, message };
  }

  async #isMapped(vm: string, address: bigint): Promise<boolean> {
    return (await this.target.query({ table: "code", args: { at: `${vm}:${hex(address)}`, size: 1 } })).error === undefined;
  }

  async #line(vm: string, path: string, line: number): Promise<FoundCode> {
    const answer = await this.target.query({ table: "code.lines", args: { at: `${vm}:${path}:${line}` } });
    if (answer.error !== undefined) return { addresses: [], message: answer.error };
    const rows = rowsOf(LINES, answer);
    return { addresses: rows.map(({ address }) => BigInt(address)), line: rows[0]?.line, inModule: isInModule(rows[0]?.symbol) };
  }

  async #function(vm: string, name: string): Promise<FoundCode> {
    const at = `${vm}:${name}`;
    const code = await this.target.query({ table: "code", args: { at, size: 1 } });
    if (code.error !== undefined) return { addresses: [], message: code.error };
    const [{ address, symbol }] = rowsOf(CODE, code), entry = BigInt(address);
    return { addresses: [await bodyOf(this.target, vm, entry) ?? entry], inModule: isInModule(symbol) };
  }
}

/** Whether a symbol is that of a module: `name+0x10 [module]`. */
const isInModule = (symbol: string | null | undefined) => symbol?.endsWith("]") ?? false;

/** Instructions that make room on the stack. */
const PROLOGUE = /^(sub\s+sp, sp, |st[pr]\s.*\[sp, #-\d+\]!)/;

/**
 * The address after a function's prologue, which is a line of code that makes room on the stack:
 * arguments are then in place.
 * @param owner the VM or vCPU
 */
export async function bodyOf(target: DapTarget, owner: string, entry: bigint): Promise<bigint | undefined> {
  const at = `${owner}:${hex(entry)}`;
  const [first, second] = rowsOf(LINES, await target.query({ table: "code.lines", args: { at, size: 2 } }));
  if (!second?.statement || BigInt(first.address) !== entry) return undefined;
  const body = BigInt(second.address), size = Number(body - entry) / 4;
  const code = rowsOf(CODE, await target.query({ table: "code", args: { at, size } }));
  return code.some(({ text }) => PROLOGUE.test(text)) ? body : undefined;
}

function termsOf(one: Arguments): Terms {
  const [condition, hitCondition, logMessage] = ["condition", "hitCondition", "logMessage"].map((name) =>
    one.optionalText(name) || undefined
  );
  return { condition, hitCondition, logMessage };
}

/** `N`, `== N`, `> N`, `>= N`, `% N`. */
function isHit(condition: string, hits: number): boolean {
  const match = /^\s*(==|>=|>|%)?\s*(\d{1,9})\s*$/.exec(condition);
  if (!match) return true;
  const wanted = Number(match[2]);
  switch (match[1]) {
    case ">":
      return hits > wanted;
    case ">=":
      return hits >= wanted;
    case "%":
      return wanted > 0 && hits % wanted === 0;
    default:
      return hits === wanted;
  }
}

export { WORD as DATA_SIZE };
