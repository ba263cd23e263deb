// `run`, by which TypeScript enters the module. It alternates between the interpreter and EL2,
// which it calls for the exits that EL2 asked for, unless they repeat (repeated-exits.ts). Such an
// exit costs a call instead of leaving the module and entering it again (docs/architecture/core.md,
// "Exits").

import { CPU } from "../state/cpu-state.ts";
import { Code, type Local } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { ExitReason } from "./exit.ts";
import { countsEvents, performanceFunction, PmuMode } from "./performance-events.ts";
import { defineRepeat } from "./repeated-exits.ts";

/**
 * Defines `run` (budget -> what is left of it, in instructions). The interpreter, `execute` with
 * the same signature, is defined already.
 * @param exited imported: (what is left when EL2 is called) -> budget of what follows; 0 ends the
 * run
 */
export function defineRun(library: Library, exited: number): void {
  const repeat = defineRepeat(library);
  const c = new Code(library.define("run", ["i32"], ["i32"], true));
  const left = c.parameter(0);
  const budget = c.local("i32");
  c.f.loop((again) => {
    execute(c, library, left);
    const reason = c.load("i32.load", CPU.EXIT_REASON);
    c.if(c.load("i32.load", CPU.EL2_CALLED).and(reason.eq(ExitReason.Trap).or(reason.eq(ExitReason.Bus))), () => {
      c.if(c.load("i32.load", CPU.REPEAT), () => {
        c.call(repeat, left).emit(c.f);
        c.f.tee(budget.index).if(() => {
          c.set(left, budget);
          c.f.br(again);
        });
      });
      left.emit(c.f);
      c.f.call(exited).tee(left.index).brIf(again);
    });
  });
  c.result(left);
}

/** Executes instructions, one by one if the performance monitors count what each is. */
function execute(c: Code, library: Library, left: Local): void {
  const all = () => c.set(left, c.call(library.named("execute"), left));
  if (!countsEvents(library)) return all();
  const each = () => c.set(left, c.call(performanceFunction(library, "executeEach"), left));
  c.if(c.load("i32.load", CPU.PMU_MODE).and(PmuMode.Each), each, all);
}

/**
 * Defines `moveContext` (to, from): copies a vCPU's context, as two vCPUs that take turns have it
 * twice per turn.
 * @param size bytes of it, without the registers of features that the CPU does not have
 */
export function defineContextMove(library: Library, size: number): void {
  const c = new Code(library.define("moveContext", ["i32", "i32"], [], true));
  c.parameter(0).emit(c.f);
  c.parameter(1).emit(c.f);
  c.f.i32(size).memoryCopy();
}
