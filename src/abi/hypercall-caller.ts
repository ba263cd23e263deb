// Hypercalls as methods, for native guests: `calls.doorbell_send({ doorbell, new_flags: 1n })`.
// Names, types and register order come from the table in `hypercalls.ts`.

import {
  type ArgumentKind,
  type HypercallArguments,
  type HypercallName,
  type HypercallResults,
  HYPERCALLS,
  type HypercallSignature,
  type ResultKind,
} from "./hypercalls.ts";
import type { HypercallResult, NativeVcpu } from "./native-guest.ts";

/**
 * Calls that methods make: all but hypervisor_identify, which has no error, and vcpu_run, which
 * takes time (`NativeVcpu.vcpuRun`).
 */
export type FallibleCall = Exclude<HypercallName, "hypervisor_identify" | "vcpu_run">;

type Methods = { readonly [N in FallibleCall]: (args: HypercallArguments<N>) => HypercallResults<N> };

/** Has a method for each call. Subclasses define what a refusal does. */
export interface HypercallMethods extends Methods {}
export abstract class HypercallMethods {
  /** Makes a call. */
  protected abstract invoke<N extends FallibleCall>(name: N, args: HypercallArguments<N>): HypercallResults<N>;
}

/** Makes hypercalls. A refusal is only in their results. */
export class HypercallCaller extends HypercallMethods {
  /** The vCPU of the event in progress; every entry of the native guest sets it. */
  vcpu!: NativeVcpu;

  hypervisor_identify(): HypercallResults<"hypervisor_identify"> {
    return readResults("hypervisor_identify", this.vcpu.hvc(HYPERCALLS.hypervisor_identify.number));
  }

  override invoke<N extends FallibleCall>(name: N, args: HypercallArguments<N>): HypercallResults<N> {
    return readResults(name, this.vcpu.hvc(HYPERCALLS[name].number, ...encodeArguments(name, args)));
  }
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

interface Shape {
  /** In register order, without reserved ones at the end that are zero, as absent ones are. */
  readonly arguments: readonly (readonly [name: string, kind: ArgumentKind])[];
  readonly results: { values: HypercallResult };
}

const SHAPES = Object.fromEntries(
  Object.entries(HYPERCALLS).map(([name, signature]) => [name, shapeOf(name as HypercallName, signature)]),
) as Readonly<Record<HypercallName, Shape>>;

for (const name of Object.keys(HYPERCALLS) as HypercallName[]) {
  if (name === "vcpu_run" || name === "hypervisor_identify") continue;
  Object.defineProperty(HypercallMethods.prototype, name, {
    value(this: HypercallCaller, args: HypercallArguments<typeof name>) {
      return this.invoke(name, args);
    },
  });
}

function shapeOf(name: HypercallName, { arguments: args, results }: HypercallSignature): Shape {
  const kinds = Object.entries(args);
  while (kinds.at(-1)?.[1] === "res0") kinds.pop();
  // A prototype per call makes a hidden class per call: reading a result is no search.
  const prototype = {};
  const named: [string, ResultKind | "error"][] = Object.entries(results);
  if (name !== "hypervisor_identify") named.unshift(["error", "error"]);
  for (const [index, [result, kind]] of named.entries()) {
    Object.defineProperty(prototype, result, { get: reader(result, kind, index), enumerable: true });
  }
  const view: Shape["results"] = Object.create(prototype);
  view.values = [];
  return { arguments: kinds, results: view };
}

type View = Shape["results"];

function reader(name: string, kind: ResultKind | "error", index: number): (this: View) => unknown {
  switch (kind) {
    case "error":
      return function () {
        return Number(BigInt.asIntN(32, this.values[index]));
      };
    case "u32":
      return function () {
        return Number(BigInt.asUintN(32, this.values[index]));
      };
    case "bool":
      return function () {
        return this.values[index] !== 0n;
      };
    case "cap":
    case "u64":
      if (name === "size" || name === "offset") {
        return function () {
          return Number(this.values[index]);
        };
      }
      return function () {
        return this.values[index];
      };
  }
}

/**
 * The registers from X0 on that hold a call's arguments, without zeros at the end that are
 * reserved.
 */
export function encodeArguments<N extends HypercallName>(name: N, args: HypercallArguments<N>): bigint[] {
  const kinds = SHAPES[name].arguments;
  const values = new Array<bigint>(kinds.length);
  for (let index = 0; index < kinds.length; index++) {
    const [argument, kind] = kinds[index];
    values[index] = encode(kind, (args as Readonly<Record<string, number | bigint | boolean>>)[argument]);
  }
  return values;
}

function encode(kind: ArgumentKind, value: number | bigint | boolean): bigint {
  switch (kind) {
    case "res0":
      return 0n;
    case "res1":
      return ALL_ONES;
    case "u16":
    case "u32":
      return BigInt(value as number >>> 0);
    case "bool":
    case "cap":
    case "u64":
    case "user_ptr":
      return BigInt.asUintN(64, typeof value === "bigint" ? value : BigInt(value));
  }
}

/** The results of a call by name, of the registers from X0 on. */
export function readResults<N extends HypercallName>(name: N, values: HypercallResult): HypercallResults<N> {
  const view = SHAPES[name].results;
  view.values = values;
  return view as unknown as HypercallResults<N>;
}
