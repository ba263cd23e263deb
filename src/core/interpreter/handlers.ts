// Handlers: each encoding of the table becomes an arm of the interpreter loop or, when it is cold, a function of its own (outlined.ts).
// Handlers with equal code are one. spec/core-interpreter.md sections 2 and 3 (why one function, and why it must stay small).

import type { Builder, Node, Statement } from "../../isa/builder.ts";
import { type Encoding, encodings, semanticsOf } from "../../isa/table.ts";
import { CPU } from "../cpu-record.ts";
import { callee } from "../functions.ts";
import type { Library } from "../library.ts";
import { FunctionBuilder, type ValueType } from "../wasm/module.ts";
import { Arm } from "./arms.ts";
import { Emitter, type Surroundings } from "./emitter.ts";
import { evaluateNumber, OperandLayout, RECORD_SIZE, type RecordOperand } from "./operands.ts";
import type { OutlinedFunctions } from "./outlined.ts";

/** Labels of the interpreter loop that arms branch to. */
export const Target = {
  /** The next record is at `ip`. */
  Next: "next",
  /** A branch was taken: `ip` and `end` are new, the budget is to be checked. */
  Taken: "taken",
  /** `CPU.PENDING` is set; `ip` is the instruction that did it. */
  Pending: "pending",
} as const;

/** Locals of the interpreter loop that arms use. */
export interface LoopLocals {
  /** Address of the record in execution. i32. */
  readonly ip: number;
  /** See `CPU.END`. i32. */
  readonly end: number;
  /** `CPU.TLB`. i32. */
  readonly tlb: number;
  /** Free for any use inside an arm. i32. */
  readonly scratch: number;
}

/** How the record of an encoding is filled. */
export interface Filling {
  readonly arm: number;
  readonly operands: readonly RecordOperand[];
}

/** What the decoder knows of an encoding. */
export interface Handler {
  readonly encoding: Encoding;
  readonly filling: Filling;
  /** For direct branches: the offset in bytes, and how the record is filled when the target is in the same page. */
  readonly branch?: { readonly offset: (word: number) => number; readonly near: Filling };
}

/** Locals that the arms take turns in using. */
class LocalPool {
  readonly #locals = new Map<ValueType, { all: number[]; used: number }>();

  constructor(readonly f: FunctionBuilder) {}

  take(type: ValueType): number {
    let pool = this.#locals.get(type);
    if (!pool) this.#locals.set(type, pool = { all: [], used: 0 });
    if (pool.used === pool.all.length) pool.all.push(this.f.local(type));
    return pool.all[pool.used++];
  }

  releaseAll(): void {
    for (const pool of this.#locals.values()) pool.used = 0;
  }
}

function statementsOf(list: readonly Statement[]): Statement[] {
  return list.flatMap((s) => s.kind === "if" ? [s, ...statementsOf(s.then), ...statementsOf(s.otherwise)] : [s]);
}

/** True when the instruction uses the vector registers or the floating-point control registers. */
export function usesFloatingPoint($: Builder): boolean {
  const inNode = (node: Node): boolean => {
    if (node.kind === "vector" || node.kind === "state" && (node.name === "FPCR" || node.name === "FPSR")) return true;
    return "operands" in node && node.operands.some(inNode);
  };
  return statementsOf($.statements).some((s) => {
    if (s.kind === "setVector" || s.kind === "setState" && (s.name === "FPCR" || s.name === "FPSR")) return true;
    return "value" in s && inNode(s.value);
  });
}

/** A cold encoding's handler: its function is made when the decoder asks for it. */
class ColdHandler implements Handler {
  #filling: Filling | undefined;

  constructor(readonly encoding: Encoding, readonly functions: OutlinedFunctions) {}

  get filling(): Filling {
    return this.#filling ??= this.functions.outline(this.encoding);
  }
}

/** Makes the handlers of all encodings. The arms of those that are not cold are collected in `arms`. */
export class HandlerSet {
  /** By index of the encoding. */
  readonly handlers: Handler[] = [];
  /** Code of the arms from `Arm.FirstInstruction` on. */
  readonly arms: FunctionBuilder[] = [];
  readonly #armNumbers = new Map<string, number>();
  readonly #pool: LocalPool;

  constructor(readonly library: Library, readonly functions: OutlinedFunctions, loop: FunctionBuilder, readonly locals: LoopLocals) {
    this.#pool = new LocalPool(loop);
    for (const encoding of encodings) this.handlers.push(this.#handler(encoding));
  }

  #handler(encoding: Encoding): Handler {
    const { instruction, shape } = encoding;
    if (instruction.cold(shape)) return new ColdHandler(encoding, this.functions);
    const $ = semanticsOf(encoding), fp = instruction.fp || usesFloatingPoint($);
    const branch = statementsOf($.statements).find((s) => s.kind === "branch");
    const filling = this.#arm(encoding, $, fp, false);
    if (!branch) return { encoding, filling };
    return { encoding, filling, branch: { offset: evaluateNumber(branch.offset), near: this.#arm(encoding, $, fp, true) } };
  }

  #checkFp(at: Surroundings): void {
    at.f.i32(0).memory("i32.load", CPU.FP_TRAP);
    at.f.ifLikely(false, () => {
      at.beforeCall(false);
      at.f.call(callee(this.library, "raiseFpTrap"));
      at.fault();
    });
  }

  /** An arm of the loop. Direct branches have two: `near` ones stay in their page. */
  #arm(encoding: Encoding, $: Builder, fp: boolean, near: boolean): Filling {
    const { ip, end, tlb, scratch } = this.locals;
    const f = new FunctionBuilder(-1, encoding.instruction.name, [], []);
    const layout = new OperandLayout(encoding.instruction.name);
    this.#pool.releaseAll();
    const at: Surroundings = {
      f,
      library: this.library,
      layout,
      ip,
      local: (type) => this.#pool.take(type),
      tlb: () => void f.get(tlb),
      beforeCall: (time) => {
        f.i32(0).get(ip).memory("i32.store", CPU.IP);
        if (time) f.i32(0).get(end).memory("i32.store", CPU.END);
      },
      fault: () => void f.brOuter(Target.Pending),
      branch: (offset) => {
        if (near) {
          // What is left of the budget shrinks by this instruction; both ends move by the distance.
          const distance = layout.place($.lsl(offset, 2));
          f.get(ip).memory("i32.load", distance.offset).set(scratch);
          f.get(end).get(scratch).op("i32.add").i32(RECORD_SIZE).op("i32.sub").set(end);
          f.get(ip).get(scratch).op("i32.add").set(ip).brOuter(Target.Taken);
        } else {
          const bytes = layout.place(offset);
          f.i32(0).memory("i64.load", CPU.PC_DELTA).get(ip).i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
          f.get(ip).memory("i64.load32_s", bytes.offset).op("i64.add");
          jumpToStack();
        }
      },
      branchTo: (address) => {
        address();
        jumpToStack();
      },
    };
    const jumpToStack = () => {
      f.call(this.library.named("lookup")).tee(scratch).op("i32.eqz");
      f.ifLikely(false, () => void f.brOuter(Target.Pending));
      f.get(end).get(scratch).op("i32.add").get(ip).op("i32.sub").i32(RECORD_SIZE).op("i32.sub").set(end);
      f.get(scratch).set(ip).brOuter(Target.Taken);
    };
    if (fp) this.#checkFp(at);
    if (!new Emitter($, at).emit()) f.get(ip).i32(RECORD_SIZE).op("i32.add").set(ip).brOuter(Target.Next);

    const key = f.fingerprint;
    let number = this.#armNumbers.get(key);
    if (number === undefined) {
      number = Arm.FirstInstruction + this.arms.push(f) - 1;
      this.#armNumbers.set(key, number);
    }
    return { arm: number, operands: layout.operands };
  }
}
