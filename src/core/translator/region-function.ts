// The Wasm function of a region: (END) -> record at which the interpreter goes on; with the same END and the head's record, nothing was
// executed. Where a region ends at the head of another, it ends in a call of that one. spec/core-jit.md sections 2 and 7.
//
// `left` counts the instructions of the budget. Where a loop is entered again it must suffice for the longest way to the next such place;
// otherwise the interpreter goes on there, which finds the exact end of the budget. All ways out meet at the end of the function, where
// registers and flags are stored.

import { CPU } from "../cpu-record.ts";
import { usesFloatingPoint } from "../interpreter/handlers.ts";
import type { KnownFlags, Surroundings } from "../interpreter/emitter.ts";
import { evaluateNumber, OperandLayout, RECORD_SIZE } from "../interpreter/operands.ts";
import { FIRST_REGION_SLOT, REGION_PENDING } from "../interpreter/interpreter.ts";
import type { Callees } from "../library.ts";
import { FIRST_REGION_ARM } from "../layout.ts";
import { FunctionBuilder, type Label, type WasmModule } from "../wasm/module.ts";
import { type ControlFlow, controlFlow } from "./control-flow.ts";
import { type Block, branchOf, isReturn, returnPoints, successorsOf } from "./region.ts";
import { RegionEmitter, StateLocals } from "./region-emitter.ts";

/** log2 of the bytes of a record. */
const RECORD_SHIFT = 4;

/** What a region's function calls. */
export interface RegionCallees extends Callees {
  /** The module that the function will be in, with the core's table. */
  readonly module: WasmModule;
}

/** Appends the function of a region to `f`: its parameter is END, its result a record or `REGION_PENDING`. */
export function emitRegion(f: FunctionBuilder, library: RegionCallees, recordPage: number, blocks: readonly Block[]): void {
  new RegionFunction(f, library, recordPage, blocks).emit();
}

class RegionFunction {
  /** The body comes first: it tells what the entry has to load. */
  readonly #body: FunctionBuilder;
  readonly #flow: ControlFlow;
  readonly #state: StateLocals;
  readonly #nodes: ReadonlyMap<number, number>;
  readonly #returnPoints: readonly number[];
  /** Locals: instructions left of the budget now and at the entry; the TLB set; where the interpreter goes on; the target of a branch. */
  readonly #left: number;
  readonly #leftAtEntry: number;
  readonly #tlb: number;
  readonly #record: number;
  readonly #isAway: number;
  readonly #target: number;
  /** Labels of loops, and of the code behind blocks, by node. */
  readonly #labels = new Map<number, Label>();
  readonly #longest: (number | undefined)[] = [];
  #exit!: Label;

  constructor(readonly f: FunctionBuilder, readonly library: RegionCallees, readonly page: number, readonly blocks: readonly Block[]) {
    this.#nodes = new Map(blocks.map(({ first }, node) => [first, node]));
    const inside = (index: number) => this.#nodes.get(index);
    this.#returnPoints = returnPoints(blocks);
    this.#flow = controlFlow(blocks.map((block) => {
      const successors = isReturn(block) ? this.#returnPoints : successorsOf(block.ending);
      return successors.map(inside).filter((node) => node !== undefined);
    }));
    const body = this.#body = new FunctionBuilder(-1, "body", f.parameters, f.results);
    this.#state = new StateLocals(body);
    this.#left = body.local("i32");
    this.#leftAtEntry = body.local("i32");
    this.#tlb = body.local("i32");
    this.#record = body.local("i32");
    this.#isAway = body.local("i32");
    this.#target = body.local("i64");
  }

  emit(): void {
    const { f } = this, body = this.#body, end = 0;
    body.block((exit) => {
      this.#exit = exit;
      this.#tree(0, undefined);
      body.op("unreachable");
    });
    this.#state.store(body);
    this.#leave();
    f.locals.push(...body.locals);
    const head = this.#recordAddress(this.blocks[0].first);
    f.get(end).i32(head).op("i32.sub").i32(RECORD_SHIFT).op("i32.shr_s").tee(this.#left).tee(this.#leftAtEntry);
    f.i32(this.#longestFrom(0)).op("i32.lt_s");
    if (
      this.blocks.some((block) =>
        block.instructions.some(({ encoding, semantics }) => encoding.instruction.fp || usesFloatingPoint(semantics))
      )
    ) {
      f.i32(0).memory("i32.load", CPU.FP_TRAP).op("i32.or");
    }
    f.ifLikely(false, () => {
      f.i32(0).get(end).memory("i32.store", CPU.END);
      f.i32(head).op("return");
    });
    f.i32(0).memory("i32.load", CPU.TLB).set(this.#tlb);
    this.#state.load(f);
    f.append(body);
  }

  /** Behind the stores: END, and the record at which the next region or the interpreter goes on. */
  #leave(): void {
    const f = this.#body, end = 0;
    const computeEnd = () => f.get(this.#record).get(this.#left).i32(RECORD_SHIFT).op("i32.shl").op("i32.add").set(end);
    const storeEnd = () => f.i32(0).get(end).memory("i32.store", CPU.END);
    f.get(this.#isAway).if(() => {
      f.i32(0).get(this.#record).memory("i32.store", CPU.IP);
      computeEnd();
      storeEnd();
      f.get(this.#target).call(this.library.named("lookup")).tee(this.#record).op("i32.eqz");
      f.ifLikely(false, () => f.i32(REGION_PENDING).op("return"));
      f.get(this.#left).i32(1).op("i32.sub").set(this.#left);
    });
    computeEnd();
    f.get(this.#left).get(this.#leftAtEntry).op("i32.ne");
    f.get(this.#record).memory("i32.load16_u").tee(this.#isAway).i32(FIRST_REGION_ARM).op("i32.ge_u").op("i32.and");
    f.if(() => {
      f.get(end).get(this.#isAway).i32(1).op("i32.shl").i32(FIRST_REGION_SLOT - 2 * FIRST_REGION_ARM).op("i32.add");
      this.library.module.returnCallIndirect(f, ["i32"], ["i32"]);
    });
    storeEnd();
    f.get(this.#record);
  }

  /** The blocks that a node dominates. Ramsey's doTree. */
  #tree(node: number, flags: KnownFlags | undefined): void {
    const f = this.#body, flow = this.#flow;
    const merges = flow.children[node].filter((child) => flow.forwardEdges[child] > 1);
    if (!flow.isLoop[node]) return this.#within(node, merges, flags);
    f.loop((label) => {
      this.#labels.set(node, label);
      this.#within(node, merges, flags);
    });
  }

  /** A node and those behind it where ways meet: the last in order is outermost. */
  #within(node: number, merges: readonly number[], flags: KnownFlags | undefined): void {
    const last = merges.at(-1);
    if (last === undefined) return this.#block(node, flags);
    this.#body.block((label) => {
      this.#labels.set(last, label);
      this.#within(node, merges.slice(0, -1), flags);
    });
    this.#tree(last, undefined);
  }

  #block(node: number, before: KnownFlags | undefined): void {
    const f = this.#body, { first, instructions, ending } = this.blocks[node];
    let flags = before;
    let last: RegionEmitter | undefined;
    instructions.forEach((instruction, i) => {
      const leave = (known: KnownFlags | undefined) => this.#leaveAt(first + i, i, known);
      const { semantics } = instruction;
      last = new RegionEmitter(semantics, this.#surroundings(), this.#state, flags, this.#recordAddress(first + i), leave);
      last.emitBody();
      flags = last.flagsAfter;
    });
    const emitter = last!;
    const branch = branchOf(instructions[instructions.length - 1]);
    const count = instructions.length;
    switch (ending.kind) {
      case "jump":
        this.#spend(count);
        this.#edge(node, ending.to, flags);
        break;
      case "call":
        this.#spend(count);
        this.#edge(node, ending.to, flags);
        break;
      case "condition":
        if (branch?.kind !== "branch" || !branch.condition) throw new Error("a block with a condition ends in no conditional branch");
        this.#spend(count);
        emitter.emitValue(branch.condition);
        f.if(() => this.#edge(node, ending.to, flags), () => this.#edge(node, ending.next, flags));
        break;
      case "away": {
        const { next } = ending;
        const away = () => {
          if (branch?.kind === "branchTo") emitter.emitValue(branch.address);
          else if (branch) {
            const offset = evaluateNumber(branch.offset)(0);
            f.i32(0).memory("i64.load", CPU.PC_DELTA).i64(this.#recordAddress(first + count - 1) / 4 + offset).op("i64.add");
          }
          f.set(this.#target);
          if (isReturn(this.blocks[node])) this.#returns(node, count, flags);
          f.i32(1).set(this.#isAway);
          this.#leaveAt(first + count - 1, count - 1, flags);
        };
        if (next === undefined) return away();
        if (branch?.kind !== "branch" || !branch.condition) throw new Error("a branch that falls through has no condition");
        emitter.emitValue(branch.condition);
        f.if(away);
        this.#spend(count);
        this.#edge(node, next, flags);
        break;
      }
    }
  }

  /** Goes on behind a call of the region where the target of a RET is that. */
  #returns(node: number, count: number, flags: KnownFlags | undefined): void {
    const f = this.#body;
    for (const point of this.#returnPoints) {
      f.get(this.#target).i32(0).memory("i64.load", CPU.PC_DELTA).i64(this.#recordAddress(point) / 4).op("i64.add").op("i64.eq");
      f.if(() => {
        this.#spend(count);
        this.#edge(node, point, flags);
      });
    }
  }

  /** Control goes from a node to an instruction of the page. */
  #edge(from: number, index: number, flags: KnownFlags | undefined): void {
    const f = this.#body, flow = this.#flow;
    const to = this.#nodes.get(index);
    if (to === undefined || !flow.successors[from].includes(to)) return this.#leaveAt(index, 0, flags);
    if (flow.isLoop[to]) {
      f.get(this.#left).i32(this.#longestFrom(to)).op("i32.lt_s");
      f.ifLikely(false, () => this.#leaveAt(index, 0, flags));
    }
    const isBack = flow.position[to] <= flow.position[from];
    const isMerge = isBack || flow.isLoop[to] || flow.forwardEdges[to] > 1;
    if (isMerge) this.#state.settleFlags(flags);
    if (isBack || flow.forwardEdges[to] > 1) f.br(this.#labels.get(to)!);
    else this.#tree(to, isMerge ? undefined : flags);
  }

  /** Out of the region, at an instruction of the page; `spent` instructions of the block are not counted yet. */
  #leaveAt(index: number, spent: number, flags: KnownFlags | undefined): void {
    this.#state.settleFlags(flags);
    this.#spend(spent);
    this.#body.i32(this.#recordAddress(index)).set(this.#record).br(this.#exit);
  }

  #spend(count: number): void {
    if (count) this.#body.get(this.#left).i32(count).op("i32.sub").set(this.#left);
  }

  /** Instructions on the longest way from a node to where the budget is looked at again. */
  #longestFrom(node: number): number {
    return this.#longest[node] ??= this.blocks[node].instructions.length +
      Math.max(0, ...this.#flow.successors[node].map((to) => this.#flow.isLoop[to] ? 0 : this.#longestFrom(to)));
  }

  #recordAddress(index: number): number {
    return this.page + index * RECORD_SIZE;
  }

  #surroundings(): Surroundings {
    const f = this.#body;
    const never = () => {
      throw new Error("an instruction of a region branches or faults by itself");
    };
    return {
      f,
      library: this.library,
      layout: new OperandLayout("region"),
      ip: -1,
      recordOffset: 0,
      local: (type) => f.local(type),
      tlb: () => void f.get(this.#tlb),
      beforeCall: () => {},
      fault: never,
      branch: never,
      branchTo: never,
    };
  }
}
