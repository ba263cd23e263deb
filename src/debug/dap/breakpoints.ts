// The breakpoints of a DAP client: by source line, function and instruction, for data and events;
// with conditions, hit counts and log messages. A place that several of them share is set once.

import type { DebugProtocol } from "@vscode/debugprotocol";
import type { WatchKind } from "../../core/debug/watchpoints.ts";
import { rowsOf } from "../../queries/query.ts";
import { CODE, LINES, VARIABLES } from "../../queries/tables.ts";
import { addressOf, type Arguments, RequestError } from "./arguments.ts";
import type { DapStop, DapTarget } from "./target.ts";

/** Kinds of breakpoints: a request sets all of a kind, of source lines all of a file. */
export type BreakpointGroup = "function" | "instruction" | `source ${string}`;

/** Terms on which a breakpoint stops the machine. */
interface Terms {
  readonly condition: string | undefined;
  readonly hitCondition: string | undefined;
  readonly logMessage: string | undefined;
}

interface Breakpoint extends Terms {
  readonly id: number;
  readonly group: BreakpointGroup;
  /** Finds its addresses. */
  readonly find: () => Promise<Found>;
  addresses: readonly bigint[];
  hits: number;
}

interface Found {
  readonly addresses: readonly bigint[];
  readonly line?: number;
  /** Why there are none. */
  readonly message?: string;
}

interface DataBreakpoint extends Terms {
  readonly id: number;
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
const WATCHES: Readonly<Record<string, WatchKind>> = { read: "read", write: "write", readWrite: "access" };
/** Bytes of a data breakpoint where nothing says how many. */
const WORD = 8;

/** A stop that counts, or a message to print instead. */
export interface Reached {
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
  /** Filters of the exception request, and of function breakpoints. */
  #events: { filters: readonly string[]; named: readonly string[] } = { filters: [], named: [] };

  constructor(readonly target: DapTarget) {}

  /** Breakpoints of a source file. */
  async setSource(path: string, guestPath: string, wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    return await this.#replace(
      `source ${path}`,
      wanted.map((one) => ({ terms: termsOf(one), find: () => this.#line(guestPath, one.number("line")) })),
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
    const set = await this.#replace("function", code.map((one) => ({ terms: termsOf(one), find: () => this.#function(one.text("name")) })));
    code.forEach((one, index) => answers.set(one, set[index]));
    this.#events = { ...this.#events, named: events };
    await this.#applyEvents();
    return wanted.map((one) => answers.get(one)!);
  }

  /** Breakpoints of addresses. */
  async setInstructions(wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    return await this.#replace(
      "instruction",
      wanted.map((one) => {
        const address = BigInt.asUintN(64, addressOf(one.text("instructionReference")) + BigInt(one.number("offset", 0)));
        return { terms: termsOf(one), find: () => Promise.resolve({ addresses: [address] }) };
      }),
      wanted.map((one) => ({ instructionReference: one.text("instructionReference") })),
    );
  }

  /** Breakpoints of data: `dataId` is `ADDRESS:LENGTH`. */
  async setData(wanted: readonly Arguments[]): Promise<DebugProtocol.Breakpoint[]> {
    for (const { address, length, watch } of this.#data) await this.target.ask({ kind: "remove-watchpoint", address, length, watch });
    this.#data = [];
    const answers: DebugProtocol.Breakpoint[] = [];
    for (const one of wanted) {
      const match = /^(0x[0-9a-f]{1,16}):(\d{1,7})$/i.exec(one.text("dataId"));
      const watch = WATCHES[one.text("accessType", "write")];
      if (!match || !watch) {
        answers.push({ verified: false, message: "not an answer of dataBreakpointInfo" });
        continue;
      }
      const data = { ...termsOf(one), id: this.#next++, address: BigInt(match[1]), length: Number(match[2]), watch, hits: 0 };
      const answer = await this.target.ask({ kind: "insert-watchpoint", address: data.address, length: data.length, watch });
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

  /** Whether a vCPU that is about to execute this instruction stops there again. */
  has(pc: bigint): boolean {
    return this.#code.some(({ addresses }) => addresses.includes(pc));
  }

  /** Sets those that could not be set before the VM existed; returns the ones that are set now. */
  async retry(): Promise<DebugProtocol.Breakpoint[]> {
    const changed: DebugProtocol.Breakpoint[] = [];
    for (const one of this.#code) {
      if (one.addresses.length) continue;
      const answer = await this.#place(one);
      if (answer.verified) changed.push(answer);
    }
    return changed;
  }

  /** The meaning of a stop at a breakpoint or watchpoint: evaluates conditions, and counts hits. */
  async reached(stop: DapStop, frame: { readonly vcpu: string }): Promise<Reached> {
    const here: readonly (Breakpoint | DataBreakpoint)[] = stop.cause === "watchpoint"
      ? this.#data.filter(({ address, length }) =>
        stop.watch && stop.watch.address >= address && stop.watch.address < address + BigInt(length)
      )
      : this.#code.filter(({ addresses }) => addresses.includes(stop.pc));
    const ids: number[] = [], messages: string[] = [];
    let group: Reached["group"];
    for (const one of here) {
      if (one.condition !== undefined) {
        const holds = await this.#holds(one.condition, frame.vcpu);
        // A condition without a value stops, so that its author learns of it.
        if (typeof holds === "string") messages.push(`condition ${one.condition}: ${holds}`);
        else if (!holds) continue;
      }
      one.hits++;
      if (one.hitCondition !== undefined && !isHit(one.hitCondition, one.hits)) continue;
      if (one.logMessage !== undefined) {
        messages.push(await this.#message(one.logMessage, frame.vcpu));
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
    wanted: readonly { readonly terms: Terms; readonly find: () => Promise<Found> }[],
    more: readonly Partial<DebugProtocol.Breakpoint>[] = [],
  ): Promise<DebugProtocol.Breakpoint[]> {
    const old = this.#code.filter((one) => one.group === group);
    this.#code = this.#code.filter((one) => one.group !== group);
    for (const address of new Set(old.flatMap(({ addresses }) => addresses))) {
      if (!this.has(address)) await this.target.ask({ kind: "remove-breakpoint", address });
    }
    const answers: DebugProtocol.Breakpoint[] = [];
    for (const [index, { terms, find }] of wanted.entries()) {
      const one: Breakpoint = { ...terms, id: this.#next++, group, find, addresses: [], hits: 0 };
      this.#code.push(one);
      answers.push({ ...more[index], ...await this.#place(one) });
    }
    return answers;
  }

  async #place(one: Breakpoint): Promise<DebugProtocol.Breakpoint> {
    const { addresses, line, message } = await one.find();
    const set: bigint[] = [];
    let refused = message;
    for (const address of addresses) {
      const answer = await this.target.ask({ kind: "insert-breakpoint", address });
      if (answer.kind === "done") set.push(address);
      else if (answer.kind === "refused") refused = answer.message;
    }
    one.addresses = set;
    if (!set.length) return { id: one.id, verified: false, message: refused ?? "no code has this place" };
    return { id: one.id, verified: true, instructionReference: `0x${set[0].toString(16)}`, ...line !== undefined && { line } };
  }

  async #line(path: string, line: number): Promise<Found> {
    const answer = await this.target.query({ table: "code.lines", args: { at: `${this.target.vm}:${path}:${line}` } });
    if (answer.error !== undefined) return { addresses: [], message: answer.error };
    const rows = rowsOf(LINES, answer);
    return { addresses: rows.map(({ address }) => BigInt(address)), line: rows[0]?.line };
  }

  /** After the prologue, where debug information has one: there, arguments are in their places. */
  async #function(name: string): Promise<Found> {
    const at = `${this.target.vm}:${name}`;
    const code = await this.target.query({ table: "code", args: { at, size: 1 } });
    if (code.error !== undefined) return { addresses: [], message: code.error };
    const entry = BigInt(rowsOf(CODE, code)[0].address);
    const lines = await this.target.query({ table: "code.lines", args: { at, size: 2 } });
    const [first, second] = rowsOf(LINES, lines);
    const starts = second !== undefined && BigInt(first.address) === entry && second.statement;
    return { addresses: [starts ? BigInt(second.address) : entry] };
  }
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
