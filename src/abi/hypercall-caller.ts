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
  protected abstract invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N>;
}

/** Makes hypercalls. A refusal is only in their results. */
export class HypercallCaller extends HypercallMethods {
  /** The vCPU of the event in progress; every entry of the native guest sets it. */
  vcpu!: NativeVcpu;

  hypervisor_identify(): HypercallResults<"hypervisor_identify"> {
    return CALL_SHAPES.hypervisor_identify.read(this.vcpu.hvc(HYPERCALLS.hypervisor_identify.number));
  }

  override invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N> {
    return call.read(this.vcpu.hvc(call.number, ...call.encode(args)));
  }
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

type Argument = number | bigint | boolean;

/**
 * The registers of calls that are made often, written out: a loop over the table takes ten times as
 * long. A test holds them to the table.
 */
const WRITTEN_OUT: { readonly [N in HypercallName]?: (args: HypercallArguments<N>) => bigint[] } = {
  vcpu_run: ({ cap, resume_data_0, resume_data_1, resume_data_2 }) => [
    cap,
    BigInt(resume_data_0),
    BigInt(resume_data_1),
    BigInt(resume_data_2),
  ],
  doorbell_send: ({ doorbell, new_flags }) => [doorbell, BigInt(new_flags)],
  msgqueue_send: ({ msgqueue, size, data, send_flags }) => [msgqueue, BigInt(size), BigInt(data), BigInt(send_flags)],
  msgqueue_receive: ({ msgqueue, buffer, buf_size }) => [msgqueue, BigInt(buffer), BigInt(buf_size)],
};

/** The results of a call, read from the registers that hold them. */
interface View {
  values: HypercallResult;
}

/** Registers of a call's arguments and results. */
export class CallShape<N extends HypercallName = HypercallName> {
  readonly number: number;
  /**
   * In register order, without reserved ones at the end that are zero, as absent ones are.
   */
  readonly #arguments: readonly string[];
  readonly #kinds: readonly ArgumentKind[];
  readonly #view: View;
  readonly #writtenOut: ((args: HypercallArguments<N>) => bigint[]) | undefined;

  constructor(readonly name: N) {
    const { number, arguments: args, results }: HypercallSignature = HYPERCALLS[name];
    this.number = number;
    const kinds = Object.values(args);
    while (kinds.at(-1) === "res0") kinds.pop();
    this.#kinds = kinds;
    this.#arguments = Object.keys(args).slice(0, kinds.length);
    this.#writtenOut = WRITTEN_OUT[name];
    this.#view = viewOf(name === "hypervisor_identify" ? results : { error: "error", ...results });
  }

  /** The registers from X0 on; later ones are zero. */
  encode(args: HypercallArguments<N>): bigint[] {
    return this.#writtenOut?.(args) ?? this.#encodeByTable(args);
  }

  #encodeByTable(args: HypercallArguments<N>): bigint[] {
    const all = args as Readonly<Record<string, Argument>>;
    const names = this.#arguments, kinds = this.#kinds;
    const values = new Array<bigint>(names.length);
    for (let index = 0; index < names.length; index++) values[index] = encode(kinds[index], all[names[index]]);
    return values;
  }

  /** Results by name, of the registers from X0 on. One object serves all calls of this name. */
  read(values: HypercallResult): HypercallResults<N> {
    this.#view.values = values;
    return this.#view as unknown as HypercallResults<N>;
  }
}

/** All calls by name. */
export const CALL_SHAPES = Object.fromEntries(
  (Object.keys(HYPERCALLS) as HypercallName[]).map((name) => [name, new CallShape(name)]),
) as { readonly [N in HypercallName]: CallShape<N> };

for (const shape of Object.values(CALL_SHAPES) as CallShape<FallibleCall>[]) {
  if (shape.name as HypercallName === "vcpu_run" || shape.name as HypercallName === "hypervisor_identify") continue;
  Object.defineProperty(HypercallMethods.prototype, shape.name, {
    value(this: HypercallCaller, args: HypercallArguments<FallibleCall>) {
      return this.invoke(shape, args);
    },
  });
}

/**
 * A prototype per call makes a hidden class per call, so that V8 reads a result without a lookup.
 */
function viewOf(results: Readonly<Record<string, ResultKind | "error">>): View {
  const prototype = {};
  for (const [index, [name, kind]] of Object.entries(results).entries()) {
    Object.defineProperty(prototype, name, { get: reader(name, kind, index), enumerable: true });
  }
  const view: View = Object.create(prototype);
  view.values = [];
  return view;
}

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

function encode(kind: ArgumentKind, value: Argument): bigint {
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
      return typeof value === "bigint" ? value : BigInt(value);
  }
}
