// Exits that repeat. A guest that polls makes the same call, or the same load from a virtual
// device, again and again. If EL2 says that an exit changed nothing but registers of its vCPU, then
// the same exit at once again has the same answer: nothing else runs meanwhile, as the vCPU has its
// physical CPU to itself until the run ends. The core gives these answers without calling EL2, and
// reports how many they were at the next exit that it does call it for, or when the run ends.

import type { CpuFields } from "../state/cpu-fields.ts";
import { CPU, Pending, REPEAT_ARGUMENTS, REPEAT_RESULTS, Slot, xAddress } from "../state/cpu-state.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { ExitHandler } from "./exit.ts";

/** Values of `CPU.REPEAT`: what is answered. */
const Repeat = {
  Nothing: 0,
  /** HVC: `CPU.REPEAT_ARGUMENTS` lead to `CPU.REPEAT_RESULTS`. */
  Call: 1,
  /** A load of a virtual device: one register. */
  Load: 2,
} as const;

/** Defines the function (left -> budget of what follows; 0 where EL2 has to be called). */
export function defineRepeat(library: Library): FunctionBuilder {
  const builder = library.define("repeatExit", ["i32"], ["i32"]);
  const c = new Code(builder);
  const double = (at: number) => c.load("f64.load", at);
  const differs = (type: "i32" | "i64" | "f64", a: number, b: number) => c.load(`${type}.load`, a).ne(c.load(`${type}.load`, b));
  const refuseIf = (condition: Value) => c.if(condition, () => c.return(constant("i32", 0)));

  refuseIf(differs("i64", CPU.PC, CPU.REPEAT_PC));
  refuseIf(differs("i32", CPU.EXIT_ESR, CPU.REPEAT_ESR));
  const isCall = c.let(c.load("i32.load", CPU.REPEAT).eq(Repeat.Call));
  c.if(isCall, () => {
    for (let index = 0; index < REPEAT_ARGUMENTS; index++) refuseIf(differs("i64", xAddress(index), CPU.REPEAT_ARGUMENTS + 8 * index));
  }, () => {
    refuseIf(differs("f64", CPU.EXIT_IPA, CPU.REPEAT_IPA));
    refuseIf(differs("i32", CPU.EXIT_WORD, CPU.REPEAT_WORD));
  });
  const at = c.let(double(CPU.RUN_END).sub(c.parameter(0).op("f64.convert_i32_s", "f64")));
  const now = c.let(at.add(double(CPU.REPEAT_COST)));
  const rest = c.let(double(CPU.REPEAT_LIMIT).sub(now));
  refuseIf(rest.le(0));

  c.if(isCall, () => {
    for (let index = 0; index < REPEAT_RESULTS; index++) {
      c.store("i64.store", xAddress(index), c.load("i64.load", CPU.REPEAT_RESULTS + 8 * index));
    }
  }, () => c.store("i64.store", c.load("i32.load", CPU.REPEAT_REGISTER), c.load("i64.load", CPU.REPEAT_RESULTS)));
  c.store("i64.store", CPU.PC, c.load("i64.load", CPU.REPEAT_NEXT));
  c.store("i32.store", CPU.PENDING, constant("i32", Pending.None));
  c.store("i32.store", CPU.REPEAT_COUNT, c.load("i32.load", CPU.REPEAT_COUNT).add(1));
  c.store("f64.store", CPU.REPEAT_RETIRED, double(CPU.REPEAT_RETIRED).add(at.sub(double(CPU.REPEAT_BEGUN))));
  c.store("f64.store", CPU.REPEAT_BEGUN, now);
  const budget = c.let(rest.min(double(CPU.REPEAT_SLICE)));
  c.store("f64.store", CPU.RUN_END, now.add(budget));
  c.result(budget.op("i32.trunc_sat_f64_s", "i32"));
  return builder;
}

/** The exit that may repeat, in the CPU state of a core. */
export class RepeatedExits {
  /** Whether EL2 said so of its exit before, and what that was. */
  #candidate = false;
  #esr = 0;
  #pc = 0;
  #noted = false;

  constructor(readonly cpu: CpuFields, readonly words: Int32Array) {}

  /** Nothing is answered until an exit was handled, because something else may have run. */
  stop(): void {
    this.cpu.REPEAT = Repeat.Nothing;
    this.restart();
  }

  /**
   * EL2 is about to be called. An exit that may repeat is noted when it comes for the second time,
   * so that others cost nothing.
   */
  note(): void {
    const { cpu } = this;
    cpu.REPEAT = Repeat.Nothing;
    const esr = cpu.EXIT_ESR, pc = cpu.PC;
    this.#noted = this.#candidate && esr === this.#esr && pc === this.#pc;
    this.#esr = esr;
    this.#pc = pc;
    if (!this.#noted) return;
    this.#copy(CPU.PC, CPU.REPEAT_PC, 1);
    this.#copy(CPU.X, CPU.REPEAT_ARGUMENTS, REPEAT_ARGUMENTS);
  }

  /**
   * EL2 has handled the exit, and the run continues at `el2.now` with `budget` instructions.
   * @param register of a load: the number of its register; undefined for a call
   * @param slice limit on the instructions between two checks of the time
   */
  handled(el2: ExitHandler, budget: number, register: number | undefined, slice: number): void {
    this.#candidate = el2.repeats;
    if (!this.#candidate || !this.#noted) return;
    const { cpu } = this;
    cpu.REPEAT_ESR = this.#esr;
    this.#copy(CPU.PC, CPU.REPEAT_NEXT, 1);
    if (register === undefined) {
      this.#copy(CPU.X, CPU.REPEAT_RESULTS, REPEAT_RESULTS);
      cpu.REPEAT = Repeat.Call;
    } else {
      cpu.REPEAT_IPA = cpu.EXIT_IPA;
      cpu.REPEAT_WORD = cpu.EXIT_WORD;
      this.#copy(xAddress(register), CPU.REPEAT_RESULTS, 1);
      cpu.REPEAT_REGISTER = xAddress(register === Slot.Zero ? Slot.Dump : register);
      cpu.REPEAT = Repeat.Load;
    }
    cpu.REPEAT_COST = el2.exitCost;
    cpu.REPEAT_BEGUN = el2.now;
    cpu.REPEAT_LIMIT = el2.now + budget;
    cpu.REPEAT_SLICE = slice;
  }

  /** Answers since EL2 was called last. */
  get count(): number {
    return this.cpu.REPEAT_COUNT;
  }

  /** Instructions up to the last of them. */
  get retired(): number {
    return this.cpu.REPEAT_RETIRED;
  }

  /** Virtual time (ns) after the last of them. */
  get now(): number {
    return this.cpu.REPEAT_BEGUN;
  }

  /** The budget that it began with. */
  get budget(): number {
    return this.cpu.REPEAT_LIMIT - this.now;
  }

  /** Instructions of that budget that the slice in progress has. */
  get slice(): number {
    return this.cpu.RUN_END - this.now;
  }

  /** EL2 has counted this many instructions after the last answer. */
  passed(instructions: number): void {
    this.cpu.REPEAT_BEGUN += instructions;
  }

  /** Answers are counted from zero. */
  restart(): void {
    this.cpu.REPEAT_COUNT = 0;
    this.cpu.REPEAT_RETIRED = 0;
  }

  /** Copies doublewords. A loop: `copyWithin` costs more than these few. */
  #copy(from: number, to: number, count: number): void {
    const { words } = this;
    for (let index = 0; index < 2 * count; index++) words[(to >> 2) + index] = words[(from >> 2) + index];
  }
}
