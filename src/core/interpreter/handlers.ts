// Handlers: each encoding of the table becomes an arm of the interpreter loop or, when it is cold, a function of its own (outlined.ts).
// Handlers with equal code are one. spec/core-interpreter.md sections 2 and 3 (why one function, and why it must stay small).

import type { Builder } from "../../isa/builder.ts";
import { type Encoding, encodings, semanticsOf } from "../../isa/table.ts";
import { CPU } from "../cpu-record.ts";
import type { Library } from "../library.ts";
import { FunctionBuilder, type ValueType } from "../wasm/module.ts";
import { Arm } from "./arms.ts";
import { emitChecks } from "./checks.ts";
import { Emitter, type Surroundings } from "./emitter.ts";
import { baseField, STACK_POINTER, statementsOf } from "./meaning.ts";
import { evaluateNumber, OperandLayout, RECORD_SIZE } from "./operands.ts";
import type { OutlinedFunctions } from "./outlined.ts";
import type { Filling, Fixed, Handler, Variant } from "./variants.ts";

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

/** An instruction as an arm, or as half of one, executes it. */
export interface Part {
  readonly encoding: Encoding;
  readonly fixed: Fixed;
  readonly semantics: Builder;
  /** For direct branches: the target is in the same page. */
  readonly near: boolean;
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

/** A variant whose function is made when the decoder asks for it. */
class ColdVariant implements Variant {
  #filling: Filling | undefined;

  constructor(readonly encoding: Encoding, readonly fixed: Fixed, readonly functions: OutlinedFunctions) {}

  get filling(): Filling {
    return this.#filling ??= this.functions.outline(this.encoding, this.fixed);
  }
}

/** The handler of a cold encoding. Nothing of it is made before the decoder meets it. */
class ColdHandler extends ColdVariant implements Handler {
  #specials: Handler["specials"] | undefined;

  constructor(encoding: Encoding, functions: OutlinedFunctions) {
    super(encoding, {}, functions);
  }

  get specials(): Handler["specials"] {
    return this.#specials ??= this.#makeSpecials();
  }

  #makeSpecials(): Handler["specials"] {
    const base = baseField(semanticsOf(this.encoding));
    if (!base) return [];
    const fixed = { [base]: STACK_POINTER };
    return [{ ...match(this.encoding, fixed), variant: new ColdVariant(this.encoding, fixed, this.functions) }];
  }
}

/** Mask and value of fixed fields in the instruction word. */
function match(encoding: Encoding, fixed: Fixed): { mask: number; value: number } {
  let mask = 0, value = 0;
  for (const [name, number] of Object.entries(fixed)) {
    const { position, width } = encoding.instruction.fields.get(name)!;
    mask |= (2 ** width - 1) << position;
    value |= number! << position;
  }
  return { mask, value };
}

/** Makes the handlers of all encodings. The arms of those that are not cold are collected in `arms`. */
export class HandlerSet {
  /** By index of the encoding. */
  readonly handlers: Handler[] = [];
  /** Code of the arms from `Arm.FirstInstruction` on. */
  readonly arms: FunctionBuilder[] = [];
  /** What the arms of single instructions execute, by number. */
  readonly parts = new Map<number, Part>();
  readonly #armNumbers = new Map<string, number>();
  readonly #pool: LocalPool;

  constructor(readonly library: Library, readonly functions: OutlinedFunctions, loop: FunctionBuilder, readonly locals: LoopLocals) {
    this.#pool = new LocalPool(loop);
    for (const encoding of encodings) this.handlers.push(this.#handler(encoding));
  }

  /** An arm for two instructions, one behind the other; the number of the arm. */
  fuse(first: Part, second: Part): number {
    return this.#add(this.#emit([first, second]).f, undefined);
  }

  #handler(encoding: Encoding): Handler {
    const { instruction, shape } = encoding;
    if (instruction.cold(shape)) return new ColdHandler(encoding, this.functions);
    const $ = semanticsOf(encoding), fixedFields = instruction.special(shape);
    const specials = fixedFields.map((fixed) => ({
      ...match(encoding, fixed),
      variant: this.#variant({ encoding, fixed, semantics: semanticsOf(encoding, fixed), near: false }),
    }));
    const base = baseField($);
    if (base && !fixedFields.some((fixed) => fixed[base] === STACK_POINTER)) {
      const fixed = { [base]: STACK_POINTER };
      specials.push({ ...match(encoding, fixed), variant: new ColdVariant(encoding, fixed, this.functions) });
    }
    return { encoding, specials, ...this.#variant({ encoding, fixed: {}, semantics: $, near: false }) };
  }

  #variant(part: Part): Variant {
    const branch = statementsOf(part.semantics.statements).find((s) => s.kind === "branch");
    const filling = this.#arm(part);
    if (!branch) return { filling };
    return { filling, branch: { offset: evaluateNumber(branch.offset), near: this.#arm({ ...part, near: true }) } };
  }

  #arm(part: Part): Filling {
    const { f, layouts } = this.#emit([part]);
    return { arm: this.#add(f, part), operands: layouts[0].operands };
  }

  /** The number of the arm with this code; arms with equal code are one. */
  #add(f: FunctionBuilder, part: Part | undefined): number {
    const key = f.fingerprint;
    let number = this.#armNumbers.get(key);
    if (number === undefined) {
      number = Arm.FirstInstruction + this.arms.push(f) - 1;
      this.#armNumbers.set(key, number);
      if (part) this.parts.set(number, part);
    }
    return number;
  }

  /** The code of an arm for one instruction, or for several in a straight line. */
  #emit(parts: readonly Part[]): { f: FunctionBuilder; layouts: OperandLayout[] } {
    const f = new FunctionBuilder(-1, parts.map(({ encoding }) => encoding.instruction.name).join(" + "), [], []);
    const layouts: OperandLayout[] = [];
    this.#pool.releaseAll();
    let before: Emitter | undefined, ended = false;
    parts.forEach((part, index) => {
      const layout = new OperandLayout(part.encoding.instruction.name);
      layouts.push(layout);
      const $ = part.semantics;
      const at = this.#surroundings(f, $, layout, part.near, index * RECORD_SIZE);
      emitChecks($, part.encoding, at);
      before = new Emitter($, at, before);
      ended = before.emit();
    });
    if (!ended) f.get(this.locals.ip).i32(parts.length * RECORD_SIZE).op("i32.add").set(this.locals.ip).brOuter(Target.Next);
    return { f, layouts };
  }

  #surroundings(f: FunctionBuilder, $: Builder, layout: OperandLayout, near: boolean, recordOffset: number): Surroundings {
    const { ip, end, tlb, scratch } = this.locals;
    const getIp = () => {
      f.get(ip);
      if (recordOffset) f.i32(recordOffset).op("i32.add");
    };
    const jumpToStack = () => {
      f.call(this.library.named("lookup")).tee(scratch).op("i32.eqz");
      f.ifLikely(false, () => {
        getIp();
        f.set(ip).brOuter(Target.Pending);
      });
      f.get(end).get(scratch).op("i32.add").get(ip).op("i32.sub").i32(recordOffset + RECORD_SIZE).op("i32.sub").set(end);
      f.get(scratch).set(ip).brOuter(Target.Taken);
    };
    return {
      f,
      library: this.library,
      layout,
      ip,
      recordOffset,
      local: (type) => this.#pool.take(type),
      tlb: () => void f.get(tlb),
      beforeCall: (time) => {
        f.i32(0);
        getIp();
        f.memory("i32.store", CPU.IP);
        if (time) f.i32(0).get(end).memory("i32.store", CPU.END);
      },
      fault: () => {
        if (recordOffset) {
          getIp();
          f.set(ip);
        }
        f.brOuter(Target.Pending);
      },
      branch: (offset) => {
        if (near) {
          // What is left of the budget shrinks by this instruction; both ends move by the distance.
          const distance = layout.place($.lsl(offset, 2));
          f.get(ip).memory("i32.load", recordOffset + distance.offset).set(scratch);
          f.get(end).get(scratch).op("i32.add").i32(RECORD_SIZE).op("i32.sub").set(end);
          getIp();
          f.get(scratch).op("i32.add").set(ip).brOuter(Target.Taken);
        } else {
          const bytes = layout.place(offset);
          f.i32(0).memory("i64.load", CPU.PC_DELTA);
          getIp();
          f.i32(2).op("i32.shr_u").op("i64.extend_i32_u").op("i64.add");
          f.get(ip).memory("i64.load32_s", recordOffset + bytes.offset).op("i64.add");
          jumpToStack();
        }
      },
      branchTo: (address) => {
        address();
        jumpToStack();
      },
    };
  }
}
