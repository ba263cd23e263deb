// The table of hypercalls: the only decoder of their arguments and the only encoder of their
// results, for both entrances and for native guests (docs/spec/hypervisor.md §1.1-1.3). Definitions
// live with their objects; this file collects them.

import { ErrorCode } from "../../abi/errors.ts";
import {
  type ArgumentKind,
  HYPERCALL_COUNT,
  type HypercallName,
  HYPERCALLS,
  type HypercallSignature,
  RECORDED_HYPERCALL_COUNT,
  type ResultKind,
} from "../../abi/hypercalls.ts";
import { CallRegisters } from "../../abi/call-registers.ts";
import type { ObjectType } from "../../abi/rights.ts";
import type { VcpuState } from "../../../cpu/core/interface.ts";
import type { CapRule } from "../capabilities/capability-rules.ts";
import type { Cspace } from "../capabilities/cspace.ts";
import { type Call, DEFERRED, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { HypervisorObject } from "../capabilities/object.ts";
import type { ObjectOf } from "../capabilities/object-types.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import type { EncodedResults, Entrance, RepeatCounter, RunState, VcpuHypercalls } from "../scheduling/vcpu-services.ts";
import type { Behaviour } from "../services/behaviour.ts";
import { MadeCalls } from "../services/object-changes.ts";
import type { ChangeChecker, Services } from "../services/services.ts";
import { clearBehind, REGISTERS } from "../traps/call-registers.ts";
import { beginCall, describeCall, endCall, isRefusal, leaveCall } from "./hypercall-trace.ts";

/**
 * Where a call's arguments are: the caller's registers, or a list of values. Halves are unsigned.
 */
type Arguments = Pick<VcpuState, "getX" | "getLow" | "getHigh" | "areHalves">;

/** Where a native call's results go. */
type Results = Pick<VcpuState, "setX" | "setLow">;

/** Result of a handler. */
type ReplyValue = ErrorCode | Readonly<Record<string, unknown>>;

/**
 * Reserved arguments in a row: their indices, and what both halves of each must be: 0 or, all ones,
 * -1, which a small integer holds.
 */
interface ReservedArguments {
  readonly first: number;
  last: number;
  readonly half: number;
}

/** A call of the table. */
interface CallEntry {
  readonly name: HypercallName;
  readonly signature: HypercallSignature;
  readonly reserved: readonly ReservedArguments[];
  readonly resultNames: readonly string[];
  readonly resultKinds: readonly ResultKind[];
  readonly definition: HypercallDefinition | undefined;
  readonly hasError: boolean;
  /**
   * Low and high halves of X0 to X7 after a call that always has the same results, and no error;
   * undefined for others.
   */
  readonly constantHalves: Int32Array | undefined;
  /** Indices of the arguments that are looked up, in the order of `definition.caps`. */
  readonly lookedUp: readonly number[];
  /** Whether a capability must name an object that is still configurable. */
  readonly configures: boolean;
  /**
   * The arguments by name: read from where they are when a handler, or the trace, asks for them.
   * Valid until the call's results are written.
   */
  readonly decoded: Readonly<Record<string, unknown>>;
}

/** Calls whose X0 is not an error. */
const WITHOUT_ERROR: ReadonlySet<HypercallName> = new Set(["hypervisor_identify"]);

/** The arguments of the call in progress. Calls do not nest. */
interface CallInProgress {
  source: Arguments;
  /** Objects of the capabilities that have been looked up so far. */
  readonly objects: (HypervisorObject | undefined)[];
}

function makeEntry(name: HypercallName, definition: HypercallDefinition | undefined, frame: CallInProgress): CallEntry {
  const signature: HypercallSignature = HYPERCALLS[name];
  const names = Object.keys(signature.arguments);
  const lookedUp = definition?.caps.map(([argument]) => names.indexOf(argument)) ?? [];
  const reserved: ReservedArguments[] = [];
  // Its own prototype gives it its own hidden class: V8 turns objects that share one but have
  // different accessors of the same name into hash tables, in which every read is a search.
  const decoded = Object.create({});
  for (const [index, kind] of Object.values(signature.arguments).entries()) {
    if (kind === "res0" || kind === "res1") addReserved(reserved, index, kind === "res0" ? 0 : -1);
    else Object.defineProperty(decoded, names[index], { enumerable: true, get: reader(frame, kind, index, lookedUp.indexOf(index)) });
  }
  return {
    name,
    signature,
    reserved,
    resultNames: Object.keys(signature.results),
    resultKinds: Object.values(signature.results),
    definition,
    hasError: !WITHOUT_ERROR.has(name),
    constantHalves: definition?.constant && halvesOf(definition.constant, signature, !WITHOUT_ERROR.has(name)),
    lookedUp,
    configures: definition?.caps.some(([, rule]) => rule.state === "init") ?? false,
    decoded,
  };
}

function addReserved(reserved: ReservedArguments[], index: number, half: number): void {
  const before = reserved.at(-1);
  if (before?.last === index - 1 && before.half === half) before.last = index;
  else reserved.push({ first: index, last: index, half });
}

/** X0 to X7 after a native call with this reply and no error. */
function halvesOf(reply: Readonly<Record<string, unknown>>, signature: HypercallSignature, hasError: boolean): Int32Array {
  const values = Object.entries(signature.results).map(([result, kind]) => encodeResult(kind, reply[result]));
  const registers = new BigUint64Array(REGISTERS);
  registers.set(hasError ? [0n, ...values] : values);
  return new Int32Array(registers.buffer);
}

/**
 * Reads an argument. `place` is a looked-up capability's in `Frame.objects`, else -1; its id shows
 * where the lookup failed.
 */
function reader(frame: CallInProgress, kind: Exclude<ArgumentKind, "res0" | "res1">, index: number, place: number): () => unknown {
  if (place >= 0) return () => frame.objects[place] ?? frame.source.getX(index);
  switch (kind) {
    case "u16":
      return () => frame.source.getLow(index) & 0xffff;
    case "u32":
      return () => frame.source.getLow(index);
    case "bool":
      return () => (frame.source.getLow(index) & 0xff) !== 0;
    case "cap":
    case "u64":
    case "user_ptr":
      return () => frame.source.getX(index);
  }
}

const NO_VALUES = {};

/** The call in progress, as its handler sees it. One object serves all calls of a table. */
class CurrentCall implements Call {
  #services!: Services;
  #caller!: Vcpu;
  #cspace!: Cspace;
  #repeats = false;

  /** Whether it has called `repeats`. */
  get isRepeatable(): boolean {
    return this.#repeats;
  }

  get services(): Services {
    return this.#services;
  }

  get caller(): Vcpu {
    return this.#caller;
  }

  get cspace(): Cspace {
    return this.#cspace;
  }

  begin(caller: Vcpu, cspace: Cspace): void {
    this.#services = caller.services;
    this.#caller = caller;
    this.#cspace = cspace;
    this.#repeats = false;
  }

  repeats(): void {
    this.#repeats = true;
  }

  lookup<T extends ObjectType>(id: bigint, rule: CapRule<T>): ObjectOf<T> | ErrorCode {
    return this.cspace.lookup(id, rule);
  }

  refuse<E extends ErrorCode>(error: E, rule: string, values: Readonly<Record<string, unknown>> = NO_VALUES, section?: string): E {
    return this.services.trace.refuse(error, rule, values, section);
  }
}

export class HypercallTable implements VcpuHypercalls, RepeatCounter {
  readonly #entries: (CallEntry | undefined)[] = new Array(HYPERCALL_COUNT);
  readonly #definitions = new Map<HypercallName, HypercallDefinition>();
  readonly #call = new CurrentCall();
  readonly #frame: CallInProgress = { source: new CallRegisters(), objects: [] };
  /** The call that may repeat. */
  #repeating: CallEntry | undefined;

  /** End of the numbers: larger ones are not hypercalls. */
  readonly end: number;
  /** The calls that were made, for searches. */
  readonly made = new MadeCalls();

  constructor(definitions: Iterable<HypercallDefinition>, abi: Behaviour["abi"] = "recorded") {
    this.end = abi === "recorded" ? RECORDED_HYPERCALL_COUNT : HYPERCALL_COUNT;
    for (const definition of definitions) {
      if (this.#definitions.has(definition.name)) throw new Error(`${definition.name} is defined twice`);
      this.#definitions.set(definition.name, definition);
    }
    for (const name of Object.keys(HYPERCALLS) as HypercallName[]) {
      if (HYPERCALLS[name].number >= this.end) continue;
      const definition = this.#definitions.get(name);
      if (definition || !NOT_IN_THIS_BUILD.has(name)) this.#entries[HYPERCALLS[name].number] = makeEntry(name, definition, this.#frame);
    }
  }

  /** Wraps a call, or removes its wrapper. Other calls pay nothing for it. */
  around(name: HypercallName, make: ((definition: HypercallDefinition) => HypercallDefinition) | undefined): void {
    const { number } = HYPERCALLS[name];
    const definition = this.#definitions.get(name);
    // A call without a module in this build never runs, so it cannot be wrapped.
    if (!definition || number >= this.end) return;
    this.#entries[number] = makeEntry(name, make ? make(definition) : definition, this.#frame);
  }

  has(number: number): boolean {
    return this.#entries[number] !== undefined;
  }

  /**
   * Makes a native call whose arguments are in the caller's registers, and writes the results
   * there. False when the number is not assigned; nothing is written then.
   */
  call(caller: Vcpu, number: number): boolean {
    const entry = this.#entries[number];
    if (!entry) return false;
    const { trace, checker } = caller.services;
    if (entry.constantHalves && !trace.wanted.hvc && !checker) {
      trace.clearNote();
      trace.countCalls(1);
      caller.registers.setHalves(entry.constantHalves);
      clearBehind(caller, REGISTERS);
      this.#mayRepeat(entry, caller);
      return true;
    }
    const reply = this.#dispatch(entry, caller, caller.registers, "native");
    if (checker) verify(checker, entry, caller);
    if (reply !== DEFERRED) this.#write(entry, reply, caller);
    // A call that is traced is made each time.
    if (this.#call.isRepeatable && caller.trace.call === undefined && !trace.wanted.hvc && entry.lookedUp.length <= 1) {
      this.#mayRepeat(entry, caller);
    }
    return true;
  }

  #mayRepeat(entry: CallEntry, caller: Vcpu): void {
    this.#repeating = entry;
    caller.services.scheduler.exitRepeats(this);
  }

  repeated(caller: Vcpu, count: number): void {
    const { services, trace } = caller;
    const number = trace.hub.countCalls(count);
    if (this.#repeating?.constantHalves) return;
    trace.beginCall(number);
    services.capabilityUses.repeat(count, timeOf(services));
  }

  callWith(caller: Vcpu, number: number, registers: CallRegisters): boolean | typeof DEFERRED {
    const entry = this.#entries[number];
    if (!entry) return false;
    const reply = this.#dispatch(entry, caller, registers, "native");
    const { checker } = caller.services;
    if (checker) verify(checker, entry, caller);
    if (reply === DEFERRED) return DEFERRED;
    registers.clearFrom(putReply(registers, entry, reply));
    return true;
  }

  /**
   * Makes a call of the SMCCC wrapper with X1.. of its caller. Returns the results; `DEFERRED` when
   * the caller does not continue now; undefined when the number is not assigned.
   */
  dispatch(caller: Vcpu, number: number, args: readonly bigint[]): EncodedResults | typeof DEFERRED | undefined {
    const entry = this.#entries[number];
    if (!entry) return undefined;
    const registers = new CallRegisters();
    registers.load(args);
    const reply = this.#dispatch(entry, caller, registers, "smccc");
    const results = reply === DEFERRED ? DEFERRED : encode(entry, reply);
    if (caller.services.checker) verify(caller.services.checker, entry, caller);
    return results;
  }

  /** The results of vcpu_run, which come after its caller was deferred: see `DEFERRED`. */
  completeRun(state: RunState, caller: Vcpu, target: Vcpu): void {
    const entry = this.#entries[HYPERCALLS.vcpu_run.number];
    if (!entry) throw new Error("vcpu_run is not in the table");
    if (caller.trace.call !== undefined) endCall(caller, entry.name, ErrorCode.OK, { cap: target }, state);
    const { native } = caller;
    if (native) {
      native.runRegisters.clearFrom(putRunState(native.runRegisters, state));
      native.completeRun();
    } else if (caller.entrance === "smccc") {
      writeResults(caller, encode(entry, state));
    } else clearBehind(caller, putRunState(caller.registers, state));
  }

  #dispatch(entry: CallEntry, caller: Vcpu, args: Arguments, entrance: Entrance): ReplyValue | typeof DEFERRED {
    const { trace, capabilityUses } = caller.services;
    trace.clearNote();
    caller.trace.beginCall(trace.countCalls(1));
    this.made.add(entry.signature.number);
    capabilityUses.begin(entry.signature.number, timeOf(caller.services));
    if (trace.wanted.hvc) beginCall(caller, entry.name);
    const reply = this.#perform(entry, caller, args, entrance);
    if (reply === DEFERRED) {
      if (caller.trace.call !== undefined) leaveCall(caller, entry.name, entry.decoded);
      return reply;
    }
    const error = entry.hasError ? errorOf(reply) : ErrorCode.OK;
    if (error !== ErrorCode.OK) capabilityUses.refused(error);
    if (caller.trace.call !== undefined || isRefusal(error)) endCall(caller, entry.name, error, entry.decoded, reply);
    return reply;
  }

  #perform(entry: CallEntry, caller: Vcpu, args: Arguments, entrance: Entrance): ReplyValue | typeof DEFERRED {
    const { services, attachments: { cspace } } = caller;
    const { definition, decoded } = entry;
    if (!cspace) throw new Error(`${caller.name} makes a hypercall without a cspace`);
    const call = this.#call;
    call.begin(caller, cspace);
    this.#frame.source = args;
    const invalid = this.#begin(call, entry, args, entrance);
    if (invalid !== ErrorCode.OK) return invalid;
    if (!definition?.handler) {
      services.stop(`hypercall ${entry.name} (0x${entry.signature.number.toString(16)}) by ${caller.name} is not built yet`);
      return DEFERRED;
    }
    return definition.handler(call, decoded);
  }

  /**
   * The steps before every handler: reserved arguments, the call's own early checks, capabilities.
   */
  #begin(call: Call, { definition, decoded, reserved, lookedUp, configures }: CallEntry, args: Arguments, entrance: Entrance): ErrorCode {
    const { objects } = this.#frame;
    for (let index = 0; index < lookedUp.length; index++) objects[index] = undefined;
    // The SMCCC entrance has fewer registers, and ignores reserved ones.
    for (let at = 0; at < reserved.length && entrance === "native"; at++) {
      const { first, last, half } = reserved[at];
      if (args.areHalves(first, last, half)) continue;
      let index = first;
      while (args.areHalves(index, index, half)) index++;
      const rule = half === 0 ? "a reserved argument must be zero" : "a reserved argument must be all ones";
      return call.refuse(ErrorCode.ARGUMENT_INVALID, rule, { argument: index, value: args.getX(index) }, "hypervisor 1.3");
    }
    if (!definition) return ErrorCode.OK;
    const invalid = definition.validate?.(call, decoded) ?? ErrorCode.OK;
    if (invalid !== ErrorCode.OK) return invalid;
    const { caps } = definition;
    for (let index = 0; index < caps.length; index++) {
      const rule = caps[index][1];
      const at = lookedUp[index];
      const object: HypervisorObject | ErrorCode = call.cspace.lookupPlain(args.getHigh(at), args.getLow(at), rule) ??
        call.cspace.lookup(args.getX(at), rule as CapRule);
      if (typeof object === "number") return object;
      objects[index] = object;
      call.services.checker?.touch(object);
    }
    return configures ? checkConfigurable(call, caps, objects) : ErrorCode.OK;
  }

  /** Writes the results of a native call into the caller's registers. */
  #write(entry: CallEntry, reply: ReplyValue, caller: Vcpu): void {
    clearBehind(caller, putReply(caller.registers, entry, reply));
  }
}

/** Puts the results of a native call into registers. Gives how many it has put. */
function putReply(registers: Results, { hasError, resultNames, resultKinds }: CallEntry, reply: ReplyValue): number {
  let count = 0;
  if (hasError) registers.setLow(count++, errorOf(reply));
  if (typeof reply !== "number") {
    for (let index = 0; index < resultNames.length; index++) {
      const value = reply[resultNames[index]];
      const kind = resultKinds[index];
      if (kind === "cap" || kind === "u64") registers.setX(count++, value as bigint);
      else registers.setLow(count++, Number(value));
    }
  }
  return count;
}

/**
 * `putReply` of vcpu_run. There replies of all calls meet, in which V8 searches for each name; this
 * reads fields.
 */
function putRunState(registers: Results, { vcpu_state, state_data_0, state_data_1, state_data_2 }: RunState): number {
  registers.setLow(0, ErrorCode.OK);
  registers.setLow(1, vcpu_state);
  registers.setX(2, state_data_0);
  registers.setX(3, state_data_1);
  registers.setX(4, state_data_2);
  return 5;
}

/** The results of an SMCCC call, whose wrapper extends the sign of the error. */
function encode(entry: CallEntry, reply: ReplyValue): EncodedResults {
  const values = new Array<bigint>(REGISTERS).fill(0n);
  let count = 0;
  if (entry.hasError) values[count++] = BigInt.asUintN(64, BigInt(errorOf(reply)));
  for (const [index, name] of entry.resultNames.entries()) {
    values[count++] = typeof reply === "number" ? 0n : encodeResult(entry.resultKinds[index], reply[name]);
  }
  return { values, count };
}

/** Gives the results of an SMCCC call to its caller, which executes instructions. */
function writeResults({ registers }: Vcpu, { values, count }: EncodedResults): void {
  for (let index = 0; index < count; index++) registers.setX(index, values[index]);
}

function verify(checker: ChangeChecker, { name, decoded }: CallEntry, caller: Vcpu): void {
  checker.verifyAfter(() => describeCall(caller, name, decoded));
}

/** Virtual time (ns) of the CPU that runs. */
function timeOf({ trace, machine }: Vcpu["services"]): number {
  return trace.pcpu === undefined ? machine.time : machine.cpus[trace.pcpu].position;
}

function errorOf(reply: ReplyValue): ErrorCode {
  return typeof reply === "number" ? reply : reply.error as ErrorCode | undefined ?? ErrorCode.OK;
}

/**
 * Numbers that the ABI assigns but this build has no module for; they answer like unassigned ones.
 */
const NOT_IN_THIS_BUILD: ReadonlySet<HypercallName> = new Set(["partition_create_watchdog"]);

/**
 * When every lookup has succeeded: objects that are to be configured must still be in state INIT.
 */
function checkConfigurable(call: Call, caps: HypercallDefinition["caps"], objects: CallInProgress["objects"]): ErrorCode {
  for (const [index, [, rule]] of caps.entries()) {
    const object = objects[index];
    if (rule.state !== "init" || !object || object.state === "init") continue;
    const values = { object: call.services.names.object(object), state: object.state };
    return call.refuse(ErrorCode.OBJECT_STATE, "the object is no longer configurable", values, "hypervisor 3.3");
  }
  return ErrorCode.OK;
}

function encodeResult(kind: ResultKind, value: unknown): bigint {
  switch (kind) {
    case "bool":
      return value ? 1n : 0n;
    case "u32":
      return BigInt.asUintN(32, BigInt(value as number));
    case "cap":
    case "u64":
      return BigInt.asUintN(64, value as bigint);
  }
}
