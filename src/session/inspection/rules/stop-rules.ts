// Stop rules: the machine stops at the first event that matches a filter, or before an instruction,
// to be inspected. A rule changes nothing in the machine: a stopped run continues as the same run.

import type { TraceEvent } from "../../../machine/abi/trace.ts";
import type { DebugAnswer, DebugControl } from "../../../machine/hypervisor/interface.ts";
import type { Hypervisor, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { formatId, parsePlace, vcpuId, vmId, withKind } from "../../../model/queries/ids.ts";
import { FilterError } from "../../../model/queries/filters/filter.ts";
import { type EventMatcher, kindsForFilter, parseEventFilter } from "../../../model/queries/filters/temporal-filter.ts";
import type { SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import { QueryError } from "../readers/inspected.ts";
import { eventRow } from "../readers/objects/read-trace.ts";
import { type BreakPlace, callFilter, type StopChange, type StopHit, type StopRule } from "../../../model/queries/stop-rule.ts";
import { TABLES } from "../../../model/queries/tables.ts";
import { FollowedPlace, ModuleLoads, placeNow } from "./module-loads.ts";
import { problemText } from "../../../kit/support/problem.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** Requirements of the rules on the system. */
interface StopSystem {
  readonly hypervisor: () => Hypervisor;
  /**
   * Finds a place of code.
   * @throws QueryError
   */
  placeOf(at: string): BreakPlace;
  /** The symbols of a VM's kernel; undefined: it is not known yet. */
  kernelOf(vm: string): SymbolTable | undefined;
  /** How far a VM's kernel has moved itself; undefined: not known. */
  movedBy(vm: string): bigint | undefined;
  /**
   * A vCPU that executes instructions, and its VM.
   * @throws QueryError
   */
  vcpuOf(id: string): { readonly vm: string; readonly vcpu: Vcpu };
  /**
   * The stops of a VM.
   * @throws QueryError if a debugger has one.
   */
  controlOf(vm: string): DebugControl;
  /** No VM is stopped by these rules any more. */
  releaseControl(): void;
  /** Whether an expression is other than 0 in a vCPU's frame; undefined: it has no value. */
  holds(vcpu: Vcpu, expression: string): boolean | undefined;
}

type EventRow = ReturnType<typeof eventRow>;

type Armed = StopRule & { readonly kind: "event"; readonly matcher: EventMatcher<EventRow> } | PlaceRule;

class PlaceRule implements StopRule {
  readonly kind = "place";
  readonly id: string;
  readonly text: string;
  hits = 0;
  last: StopRule["last"];

  /**
   * @param at the place as it was written
   * @param moved how far the VM's kernel had moved itself when the place was found
   * @param condition an expression
   */
  constructor(id: string, readonly at: string, public place: BreakPlace, public moved: bigint, readonly condition?: string) {
    this.id = id;
    this.text = condition === undefined ? at : `${at} if ${condition}`;
  }

  get where(): string {
    const { addresses, modules = [] } = this.place;
    return addresses.length ? addresses.map((address) => hex(address, 16)).join(", ") : `waits for module ${modules.join(", ")}`;
  }
}

/** The rules of one machine. */
export class StopRules {
  readonly #rules: Armed[] = [];
  #count = 0;
  #endListening: (() => void) | undefined;
  #pending: StopHit | undefined;
  /** The VM with breakpoints, and its stops. */
  #control: { readonly vm: string; readonly control: DebugControl } | undefined;
  /** The modules of that VM's kernel, while a place is in some. */
  #loads: ModuleLoads | undefined;
  /** A vCPU at a breakpoint: it executes that instruction before breakpoints count again. */
  #at: Vcpu | undefined;
  #step: { readonly vcpu: Vcpu; left: number } | undefined;
  #muted = false;
  /** Matches of events that do not stop the machine, and how many of them there have been. */
  #passing = 0;
  #passed = 0;
  /** The place of the last of them (`Machine.places`). */
  #passedAt = -1;

  constructor(readonly system: StopSystem) {}

  /** The rules, oldest first. */
  get rules(): readonly StopRule[] {
    return this.#rules;
  }

  /** The same, with the places of modules that the kernel has now. */
  now(): readonly StopRule[] {
    this.#findInModules();
    return this.#rules;
  }

  /** A place in modules for another control of the same machine. */
  follow(at: string, place: BreakPlace, control: DebugControl): FollowedPlace {
    return new FollowedPlace(this.system, at, place, control);
  }

  /** The VM that has breakpoints. */
  get vm(): string | undefined {
    return this.#control?.vm;
  }

  /**
   * Adds or removes a rule.
   * @throws FilterError, QueryError
   */
  change(change: StopChange): void {
    switch (change.kind) {
      case "event":
        return this.#await(change.filter);
      case "place": {
        const call = callFilter(change.at);
        if (call === undefined) return this.#break(change.at, change.holds);
        if (change.holds !== undefined) throw new QueryError(`${change.at} is not an instruction`, "a filter chooses among system calls");
        return this.#await(call);
      }
      case "step":
        return this.#begin(change.vcpu, change.count);
      case "remove":
        return this.#remove(change.rule);
    }
  }

  /**
   * Whether what suspended the machine was one of these rules: the hit; `"passed"`: only the way on
   * from a breakpoint; undefined: neither.
   */
  take(): StopHit | "passed" | undefined {
    this.#follow();
    this.#loads?.follow();
    const stop = this.#control?.control.takeStop();
    if (stop?.cause === "breakpoint") this.#reached(stop.vcpu);
    const hit = this.#pending;
    this.#pending = undefined;
    if (hit && this.#step) this.#cancelStep();
    if (!hit && stop?.cause === "step" && this.#step) return this.#stepped(this.#step) ?? "passed";
    return hit ?? (stop ? "passed" : undefined);
  }

  /** Continues the machine: from a breakpoint by one instruction first. */
  goOn(): void {
    const first = this.#step?.vcpu ?? this.#at;
    if (first) this.#control?.control.goOn(first);
    this.#at = undefined;
  }

  /** Does something to the machine without stopping it. */
  muted(work: () => void): void {
    for (const address of this.#addresses()) this.#control?.control.remove(address);
    this.#muted = true;
    try {
      work();
    } finally {
      this.#muted = false;
      this.#pending = undefined;
      this.#control?.control.takeStop();
      for (const address of this.#addresses()) this.#control?.control.insert(address);
    }
  }

  /**
   * The next `count` matches of events do not stop the machine. They are those at which it would
   * have stopped: of several at one place, the first.
   */
  pass(count: number): void {
    this.#passing = count;
    this.#passed = 0;
    this.#passedAt = -1;
  }

  /** How many matches have not stopped the machine since `pass`. */
  get passed(): number {
    return this.#passed;
  }

  #make(text: string): Omit<StopRule, "kind" | "where"> {
    return { id: formatId({ kind: "stop", number: ++this.#count }), text, hits: 0, last: undefined };
  }

  #addresses(): bigint[] {
    return this.#rules.flatMap((rule) => rule.kind === "place" ? rule.place.addresses : []);
  }

  /** A rule does not stop there any more; another one may. */
  #lift({ addresses }: BreakPlace): void {
    const wanted = this.#addresses();
    for (const address of addresses) if (!wanted.includes(address)) this.#control?.control.remove(address);
  }

  #controlOf(vm: string): DebugControl {
    if (this.#control && this.#control.vm !== vm) {
      throw new QueryError(
        `${vmId(this.#control.vm)} has breakpoints`,
        way`one VM at a time: ${hint("break", { remove: "all" })}, then again`,
      );
    }
    this.#control ??= { vm, control: this.system.controlOf(vm) };
    return this.#control.control;
  }

  /** No VM is held for these rules when none of them needs it. */
  #release(): void {
    if (!this.#rules.some((rule) => rule.kind === "place" && rule.place.modules)) {
      this.#loads?.end();
      this.#loads = undefined;
    }
    if (!this.#control || this.#step || this.#rules.some(({ kind }) => kind === "place")) return;
    this.#control = this.#at = undefined;
    this.system.releaseControl();
  }

  #begin(id: string, left: number): void {
    const { vm, vcpu } = this.system.vcpuOf(id);
    this.#controlOf(vm).goOn(vcpu);
    this.#step = { vcpu, left };
  }

  /** Something else has stopped the machine before. */
  #cancelStep(): void {
    this.#control?.control.goOn(undefined);
    this.#step = undefined;
    this.#release();
  }

  /** A vCPU has executed an instruction that was asked for. */
  #stepped(step: { readonly vcpu: Vcpu; left: number }): StopHit | undefined {
    const { vcpu } = step;
    if (--step.left > 0) {
      this.#control?.control.goOn(vcpu);
      return undefined;
    }
    this.#step = undefined;
    this.#release();
    return { rule: "step", text: this.#where(vcpu) };
  }

  #where(vcpu: Vcpu): string {
    return `${vcpuId(this.system.hypervisor().names.vcpu(vcpu))} at 0x${vcpu.registers.pc.toString(16).padStart(16, "0")}`;
  }

  #await(filter: string): void {
    this.#rules.push({ ...this.#make(filter), kind: "event", where: undefined, matcher: parseEventFilter(filter, TABLES.events).start() });
    this.#listen();
  }

  #break(at: string, condition?: string): void {
    const place = this.system.placeOf(at);
    const control = this.#controlOf(place.vm);
    if (!place.addresses.every((address) => control.insert(address))) {
      this.#lift(place);
      this.#release();
      throw new QueryError(`${at}: no instruction can be there, or there are too many breakpoints`);
    }
    this.#rules.push(new PlaceRule(this.#make(at).id, at, place, this.system.movedBy(place.vm) ?? 0n, condition));
    if (!place.modules) return;
    this.#loads ??= new ModuleLoads(control, () => this.system.kernelOf(place.vm), () => this.#findInModules());
    this.#loads.follow();
  }

  /** Finds the places in modules again: the kernel has loaded one, or another is there now. */
  #findInModules(): void {
    for (const rule of this.#rules) if (rule.kind === "place" && rule.place.modules) this.#find(rule);
  }

  /** Finds a place again, which may have others now, or none. */
  #find(rule: PlaceRule): void {
    const { place } = rule, { control } = this.#control ?? {};
    rule.place = placeNow(this.system.placeOf, rule.at, place);
    if (this.#muted) return;
    this.#lift(place);
    for (const address of rule.place.addresses) control?.insert(address);
  }

  /** Moves places of a kernel that has moved itself since they were found. */
  #follow(): void {
    if (!this.#control) return;
    const moved = this.system.movedBy(this.#control.vm);
    if (moved === undefined) return;
    for (const rule of this.#rules) {
      if (rule.kind !== "place" || rule.moved === moved || !isName(rule.at)) continue;
      rule.moved = moved;
      this.#find(rule);
    }
  }

  #remove(id: string): void {
    const wanted = withKind("stop", id);
    const gone = id === "all" ? [...this.#rules] : this.#rules.filter((rule) => rule.id === wanted);
    if (!gone.length && id !== "all") {
      throw new QueryError(`no rule called "${wanted}"`, way`list them with ${hint("break", { list: true })}`);
    }
    for (const rule of gone) {
      this.#rules.splice(this.#rules.indexOf(rule), 1);
      if (rule.kind === "place") this.#lift(rule.place);
    }
    this.#listen();
    this.#release();
  }

  #listen(): void {
    this.#endListening?.();
    this.#endListening = undefined;
    const kinds = new Set(this.#rules.flatMap(({ kind, text }) => kind === "event" ? kindsForFilter(text) : []));
    if (kinds.size) this.#endListening = this.system.hypervisor().trace.listen(kinds, (event) => this.#see(event));
  }

  #see(event: TraceEvent): void {
    const { machine, scheduler } = this.system.hypervisor();
    if (this.#muted || this.#pending || machine.places === this.#passedAt) return;
    const row = eventRow(event);
    let hit: { readonly rule: Armed; readonly row: EventRow } | undefined;
    // A filter over time sees every event, also one at which another rule stops.
    for (const rule of this.#rules) {
      const [found] = rule.kind === "event" ? rule.matcher.see(row) : [];
      if (found) hit ??= { rule, row: found };
    }
    if (!hit) return;
    scheduler.disturb();
    if (this.#passed < this.#passing) {
      this.#passed++;
      this.#passedAt = machine.places;
      hit.rule.hits++;
      return;
    }
    this.#hit(hit.rule, eventText(hit.row));
    machine.suspend();
  }

  /** A vCPU has stopped before an instruction, which may be the place of rules. */
  #reached(vcpu: Vcpu): void {
    const { pc } = vcpu.registers;
    const of = () => this.#rules.filter((one): one is PlaceRule => one.kind === "place" && one.place.addresses.includes(pc));
    let rules = of();
    if (rules.some(({ place }) => place.modules)) {
      // The memory of a module that is unloaded may have other code.
      this.#findInModules();
      rules = of();
    }
    if (!rules.length) return;
    // Without a value, nobody knows whether it holds: it stops, as debuggers do.
    const rule = rules.find(({ condition }) => condition === undefined || this.system.holds(vcpu, condition) !== false);
    if (!rule) return this.#control?.control.goOn(vcpu);
    this.#at = vcpu;
    this.#hit(rule, `${this.#where(vcpu)}, ${rule.text}`);
  }

  #hit(rule: StopRule, text: string): void {
    rule.hits++;
    rule.last = { time: this.system.hypervisor().now, text };
    this.#pending = { rule: rule.id, text };
  }
}

/** Whether a place has a name, rather than an address or a distance from the PC. */
const isName = (place: string) => !/^(0x|\d|pc(-|$))/i.test(parsePlace(place)?.where ?? "");

function eventText({ id, vcpu, kind, text }: EventRow): string {
  return [id, vcpu, kind, text].filter((word) => word !== null).join(" ");
}

/** A debugger stops at events that a filter lets through; at none without one. */
export function stopAtEvents(control: DebugControl, filter: string | undefined): DebugAnswer {
  if (filter === undefined) control.stopAtEvents(undefined);
  else {
    try {
      const parsed = parseEventFilter(filter, TABLES.events).start();
      const matcher = (event: TraceEvent) => {
        const [row] = parsed.see(eventRow(event));
        return row && eventText(row);
      };
      control.stopAtEvents(matcher, kindsForFilter(filter));
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return { kind: "refused", message: problemText(error.marked) };
    }
  }
  return { kind: "done" };
}
