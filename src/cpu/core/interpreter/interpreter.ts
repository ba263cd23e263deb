// The interpreter: one Wasm function with one `br_table` over pre-decoded instructions.
// docs/design/core.md §I1, §I2 and §I6.
//
//   enter:    finds the decoded instruction of CPU.PC, or leaves
//     taken:  checks the budget
//       next: dispatches on the decoded instruction at ip; handlers branch to next, taken, pending
//     pending falls out of `next`: an exception was taken, or the core is left
//
// The budget is the distance from ip to `end`, in decoded instructions: straight-line code changes
// neither `end` nor a counter, a taken branch moves both. Near the end of the budget a STOP handler
// replaces the decoded instruction at `end`.

import type { InstructionSet } from "../../isa/instruction-set.ts";
import { MOST_ENCODINGS } from "../../isa/table.ts";
import { callMove, COUNTER_SHIFT, countsInstructions, emitMove, type Move } from "../decoded/execution-counters.ts";
import { FusedHandlers } from "../decoded/fused-handlers.ts";
import { Handler, type HandlerTable } from "../decoded/handlers.ts";
import type { OperandFills } from "../decoded/operand-fills.ts";
import { DECODED_SIZE, FIRST_OPERAND } from "../decoded/operands.ts";
import { STRAIGHT_LINE } from "../decoded/decoded-functions.ts";
import type { Dispatch } from "../decoded/variants.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { countsEvents, performanceFunction, PmuMode } from "../exceptions/performance-events.ts";
import { CPU, KNOWN_CALLS, NO_STACK_PAGE, NOT_CALLED, Pending } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { FIRST_REGION_HANDLER, MAXIMUM_HANDLERS, REGION_CAPACITY } from "../state/layout.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder, Label, ValueType } from "../wasm/module.ts";
import { checksBranches } from "./branch-targets.ts";
import { CoreDecodings } from "./decodings.ts";
import { fusePairs } from "./fusion.ts";
import { HandlerEmitter, type LoopLocals, Target } from "./handler-emitter.ts";
import { HandlerSet } from "./handler-set.ts";
import type { OutlinedFunctions } from "./outlined.ts";

/**
 * The signature of a region's function: (address, remaining budget, bytes of the stack that it may
 * use) -> (address, remaining budget).
 */
export const REGION_PARAMETERS: readonly ValueType[] = ["i64", "i32", "i32"];
export const REGION_RESULTS: readonly ValueType[] = ["i64", "i32"];

/**
 * Bytes of the computer's stack for the frames of regions that call each other, by the upper bounds
 * of their frames (`frameBound`). V8 has 984 KiB for a thread. docs/design/core.md §T12.
 */
export const STACK_BYTES = 0x8_0000;

/**
 * The first slot of the functions of regions in the table: two each, the region and its first
 * instruction alone. The functions of cold encodings come before: at most two each, one for SP as
 * the base.
 */
export const FIRST_REGION_SLOT = 2 * MOST_ENCODINGS;

/** The table of the core's module. */
export const TABLE_NAME = "outlined";
/** Capacity of the function table. */
export const TABLE_SIZE = FIRST_REGION_SLOT + 2 * REGION_CAPACITY;

/** How the decoder fills decoded instructions for an `execute` with these handlers. */
export function makeDispatch(handlers: HandlerTable, library: Callees, outlined: OutlinedFunctions): Dispatch {
  const decodings = new CoreDecodings(handlers, library, outlined);
  return { instructions: outlined.instructions, decodings, fused: new FusedHandlers(handlers.fused), computed: new Map(handlers.computed) };
}

/**
 * Defines `execute` (budget -> what is left of it, in instructions) and answers with its handlers.
 */
export function defineInterpreter(library: Library, fills: OperandFills, instructions: InstructionSet): HandlerTable {
  const loop = new InterpreterLoop(library, fills, instructions);
  loop.emit();
  return loop.handlers;
}

/**
 * The parameter: the budget, and then the rest of it in bytes of decoded instructions, which is
 * valid outside of the dispatch loop.
 */
const REMAINING = 0;

/** Where control goes after a handler: see the head of this file. */
interface Targets {
  readonly enter: Label;
  readonly taken: Label;
  /** `taken` where the arrival is not counted. */
  readonly implied: Label;
  readonly next: Label;
  readonly pending: Label;
}

/** The code of `execute`. */
class InterpreterLoop {
  readonly handlers: HandlerTable;
  readonly #f: FunctionBuilder;
  /** The address where a region ends. */
  readonly #address: number;
  readonly #locals: LoopLocals;
  readonly #set: HandlerSet;

  constructor(readonly library: Library, fills: OperandFills, instructions: InstructionSet) {
    const f = this.#f = library.define("execute", ["i32"], ["i32"]);
    this.#address = f.local("i64");
    const emitter = new HandlerEmitter(library, f);
    this.#locals = emitter.locals;
    const set = this.#set = new HandlerSet(emitter, fills, instructions), fused = fusePairs(set);
    if (this.#handlerCount > MAXIMUM_HANDLERS) throw new Error("more handlers than there is room for");
    library.module.table(TABLE_SIZE, TABLE_NAME);
    this.handlers = { variants: set.variants, fills: set.fills, computed: [...fills.computed], fused };
  }

  get #handlerCount(): number {
    return Handler.FirstInstruction + this.#set.handlers.length;
  }

  emit(): void {
    const f = this.#f, { ip, end } = this.#locals;
    f.get(REMAINING).i32(4).op("i32.shl").set(REMAINING);
    this.#count("beginCounted");
    f.call(callee(this.library, "checkInterrupts"));
    f.loop((enter) => {
      this.#count("enterCounted", () => {
        f.if(() => {
          f.i32(0).i32(Pending.None).memory("i32.store", CPU.PENDING);
          this.#setReason(ExitReason.Budget);
          this.#return();
        });
      });
      this.#leaveIfDone();
      this.#fetch(enter);
      f.loop((taken) => {
        const code = (implied: Label) => {
          this.#checkBudget();
          f.block((pending) => f.loop((next) => this.#dispatch({ enter, taken, implied, next, pending })));
          this.#countMove("depart");
          f.get(end).get(ip).op("i32.sub").i32(DECODED_SIZE).op("i32.sub").set(REMAINING);
          this.#lookAtTarget();
          f.br(enter);
        };
        if (countsInstructions(this.library)) {
          emitMove(f, "arrive", () => void f.get(ip).i32(COUNTER_SHIFT).op("i32.shr_u"));
          f.loop(code);
        } else code(taken);
      });
    });
    f.op("unreachable");
  }

  /** Counts a move at the instruction at ip, in a core that counts. */
  #countMove(move: Move): void {
    if (countsInstructions(this.library)) callMove(this.#f.get(this.#locals.ip), this.library, move);
  }

  /** Code for while the performance monitors count; none in a core without them. */
  #counted(body: () => void, modes = -1): void {
    if (!countsEvents(this.library)) return;
    this.#f.i32(0).memory("i32.load", CPU.PMU_MODE).i32(modes).op("i32.and").ifLikely(false, body);
  }

  /** Calls a function of the monitors, while they count, with the rest of the slice. */
  #count(name: "beginCounted" | "enterCounted" | "settleCounters", then = () => {}): void {
    this.#counted(() => {
      this.#f.get(REMAINING).i32(4).op("i32.shr_s").call(performanceFunction(this.library, name));
      then();
    });
  }

  /** Returns if the core is left, or nothing of the budget. */
  #leaveIfDone(): void {
    const f = this.#f, { scratch } = this.#locals;
    f.i32(0).memory("i32.load", CPU.PENDING).i32(Pending.Exit).op("i32.eq");
    f.if(() => this.#return());
    f.i32(0).memory("i32.load", CPU.PENDING).set(scratch);
    f.i32(0).i32(0).memory("i32.store", CPU.PENDING);
    f.get(REMAINING).i32(0).op("i32.le_s");
    f.if(() => {
      this.#setReason(ExitReason.Budget);
      this.#return();
    });
  }

  /**
   * After a function whose instruction has branched, looks the target up at once, as handlers do.
   * A fetch that faults there is not counted, and its exception comes before the budget ends.
   */
  #lookAtTarget(): void {
    const f = this.#f;
    f.i32(0).memory("i32.load", CPU.PENDING).i32(Pending.Branch).op("i32.eq");
    f.ifLikely(false, () => {
      f.i32(0).i32(Pending.Redirect).memory("i32.store", CPU.PENDING);
      f.i32(0).memory("i64.load", CPU.PC).call(this.library.named("lookup")).op("drop");
    });
  }

  /** Finds the decoded instruction of CPU.PC. */
  #fetch(enter: Label): void {
    const f = this.#f, { ip, end, tlb, scratch } = this.#locals;
    f.i32(0).memory("i64.load", CPU.PC).call(this.library.named("lookup")).tee(ip).op("i32.eqz");
    // A fetch that faults or is refused counts, so that a guest whose vectors cannot be fetched
    // uses up its budget.
    const enterVector = () => void f.get(REMAINING).i32(DECODED_SIZE).op("i32.sub").set(REMAINING).br(enter);
    f.if(enterVector);
    if (checksBranches(this.library)) {
      f.i32(0).memory("i32.load", CPU.PSTATE).i32(Pstate.BTYPE).op("i32.and");
      f.ifLikely(false, () => {
        f.get(ip).call(this.library.named("enterByBranch"));
        f.if(enterVector);
      });
    }
    this.#counted(() => void f.get(ip).call(performanceFunction(this.library, "fetchedCounted")), PmuMode.Each);
    // The start of a slice is not a place of the program.
    f.get(scratch).if(() => void f.get(ip).call(this.library.named("landed")));
    f.get(ip).get(REMAINING).op("i32.add").set(end);
    f.i32(0).memory("i32.load", CPU.TLB).set(tlb);
  }

  /** Near the end of the budget: a STOP handler at the end, or the end itself. */
  #checkBudget(): void {
    const f = this.#f, { ip, end } = this.#locals;
    f.get(end).get(ip).op("i32.sub").i32(STRAIGHT_LINE).op("i32.lt_s");
    f.ifLikely(false, () => {
      f.get(ip).get(end).call(this.library.named("armStop"));
      f.if(() => {
        this.#countMove("turnBack");
        this.#storePc();
        this.#setReason(ExitReason.Budget);
        f.i32(0).set(REMAINING);
        this.#count("settleCounters");
        this.#return();
      });
    });
  }

  /** Goes to the handler of the decoded instruction at ip. */
  #dispatch(targets: Targets): void {
    const f = this.#f, { handlers } = this.#set, count = this.#handlerCount;
    // Numbers without a handler are regions.
    const labels: Label[] = Array.from({ length: count + 1 }, () => f.openBlock()).reverse();
    f.get(this.#locals.ip).memory("i32.load16_u").brTable(labels.slice(0, -1), labels[count]);
    const { next, taken, implied, pending } = targets;
    const outer = { [Target.Next]: next, [Target.Taken]: taken, [Target.Implied]: implied, [Target.Pending]: pending };
    for (let handler = 0; handler < count; handler++) {
      f.closeBlock();
      if (handler >= Handler.FirstInstruction) f.append(handlers[handler - Handler.FirstInstruction], outer);
      else this.#special(handler, targets);
    }
    f.closeBlock();
    this.#region(targets);
  }

  /** Calls the region that begins at ip; if it executes nothing, its first instruction alone. */
  #region({ enter, taken, next, pending }: Targets): void {
    const f = this.#f, { ip, end, scratch } = this.#locals, { module } = this.library;
    const left = () => f.get(end).get(ip).op("i32.sub").i32(4).op("i32.shr_s");
    // The interpreter may have changed translations.
    f.i32(0).i64(NO_STACK_PAGE).memory("i64.store", CPU.STACK_PAGE);
    f.i32(0).i32(0).memory("i32.store", CPU.KEPT_BY);
    const none = BigInt(NOT_CALLED);
    for (let at = 0; at < 8 * KNOWN_CALLS; at += 16) f.i32(0).v128(none, none).memory("v128.store", CPU.CALLED + at);
    // A region that runs counts its arrival.
    this.#countMove("turnBack");
    this.#pushPc();
    left().i32(STACK_BYTES);
    this.#pushSlot(0);
    module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS);
    f.set(scratch).set(this.#address);
    // The same place with the same budget: nothing was executed.
    left().get(scratch).op("i32.ne").get(this.#address);
    this.#pushPc();
    f.op("i64.ne").op("i32.or").if(() => {
      f.call(this.library.named("unpackFlags"));
      f.get(scratch).i32(4).op("i32.shl").set(REMAINING);
      // The branch there has been counted, so that a fetch that faults does not count.
      f.get(this.#address).call(this.library.named("lookup")).tee(ip).op("i32.eqz").brIf(enter);
      f.get(ip).call(this.library.named("landed"));
      f.get(ip).get(REMAINING).op("i32.add").set(end).br(taken);
    });
    this.#countMove("arrive");
    this.#storePosition();
    f.get(ip);
    this.#pushSlot(1);
    this.#callInstruction(next, pending);
  }

  /** A handler that belongs to no instruction. */
  #special(handler: number, { next, taken, pending }: Targets): void {
    const f = this.#f, { ip, end, scratch } = this.#locals;
    switch (handler) {
      case Handler.Decode:
        f.get(ip).call(this.library.get("decode", ["i32"], [])).br(next);
        break;
      case Handler.PageEnd:
        this.#countMove("turnBack");
        this.#pushPc();
        f.call(this.library.named("lookup")).tee(scratch).op("i32.eqz");
        if (countsInstructions(this.library)) {
          f.if(() => {
            // The last instruction of the page is the one in progress. Control has not branched.
            for (const local of [ip, end]) f.get(local).i32(DECODED_SIZE).op("i32.sub").set(local);
            this.#countMove("remain");
            f.br(pending);
          });
        } else f.brIf(pending);
        f.get(end).get(scratch).op("i32.add").get(ip).op("i32.sub").set(end);
        f.get(scratch).set(ip).br(taken);
        break;
      case Handler.Stop:
        // `taken` finds the budget used up, and counts an arrival.
        this.#countMove("turnBack");
        f.br(taken);
        break;
      case Handler.Breakpoint:
        this.#countMove("turnBack");
        this.#storePc();
        this.#storePosition();
        this.#setReason(ExitReason.Breakpoint);
        f.get(end).get(ip).op("i32.sub").set(REMAINING);
        this.#count("settleCounters");
        this.#return();
        break;
      case Handler.Undefined:
        this.#storePosition();
        f.call(callee(this.library, "raiseUndefined")).br(pending);
        break;
      case Handler.Outlined:
        this.#storePosition();
        f.get(ip).get(ip).memory("i32.load16_u", FIRST_OPERAND);
        this.#callInstruction(next, pending);
        break;
    }
  }

  /** Calls an instruction that is a function, whose parameter and slot are on the stack. */
  #callInstruction(next: Label, pending: Label): void {
    const f = this.#f, { ip } = this.#locals;
    this.library.module.callIndirect(f, ["i32"], []);
    f.i32(0).memory("i32.load", CPU.PENDING).brIf(pending);
    f.get(ip).i32(DECODED_SIZE).op("i32.add").set(ip).br(next);
  }

  /** Puts the place in the table of a function of the region at ip on the stack. */
  #pushSlot(offset: number): void {
    const f = this.#f;
    f.get(this.#locals.ip).memory("i32.load16_u").i32(1).op("i32.shl");
    f.i32(FIRST_REGION_SLOT - 2 * FIRST_REGION_HANDLER + offset).op("i32.add");
  }

  /** Puts the virtual address of the instruction at ip on the stack. */
  #pushPc(): void {
    const f = this.#f;
    f.i32(0).memory("i64.load", CPU.PC_DELTA).get(this.#locals.ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
  }

  /** CPU.PC is canonical outside of the loop. */
  #storePc(): void {
    this.#f.i32(0);
    this.#pushPc();
    this.#f.memory("i64.store", CPU.PC);
  }

  #storePosition(): void {
    const f = this.#f, { ip, end } = this.#locals;
    f.i32(0).get(ip).memory("i32.store", CPU.IP);
    f.i32(0).get(end).memory("i32.store", CPU.END);
  }

  #setReason(reason: number): void {
    this.#f.i32(0).i32(reason).memory("i32.store", CPU.EXIT_REASON);
  }

  /** Leaves, with the rest of the budget. */
  #return(): void {
    const f = this.#f;
    f.call(this.library.named("disarmStop"));
    f.get(REMAINING).i32(4).op("i32.shr_s").op("return");
  }
}
