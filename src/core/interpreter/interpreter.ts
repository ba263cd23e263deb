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
import { FusedHandlers } from "../decoded/fused-handlers.ts";
import { Handler, type HandlerTable } from "../decoded/handlers.ts";
import type { OperandFills } from "../decoded/operand-fills.ts";
import { DECODED_SIZE, FIRST_OPERAND } from "../decoded/operands.ts";
import { STRAIGHT_LINE } from "../decoded/decoded-functions.ts";
import type { Dispatch } from "../decoded/variants.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { CPU, KNOWN_CALLS, NO_STACK_PAGE, Pending } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { FIRST_REGION_HANDLER, MAXIMUM_HANDLERS, REGION_CAPACITY } from "../state/layout.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { Label, ValueType } from "../wasm/module.ts";
import { CoreDecodings } from "./decodings.ts";
import { fusePairs } from "./fusion.ts";
import { HandlerEmitter, Target } from "./handler-emitter.ts";
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
export function makeDispatch(
  instructions: InstructionSet,
  handlers: HandlerTable,
  library: Callees,
  outlined: OutlinedFunctions,
): Dispatch {
  const decodings = new CoreDecodings(handlers, library, outlined);
  return { instructions, decodings, fused: new FusedHandlers(handlers.fused), computed: new Map(handlers.computed) };
}

/**
 * Defines `execute` (budget -> what is left of it, in instructions) and answers with its handlers.
 */
export function defineInterpreter(library: Library, fills: OperandFills, instructions: InstructionSet): HandlerTable {
  const f = library.define("execute", ["i32"], ["i32"]);
  /**
   * The rest of the budget, in bytes of decoded instructions. Valid outside of the dispatch
   * loop.
   */
  const remaining = 0;
  const address = f.local("i64");
  const emitter = new HandlerEmitter(library, f), { ip, end, tlb, scratch } = emitter.locals;
  const set = new HandlerSet(emitter, fills, instructions), fused = fusePairs(set);
  if (Handler.FirstInstruction + set.handlers.length > MAXIMUM_HANDLERS) throw new Error("more handlers than there is room for");
  library.module.table(TABLE_SIZE, TABLE_NAME);

  const leaveWith = (reason: number) => f.i32(0).i32(reason).memory("i32.store", CPU.EXIT_REASON);
  const returnRemaining = () => {
    f.call(library.named("disarmStop"));
    f.get(remaining).i32(4).op("i32.shr_s").op("return");
  };
  /** CPU.PC is canonical outside of the loop. */
  const storePc = () => {
    f.i32(0).i32(0).memory("i64.load", CPU.PC_DELTA).get(ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
    f.memory("i64.store", CPU.PC);
  };
  const storePosition = () => {
    f.i32(0).get(ip).memory("i32.store", CPU.IP);
    f.i32(0).get(end).memory("i32.store", CPU.END);
  };

  f.get(remaining).i32(4).op("i32.shl").set(remaining);
  f.call(callee(library, "checkInterrupts"));
  f.loop((enter) => {
    f.i32(0).memory("i32.load", CPU.PENDING).i32(Pending.Exit).op("i32.eq");
    f.if(() => void returnRemaining());
    f.i32(0).memory("i32.load", CPU.PENDING).set(scratch);
    f.i32(0).i32(0).memory("i32.store", CPU.PENDING);
    f.get(remaining).i32(0).op("i32.le_s");
    f.if(() => {
      leaveWith(ExitReason.Budget);
      returnRemaining();
    });
    f.i32(0).memory("i64.load", CPU.PC).call(library.named("lookup")).tee(ip).op("i32.eqz");
    f.if(() => {
      // The fetch faulted. That counts, so that a guest whose vectors cannot be fetched uses up its
      // budget.
      f.get(remaining).i32(DECODED_SIZE).op("i32.sub").set(remaining).br(enter);
    });
    // The start of a slice is not a place of the program.
    f.get(scratch).if(() => void f.get(ip).call(library.named("landed")));
    f.get(ip).get(remaining).op("i32.add").set(end);
    f.i32(0).memory("i32.load", CPU.TLB).set(tlb);

    f.loop((taken) => {
      f.get(end).get(ip).op("i32.sub").i32(STRAIGHT_LINE).op("i32.lt_s");
      f.ifLikely(false, () => {
        f.get(ip).get(end).call(library.named("armStop"));
        f.if(() => {
          storePc();
          leaveWith(ExitReason.Budget);
          f.i32(0).set(remaining);
          returnRemaining();
        });
      });
      f.block((pending) => {
        f.loop((next) => {
          const handlerCount = Handler.FirstInstruction + set.handlers.length;
          // Numbers without a handler are regions.
          const labels: Label[] = Array.from({ length: handlerCount + 1 }, () => f.openBlock()).reverse();
          f.get(ip).memory("i32.load16_u").brTable(labels.slice(0, -1), labels[handlerCount]);
          const outer = { [Target.Next]: next, [Target.Taken]: taken, [Target.Pending]: pending };
          for (let handler = 0; handler < handlerCount; handler++) {
            f.closeBlock();
            if (handler >= Handler.FirstInstruction) f.append(set.handlers[handler - Handler.FirstInstruction], outer);
            else special(handler, next, taken, pending);
          }
          f.closeBlock();
          region(enter, next, taken, pending);
        });
      });
      f.get(end).get(ip).op("i32.sub").i32(DECODED_SIZE).op("i32.sub").set(remaining);
      f.br(enter);
    });
  });
  f.op("unreachable");

  function region(enter: Label, next: Label, taken: Label, pending: Label): void {
    const pushSlot = (offset: number) => {
      f.get(ip).memory("i32.load16_u").i32(1).op("i32.shl").i32(FIRST_REGION_SLOT - 2 * FIRST_REGION_HANDLER + offset).op("i32.add");
    };
    const pushPosition = () => {
      f.i32(0).memory("i64.load", CPU.PC_DELTA).get(ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
    };
    const left = () => f.get(end).get(ip).op("i32.sub").i32(4).op("i32.shr_s");
    // The interpreter may have changed translations.
    f.i32(0).i64(NO_STACK_PAGE).memory("i64.store", CPU.STACK_PAGE);
    f.i32(0).i32(0).memory("i32.store", CPU.KEPT_BY);
    for (let at = 0; at < 4 * KNOWN_CALLS; at += 16) f.i32(0).v128(0n, 0n).memory("v128.store", CPU.CALLED_SLOTS + at);
    pushPosition();
    left().i32(STACK_BYTES);
    pushSlot(0);
    library.module.callIndirect(f, REGION_PARAMETERS, REGION_RESULTS);
    f.set(scratch).set(address);
    // The same place with the same budget: nothing was executed.
    left().get(scratch).op("i32.ne").get(address);
    pushPosition();
    f.op("i64.ne").op("i32.or").if(() => {
      f.call(library.named("unpackFlags"));
      f.get(scratch).i32(4).op("i32.shl").set(remaining);
      // The branch there has been counted, so that a fetch that faults does not count.
      f.get(address).call(library.named("lookup")).tee(ip).op("i32.eqz").brIf(enter);
      f.get(ip).call(library.named("landed"));
      f.get(ip).get(remaining).op("i32.add").set(end).br(taken);
    });
    storePosition();
    f.get(ip);
    pushSlot(1);
    library.module.callIndirect(f, ["i32"], []);
    f.i32(0).memory("i32.load", CPU.PENDING).brIf(pending);
    f.get(ip).i32(DECODED_SIZE).op("i32.add").set(ip).br(next);
  }

  function special(handler: number, next: Label, taken: Label, pending: Label): void {
    switch (handler) {
      case Handler.Decode:
        f.get(ip).call(library.get("decode", ["i32"], [])).br(next);
        break;
      case Handler.PageEnd:
        f.i32(0).memory("i64.load", CPU.PC_DELTA).get(ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
        f.call(library.named("lookup")).tee(scratch).op("i32.eqz").brIf(pending);
        f.get(end).get(scratch).op("i32.add").get(ip).op("i32.sub").set(end);
        f.get(scratch).set(ip).br(taken);
        break;
      case Handler.Stop:
        // `taken` finds the budget used up.
        f.br(taken);
        break;
      case Handler.Breakpoint:
        storePc();
        storePosition();
        leaveWith(ExitReason.Breakpoint);
        f.get(end).get(ip).op("i32.sub").set(remaining);
        returnRemaining();
        break;
      case Handler.Undefined:
        storePosition();
        f.call(callee(library, "raiseUndefined")).br(pending);
        break;
      case Handler.Outlined:
        storePosition();
        f.get(ip).get(ip).memory("i32.load16_u", FIRST_OPERAND);
        library.module.callIndirect(f, ["i32"], []);
        f.i32(0).memory("i32.load", CPU.PENDING).brIf(pending);
        f.get(ip).i32(DECODED_SIZE).op("i32.add").set(ip).br(next);
        break;
    }
  }

  return { variants: set.variants, fills: set.fills, computed: [...fills.computed], fused };
}
