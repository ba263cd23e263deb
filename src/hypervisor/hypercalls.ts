// The table of hypercalls: the only decoder of their arguments and the only encoder of their results, for both entrances and for native
// guests (spec/hypervisor.md §1.1-1.3). Definitions live with their objects; this file collects them.

import { ErrorCode } from "../abi/errors.ts";
import {
  type ArgumentKind,
  HYPERCALL_COUNT,
  type HypercallName,
  HYPERCALLS,
  type HypercallSignature,
  type ResultKind,
} from "../abi/hypercalls.ts";
import { type Call, type CapRule, DEFERRED, type HypercallDefinition } from "./hypercall-definition.ts";
import { HypervisorObject } from "./object.ts";
import type { Vcpu } from "./vcpu.ts";

/** `HVC #(0x6000 + n)`, which a native guest's calls count as; or the SMCCC wrapper behind `HVC #0` and `SMC #0`. */
export type Entrance = "native" | "smccc";

/** Results of a call as register values. */
export interface EncodedResults {
  /** X0..X7, unsigned 64 bits. */
  readonly values: readonly bigint[];
  /** How many of them the call defines: the SMCCC entrance writes no others. */
  readonly count: number;
}

/** Registers that carry arguments and results of a native call. */
const REGISTERS = 8;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

interface Entry {
  readonly signature: HypercallSignature;
  readonly arguments: readonly (readonly [name: string, kind: ArgumentKind])[];
  readonly results: readonly (readonly [name: string, kind: ResultKind])[];
  readonly definition: HypercallDefinition | undefined;
}

/** Calls whose X0 is no error. */
const WITHOUT_ERROR: ReadonlySet<HypercallName> = new Set(["hypervisor_identify"]);

/** The table. */
export class HypercallTable {
  readonly #entries: (Entry & { readonly name: HypercallName } | undefined)[] = new Array(HYPERCALL_COUNT);

  constructor(definitions: Iterable<HypercallDefinition>) {
    const byName = new Map<HypercallName, HypercallDefinition>();
    for (const definition of definitions) {
      if (byName.has(definition.name)) throw new Error(`${definition.name} is defined twice`);
      byName.set(definition.name, definition);
    }
    for (const [name, signature] of Object.entries(HYPERCALLS) as [HypercallName, HypercallSignature][]) {
      this.#entries[signature.number] = {
        name,
        signature,
        arguments: Object.entries(signature.arguments),
        results: Object.entries(signature.results),
        definition: byName.get(name),
      };
    }
  }

  /**
   * Makes a call. `args` are X0..X7 (native) or X1..X7 (SMCCC).
   * Gives the results; `DEFERRED` when the caller does not go on now; undefined when the number is not assigned.
   */
  dispatch(caller: Vcpu, number: number, args: readonly bigint[], entrance: Entrance): EncodedResults | typeof DEFERRED | undefined {
    const entry = this.#entries[number];
    if (!entry || !entry.definition && NOT_IN_THIS_BUILD.has(entry.name)) return undefined;
    const { hypervisor } = caller;
    hypervisor.reasons.begin();
    const reply = this.#perform(entry, caller, args, entrance);
    if (reply === DEFERRED) return DEFERRED;
    return this.encode(entry.name, reply, entrance, caller);
  }

  /** Register values of a reply, also of one that comes later (`DEFERRED`). Records the reason of an error. */
  encode(
    name: HypercallName,
    reply: ErrorCode | Readonly<Record<string, unknown>>,
    entrance: Entrance,
    caller: Vcpu,
  ): EncodedResults {
    const entry = this.#entries[HYPERCALLS[name].number]!;
    const values = new Array<bigint>(REGISTERS).fill(0n);
    let count = 0;
    const error = typeof reply === "number" ? reply : reply.error as ErrorCode | undefined ?? ErrorCode.OK;
    if (!WITHOUT_ERROR.has(name)) {
      // An implemented call answers a 32-bit enumeration; the SMCCC wrapper extends its sign.
      values[count++] = BigInt.asUintN(entrance === "native" ? 32 : 64, BigInt(error));
    }
    for (const [result, kind] of entry.results) {
      values[count++] = typeof reply === "number" ? 0n : encodeResult(kind, reply[result]);
    }
    if (error !== ErrorCode.OK) caller.hypervisor.reasons.end(caller.hypervisor.now, name, caller.name, error);
    return { values, count };
  }

  #perform(entry: Entry & { readonly name: HypercallName }, caller: Vcpu, args: readonly bigint[], entrance: Entrance) {
    const { hypervisor } = caller;
    const { definition } = entry;
    const decoded: Record<string, unknown> = {};
    for (let i = 0; i < entry.arguments.length; i++) {
      const [name, kind] = entry.arguments[i];
      const value = args[i] ?? 0n;
      if (kind === "res0" || kind === "res1") {
        if (entrance === "native" && value !== (kind === "res0" ? 0n : ALL_ONES)) {
          const rule = kind === "res0" ? "a reserved argument must be zero" : "a reserved argument must be all ones";
          return hypervisor.reasons.refuse(ErrorCode.ARGUMENT_INVALID, rule, { argument: i, value });
        }
      } else {
        decoded[name] = decodeArgument(kind, value);
      }
    }
    const cspace = caller.cspace;
    if (!cspace) throw new Error(`${caller.name} makes a hypercall without a cspace`);
    const call: Call = {
      hypervisor,
      caller,
      cspace,
      lookup: (id, rule) => cspace.lookup(id, rule),
      refuse: (error, rule, values = {}) => hypervisor.reasons.refuse(error, rule, values),
    };
    if (definition) {
      const invalid = definition.validate?.(call, decoded) ?? ErrorCode.OK;
      if (invalid !== ErrorCode.OK) return invalid;
      const error = lookUp(call, definition.caps, decoded);
      if (error !== ErrorCode.OK) return error;
    }
    if (!definition?.handler) {
      hypervisor.stop(`hypercall ${entry.name} (0x${entry.signature.number.toString(16)}) by ${caller.name} is not built yet`);
      return DEFERRED;
    }
    return definition.handler(call, decoded);
  }
}

/** Numbers that the ABI assigns but this build has no module for; they answer like unassigned ones. */
const NOT_IN_THIS_BUILD: ReadonlySet<HypercallName> = new Set(["partition_create_watchdog"]);

/** Replaces capability ids in `decoded` by their objects. */
function lookUp(call: Call, caps: HypercallDefinition["caps"], decoded: Record<string, unknown>): ErrorCode {
  for (const [argument, rule] of caps) {
    const object: HypervisorObject | ErrorCode = call.cspace.lookup(decoded[argument] as bigint, rule as CapRule);
    if (typeof object === "number") return object;
    decoded[argument] = object;
  }
  for (const [argument, rule] of caps) {
    const object = decoded[argument];
    if (rule.state === "init" && object instanceof HypervisorObject && object.state !== "init") {
      return call.refuse(ErrorCode.OBJECT_STATE, "the object is no longer configurable", { target: object.name, state: object.state });
    }
  }
  return ErrorCode.OK;
}

function decodeArgument(kind: Exclude<ArgumentKind, "res0" | "res1">, value: bigint): number | bigint | boolean {
  switch (kind) {
    case "u16":
      return Number(value & 0xffffn);
    case "u32":
      return Number(value & 0xffff_ffffn);
    case "bool":
      return (value & 0xffn) !== 0n;
    case "cap":
    case "u64":
    case "user_ptr":
      return value;
  }
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
