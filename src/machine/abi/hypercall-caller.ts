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
import { once } from "../../kit/support/values/once.ts";
import { CallRegisters } from "./call-registers.ts";
import type { NativeVcpu } from "./native-guest.ts";

/**
 * Calls that methods make: all but hypervisor_identify, which has no error, and vcpu_run, which
 * takes time (`NativeVcpu.vcpuRun`).
 */
export type FallibleCall = Exclude<HypercallName, "hypervisor_identify" | "vcpu_run">;

type Methods = { readonly [N in FallibleCall]: (args: HypercallArguments<N>) => HypercallResults<N> };

/** Has a method for each call. Subclasses define what a refusal does. */
export interface HypercallMethods extends Methods {}
export abstract class HypercallMethods {
  protected abstract invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N>;
}

/** Makes hypercalls. A refusal is only in their results. */
export class HypercallCaller extends HypercallMethods {
  /** The vCPU of the event in progress; every entry of the native guest sets it. */
  vcpu!: NativeVcpu;

  hypervisor_identify(): HypercallResults<"hypervisor_identify"> {
    return CALL_SHAPES.hypervisor_identify().make(this.vcpu, {});
  }

  override invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N> {
    return call.make(this.vcpu, args);
  }
}

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

type Argument = number | bigint | boolean;

/**
 * The registers of calls that are made often, written out: a loop over the table takes ten times as
 * long. A test holds them to the table.
 */
const WRITTEN_OUT: { readonly [N in HypercallName]?: (args: HypercallArguments<N>, x: CallRegisters) => void } = {
  vcpu_run({ cap, resume_data_0, resume_data_1, resume_data_2 }, x) {
    x.setX(0, cap);
    x.setWord(1, resume_data_0);
    x.setWord(2, resume_data_1);
    x.setWord(3, resume_data_2);
    x.clearFrom(4);
  },
  doorbell_send({ doorbell, new_flags }, x) {
    x.setX(0, doorbell);
    x.setWord(1, new_flags);
    x.clearFrom(2);
  },
  msgqueue_send({ msgqueue, size, data, send_flags }, x) {
    x.setX(0, msgqueue);
    x.setWord(1, size);
    x.setWord(2, data);
    x.setWord(3, send_flags);
    x.clearFrom(4);
  },
  msgqueue_receive({ msgqueue, buffer, buf_size }, x) {
    x.setX(0, msgqueue);
    x.setWord(1, buffer);
    x.setWord(2, buf_size);
    x.clearFrom(3);
  },
};

/** The results of a call, read from the registers that hold them. */
interface View {
  registers: CallRegisters;
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
  readonly #writtenOut: ((args: HypercallArguments<N>, registers: CallRegisters) => void) | undefined;
  readonly #registers = new CallRegisters();

  constructor(readonly name: N) {
    const { number, arguments: args, results }: HypercallSignature = HYPERCALLS[name];
    this.number = number;
    const kinds = Object.values(args);
    while (kinds.at(-1) === "res0") kinds.pop();
    this.#kinds = kinds;
    this.#arguments = Object.keys(args).slice(0, kinds.length);
    this.#writtenOut = WRITTEN_OUT[name];
    this.#view = viewOf(name === "hypervisor_identify" ? results : { error: "error", ...results }, this.#registers);
  }

  /** Makes the call. Its results are valid until the same call is made again. */
  make(vcpu: NativeVcpu, args: HypercallArguments<N>): HypercallResults<N> {
    this.put(args, this.#registers);
    vcpu.call(this.number, this.#registers);
    return this.read(this.#registers);
  }

  /** Puts the arguments into registers; those that have none are zero. */
  put(args: HypercallArguments<N>, registers: CallRegisters): void {
    if (this.#writtenOut) this.#writtenOut(args, registers);
    else this.#putByTable(args, registers);
  }

  #putByTable(args: HypercallArguments<N>, registers: CallRegisters): void {
    const all = args as Readonly<Record<string, Argument>>;
    const names = this.#arguments, kinds = this.#kinds;
    for (let index = 0; index < names.length; index++) put(registers, index, kinds[index], all[names[index]]);
    registers.clearFrom(names.length);
  }

  /** The arguments from X0 on, for display. */
  encode(args: HypercallArguments<N>): bigint[] {
    const registers = new CallRegisters();
    this.put(args, registers);
    return this.argumentsIn(registers);
  }

  /** The same of registers that hold them. */
  argumentsIn(registers: CallRegisters): bigint[] {
    return registers.list(this.#arguments.length);
  }

  /** Results by name, of the registers that hold them. One object serves all calls of this name. */
  read(registers: CallRegisters): HypercallResults<N> {
    this.#view.registers = registers;
    return this.#view as unknown as HypercallResults<N>;
  }
}

/** All calls by name, each made at its first use: a machine without native guests needs none. */
export const CALL_SHAPES = Object.fromEntries(
  (Object.keys(HYPERCALLS) as HypercallName[]).map((name) => [name, once(() => new CallShape(name))]),
) as { readonly [N in HypercallName]: () => CallShape<N> };

for (const [name, shape] of Object.entries(CALL_SHAPES) as [FallibleCall, () => CallShape<FallibleCall>][]) {
  if (name as HypercallName === "vcpu_run" || name as HypercallName === "hypervisor_identify") continue;
  Object.defineProperty(HypercallMethods.prototype, name, {
    value(this: HypercallCaller, args: HypercallArguments<FallibleCall>) {
      return this.invoke(shape(), args);
    },
  });
}

/**
 * A prototype per call makes a hidden class per call, so that V8 reads a result without a lookup.
 */
function viewOf(results: Readonly<Record<string, ResultKind | "error">>, registers: CallRegisters): View {
  const prototype = {};
  for (const [index, [name, kind]] of Object.entries(results).entries()) {
    Object.defineProperty(prototype, name, { get: reader(name, kind, index), enumerable: true });
  }
  const view: View = Object.create(prototype);
  view.registers = registers;
  return view;
}

function reader(name: string, kind: ResultKind | "error", index: number): (this: View) => unknown {
  switch (kind) {
    case "error":
      return function () {
        return this.registers.getLow(index) | 0;
      };
    case "u32":
      return function () {
        return this.registers.getLow(index);
      };
    case "bool":
      return function () {
        return !this.registers.areHalves(index, index, 0);
      };
    case "cap":
    case "u64":
      if (name === "size" || name === "offset") {
        return function () {
          return this.registers.getNumber(index);
        };
      }
      return function () {
        return this.registers.getX(index);
      };
  }
}

function put(registers: CallRegisters, index: number, kind: ArgumentKind, value: Argument): void {
  switch (kind) {
    case "res0":
      return registers.setLow(index, 0);
    case "res1":
      return registers.setX(index, ALL_ONES);
    case "u16":
    case "u32":
      return registers.setLow(index, value as number);
    case "bool":
    case "cap":
    case "u64":
    case "user_ptr":
      return registers.setWord(index, typeof value === "boolean" ? Number(value) : value);
  }
}
