// The code of handlers, which the interpreter loop executes for an instruction or for several in a
// straight line, and the places of their operands in the decoded instructions. docs/design/core.md
// §I2 and §I3.

import type { Builder } from "../../isa/notation/builder.ts";
import type { InstructionForm } from "../../isa/table.ts";
import { branchDistance, COUNTER_SHIFT, countsInstructions, departsAlways, emitMove, type Move } from "../decoded/execution-counters.ts";
import { DECODED_SIZE, OperandLayout } from "../decoded/operands.ts";
import type { Fixed } from "../decoded/variants.ts";
import { CPU } from "../state/cpu-state.ts";
import type { Callees } from "../wasm/library.ts";
import { LocalPool } from "../wasm/local-pool.ts";
import { FunctionBuilder } from "../wasm/module.ts";
import { emitBranchTarget } from "./branch-targets.ts";
import { emitChecks } from "./checks.ts";
import { Emitter } from "./emitter.ts";
import { pushAtomicsTlb, type Surroundings } from "./surroundings.ts";

/** Labels of the interpreter loop that handlers branch to. */
export const Target = {
  /** The next decoded instruction is at `ip`. */
  Next: "next",
  /** A branch was taken: `ip` and `end` are new, the budget is to be checked. */
  Taken: "taken",
  /** The same, and the arrival there follows from the branch, in a core that counts. */
  Implied: "implied",
  /** `CPU.PENDING` is set; `ip` is the instruction that did it. */
  Pending: "pending",
} as const;

/** Locals of the interpreter loop that handlers use. */
export interface LoopLocals {
  /** Address of the decoded instruction in execution. i32. */
  readonly ip: number;
  /** See `CPU.END`. i32. */
  readonly end: number;
  /** `CPU.TLB`. i32. */
  readonly tlb: number;
  /** Free for any use inside a handler. i32. */
  readonly scratch: number;
}

/** An instruction as a handler, or as half of one, executes it. */
export interface HandlerPart {
  readonly encoding: InstructionForm;
  readonly fixed: Fixed;
  readonly semantics: Builder;
  /** For direct branches: the target is in the same page. */
  readonly near: boolean;
}

/** Emits handlers into fragments for one function with the interpreter loop. */
export class HandlerEmitter {
  readonly locals: LoopLocals;
  readonly #pool: LocalPool;

  /** @param loop the function; it gets the locals that handlers use. */
  constructor(readonly library: Callees, loop: FunctionBuilder) {
    this.locals = { ip: loop.local("i32"), end: loop.local("i32"), tlb: loop.local("i32"), scratch: loop.local("i32") };
    this.#pool = new LocalPool(loop);
  }

  /** The code of a handler for one instruction, or for several in a straight line. */
  emit(parts: readonly HandlerPart[]): { f: FunctionBuilder; layouts: OperandLayout[] } {
    const f = new FunctionBuilder(-1, parts.map(({ encoding }) => encoding.instruction.name).join(" + "), [], []);
    const layouts: OperandLayout[] = [];
    this.#pool.releaseAll();
    let before: Emitter | undefined, ended = false;
    parts.forEach((part, index) => {
      const layout = new OperandLayout(part.encoding.instruction.name);
      layouts.push(layout);
      const $ = part.semantics;
      const at = this.#surroundings(f, $, layout, part, index * DECODED_SIZE);
      emitChecks($, part.encoding, at);
      before = new Emitter($, at, before);
      ended = before.emit();
    });
    if (!ended) f.get(this.locals.ip).i32(parts.length * DECODED_SIZE).op("i32.add").set(this.locals.ip).brOuter(Target.Next);
    return { f, layouts };
  }

  #surroundings(
    f: FunctionBuilder,
    $: Builder,
    layout: OperandLayout,
    { encoding, near }: HandlerPart,
    decodedOffset: number,
  ): Surroundings {
    const { ip, end, tlb, scratch } = this.locals;
    const getIp = () => {
      f.get(ip);
      if (decodedOffset) f.i32(decodedOffset).op("i32.add");
    };
    const counts = countsInstructions(this.library);
    const count = (move: Move) => {
      if (counts) emitMove(f, move, () => void f.get(ip).i32(COUNTER_SHIFT).op("i32.shr_u"), decodedOffset / DECODED_SIZE);
    };
    const taken = counts && branchDistance(encoding.value) !== undefined ? Target.Implied : Target.Taken;
    const countsDepartures = !departsAlways(encoding.value);
    const jumpToStack = () => {
      // Before the lookup, which may give this page up.
      if (countsDepartures) count("depart");
      f.call(this.library.named("lookup")).tee(scratch).op("i32.eqz");
      f.ifLikely(false, () => {
        if (countsDepartures) count("remain");
        getIp();
        f.set(ip).brOuter(Target.Pending);
      });
      f.get(end).get(scratch).op("i32.add").get(ip).op("i32.sub").i32(decodedOffset + DECODED_SIZE).op("i32.sub").set(end);
      f.get(scratch).set(ip).brOuter(Target.Taken);
    };
    const at: Surroundings = {
      f,
      library: this.library,
      layout,
      ip,
      decodedOffset,
      local: (type) => this.#pool.allocate(type),
      tlb: () => void f.get(tlb),
      atomicsTlb: () => pushAtomicsTlb(f, at.tlb),
      beforeCall: (time) => {
        f.i32(0);
        getIp();
        f.memory("i32.store", CPU.IP);
        if (time) f.i32(0).get(end).memory("i32.store", CPU.END);
      },
      fault: () => {
        if (decodedOffset) {
          getIp();
          f.set(ip);
        }
        f.brOuter(Target.Pending);
      },
      branch: (offset) => {
        if (near) {
          // The remaining budget shrinks by this instruction; both ends move by the distance.
          const distance = layout.place($.lsl(offset, 2));
          count("depart");
          f.get(ip).memory("i32.load", decodedOffset + distance.offset).set(scratch);
          f.get(end).get(scratch).op("i32.add").i32(DECODED_SIZE).op("i32.sub").set(end);
          getIp();
          f.get(scratch).op("i32.add").set(ip).brOuter(taken);
        } else {
          const bytes = layout.place(offset);
          f.i32(0).memory("i64.load", CPU.PC_DELTA);
          getIp();
          f.i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
          f.get(ip).memory("i64.load32_s", decodedOffset + bytes.offset).op("i64.add");
          jumpToStack();
        }
      },
      branchTo: (address, type) => {
        emitBranchTarget(at, address, type);
        jumpToStack();
      },
    };
    return at;
  }
}
