// The Wasm function of a region: (address, left, stack) -> (address, left). It takes the virtual
// address of its head, the remaining budget in instructions, and how many bytes of the stack it and
// its callees may use; it returns the address where execution continues, and the budget left then.
// When both are unchanged, nothing was executed. docs/design/core.md §T2, §T7 and §T12.
//
// `left` must suffice for the longest path to the next check: at the region's entry, at each loop's
// back edge, after calls. Otherwise the interpreter continues there, which finds the exact end of
// the budget. Guest calls are Wasm calls: the address that comes back is compared with the return
// address; any other is passed on to the caller, with all state in the CPU state.

import { Bytes } from "../../../../kit/support/values/bytes.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";
import { countsBranch, countsInstructions, departsAlways, emitMove, impliedTarget, type Move } from "../../decoded/execution-counters.ts";
import { FAST_MODES, fastMask, isAlternate } from "../../fp/modes.ts";
import { checksBranches } from "../../interpreter/branch-targets.ts";
import type { KnownFlags } from "../../interpreter/conditions.ts";
import { pushAtomicsTlb, type Surroundings } from "../../interpreter/surroundings.ts";
import { REGION_PARAMETERS, REGION_RESULTS, STACK_BYTES } from "../../interpreter/interpreter.ts";
import { SP_ALIGNMENT } from "../../architecture/exceptions.ts";
import { INSTRUCTIONS_PER_PAGE, INSTRUCTIONS_SHIFT } from "../../state/layout.ts";
import { CPU, FetchEntry, KeptPage, KNOWN_CALLS, Slot, TlbSet } from "../../state/cpu-state.ts";
import { callee as functionOf } from "../../state/functions.ts";
import type { Callees } from "../../wasm/library.ts";
import { LocalPool } from "../../wasm/local-pool.ts";
import { frameBound } from "../../wasm/frame-bound.ts";
import { FunctionBuilder, type Label, SHORT_GAP_BYTES } from "../../wasm/module.ts";
import { keepsStackAlignment } from "../regions/access-groups.ts";
import { settleFlags } from "./known-flags.ts";
import { type RegionContext, RegionEmitter, surroundings } from "./region-emitter.ts";
import { StateLocals } from "./state-locals.ts";
import { WaysOut } from "./ways-out.ts";
import type { Block } from "../regions/region.ts";
import { ADDRESS, type Callee, ENTER, ENTER_KNOWN, LEFT, type NeighborPage, type RegionOptions, STACK } from "./region-options.ts";
import { RegionPlan } from "../regions/region-plan.ts";
import { add, generalBit, keepOnly, type RegisterSet, without } from "../code/register-use.ts";

/** Makes the function of a region. */
export function emitRegion(
  library: Callees,
  blocks: readonly Block[],
  options: RegionOptions,
): FunctionBuilder {
  return new RegionFunction(library, blocks, options).emit();
}

/** Appends code that computes `RegionContext.fast`. */
function emitFast(f: FunctionBuilder, fast: number, library: Callees): void {
  const mask = fastMask(isAlternate(library));
  f.i32(0).memory("i64.load", CPU.FPCR).i64(FAST_MODES).op("i64.xor").i64(mask).op("i64.and").op("i64.eqz").set(fast);
}

/**
 * Bytes that a frame can have of a region that calls nothing and does not look whether they are
 * left: it is the last on the stack.
 */
const LEAF_BYTES = 0x4000;

/** The link register. */
const LINK = 30;

/** Tag of the bytes that a frame of the region has at most, for constants in the region alone. */
const FRAME = -1;

/** Whether an instruction is the first of a page. */
const beginsPage = (index: number): boolean => (index & INSTRUCTIONS_PER_PAGE - 1) === 0;

/** Bytes of a function besides its body, in most cases. */
const MARGIN = 0x400;

/** Holds the code of one body at a time, until it becomes part of its function. */
const scratch = new Bytes(0x1_0000);

/** A block whose instructions are emitted, but for the branch at its end. */
interface BlockEnd {
  readonly node: number;
  readonly block: Block;
  /** Of its last instruction. */
  readonly emitter: RegionEmitter;
  /** Registers that the CPU state does not have, and the flags. */
  readonly dirty: Readonly<RegisterSet>;
  readonly flags: KnownFlags | undefined;
}

class RegionFunction {
  /** The body comes first: it decides which ways out there are. */
  readonly #body = new FunctionBuilder(-1, "body", REGION_PARAMETERS, REGION_RESULTS, scratch);
  readonly #plan: RegionPlan;
  readonly #state = new StateLocals(this.#body);
  readonly #context: RegionContext;
  readonly #surroundings: Surroundings;
  readonly #temporaries = new LocalPool(this.#body);
  /**
   * Locals: the virtual address of instruction 0; the TLB set, and that of atomic accesses.
   */
  readonly #base = this.#body.local("i64");
  readonly #waysOut: WaysOut;
  readonly #tlb = this.#body.local("i32");
  readonly #atomicsTlb: number | undefined;
  /** See `RegionContext.fast`. */
  readonly #fast = this.#body.local("i32");
  /** Labels of loops, and of the code after blocks, by node. */
  readonly #labels = new Map<number, Label>();
  /**
   * The steps that follow, the last first. Functions that called each other for this would need
   * more of the stack for each block.
   */
  readonly #pending: (() => void)[] = [];
  /** Locals for where groups of accesses are, by their `SplitGroup`s. */
  readonly #groupAddresses: (number | undefined)[] = [];
  /** The result of a call. */
  readonly #answer = this.#body.local("i64");
  /** An entry of the fetch TLB, where the region is entered. */
  readonly #entry = this.#body.local("i32");
  /** Whether the core counts instructions. */
  readonly #counts: boolean;

  constructor(readonly library: Callees, blocks: readonly Block[], readonly options: RegionOptions) {
    this.#plan = new RegionPlan(blocks, checksBranches(library));
    this.#counts = countsInstructions(library);
    this.#waysOut = new WaysOut(this.#body, this.#state, this.#base, this.#answer);
    if (this.#plan.usesAtomics) this.#atomicsTlb = this.#body.local("i32");
    this.#context = {
      f: this.#body,
      library,
      state: this.#state,
      temporaries: this.#temporaries,
      tlb: this.#tlb,
      atomicsTlb: this.#atomicsTlb,
      base: this.#base,
      fast: this.#fast,
      refreshFast: this.#plan.usesFast ? () => emitFast(this.#body, this.#fast, this.library) : undefined,
      operations: options.operations,
    };
    this.#surroundings = surroundings(this.#context);
  }

  emit(): FunctionBuilder {
    scratch.clear();
    this.#tree(0, undefined);
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) next();
    const f = new FunctionBuilder(-1, "region", REGION_PARAMETERS, REGION_RESULTS, new Bytes(scratch.length + MARGIN));
    const refused = f.openBlock();
    this.#enter(f, refused);
    this.#waysOut.emit(f);
    f.op("return").closeBlock().get(ADDRESS).get(LEFT);
    f.locals.push(...this.#body.locals);
    // The largest ones run where no other region waits for them.
    return f.fill(FRAME, Math.min(frameBound(f), STACK_BYTES));
  }

  /** Looks whether the region can run, and loads what it needs. @param refused where it cannot */
  #enter(f: FunctionBuilder, refused: Label): void {
    const plan = this.#plan, head = plan.blocks[0].first;
    f.get(ADDRESS).i64(-4 * head).op("i64.add").set(this.#base);
    f.i32(0).memory("i32.load", CPU.TLB).set(this.#tlb);
    const leaveIf = () => void f.brIfUnlikely(refused);
    f.get(LEFT).i32(plan.longest[0]).op("i32.lt_s");
    leaveIf();
    if (plan.calls || frameBound(this.#body) > LEAF_BYTES) {
      f.get(STACK).i32Later(FRAME, SHORT_GAP_BYTES).op("i32.lt_s");
      leaveIf();
    }
    if (plan.usesVectors) {
      f.i32(0).memory("i32.load", CPU.FP_TRAP);
      leaveIf();
    }
    for (const neighbor of this.options.neighbors) {
      this.#isElsewhere(f, neighbor);
      leaveIf();
    }
    this.#load(f, 0, leaveIf);
    this.#count("arrive", head, 0, f);
  }

  /** Counts a move at an instruction, or beyond the last one of its page, in a core that counts. */
  #count(move: Move, index: number, beyond: 0 | 1 = 0, f = this.#body): void {
    if (!this.#counts) return;
    const counters = this.options.counters(index >> INSTRUCTIONS_SHIFT);
    emitMove(f, move, () => void f.i32Later(counters), (index & INSTRUCTIONS_PER_PAGE - 1) + beyond);
  }

  /** Counts that control goes from the end of a node to an instruction which counts its arrival. */
  #depart(node: number, index?: number): void {
    if (!this.#counts) return;
    const { last, word } = this.#lastOf(node), always = departsAlways(word);
    if (index === last + 1 && !always) this.#count("turnBack", last, 1);
    else if (index !== undefined && index === impliedTarget(word, last)) {
      if (countsBranch(word, last, index)) this.#count("depart", last);
      this.#count("turnBack", index);
    } else if (!always) this.#count("depart", last);
  }

  /** Counts that control goes from the end of a node to another node. */
  #pass(from: number, to: number): void {
    if (!this.#counts) return;
    const { last, word } = this.#lastOf(from), always = departsAlways(word), target = this.#plan.blocks[to].first;
    if (target === last + 1 && !always && !beginsPage(target)) return;
    if (target === impliedTarget(word, last)) {
      if (countsBranch(word, last, target)) this.#count("depart", last);
      return;
    }
    this.#depart(from, target);
    this.#count("arrive", target);
  }

  /** The number and the word of a node's last instruction. */
  #lastOf(node: number): { last: number; word: number } {
    const { first, instructions } = this.#plan.blocks[node], end = instructions.length - 1;
    return { last: first + end, word: instructions[end].word };
  }

  /** Whether a page of the region does not follow in virtual memory. */
  #isElsewhere(f: FunctionBuilder, { offset, decoded }: NeighborPage): void {
    const page = this.#answer, entry = this.#entry;
    // The address of the page is the tag as well.
    f.get(this.#base).i64(-PAGE_SIZE).op("i64.and").i64(PAGE_SIZE * offset).op("i64.add").set(page);
    f.get(page).op("i32.wrap_i64").i32(8).op("i32.shr_u").i32((TlbSet.FetchEntries - 1) * FetchEntry.Size).op("i32.and");
    f.get(this.#tlb).op("i32.add").set(entry).get(entry).memory("i64.load", TlbSet.Fetch + FetchEntry.Tag).get(page).op("i64.eq");
    // The region may be all that has code there, and go there seldom: it would never be looked up.
    f.ifLikely(
      true,
      () => void f.get(entry).memory("i32.load", TlbSet.Fetch + FetchEntry.Decoded),
      () => void f.get(page).call(functionOf(this.library, "fetchableAt")),
      "i32",
    );
    f.i32Later(decoded).op("i32.ne");
  }

  /**
   * Loads what a node and those after it need, of a state that comes from elsewhere. `leaveIf`, if
   * SP is not aligned: without SP there is no access by it.
   */
  #load(f: FunctionBuilder, node: number, leaveIf: () => void): void {
    const needed = this.#plan.data.needed[node];
    this.#state.load(f, needed);
    this.#loadAtomicsTlb(f);
    if (this.#plan.keepsStackAligned && needed.general & generalBit(Slot.SP)) {
      // The local is tested: a load of its own takes longer, as SP is stored shortly before.
      f.get(this.#state.general(Slot.SP)).op("i32.wrap_i64").i32(SP_ALIGNMENT - 1).op("i32.and");
      leaveIf();
    }
    if (this.#plan.usesFast) emitFast(f, this.#fast, this.library);
    this.#ownKeptPages(f);
  }

  /** Loads it again: the TLB may hold Device memory since it was loaded. */
  #loadAtomicsTlb(f: FunctionBuilder): void {
    const local = this.#atomicsTlb;
    if (local === undefined) return;
    pushAtomicsTlb(f, () => f.get(this.#tlb));
    f.set(local);
  }

  /** The blocks that a node dominates. Ramsey's doTree. */
  #tree(node: number, flags: KnownFlags | undefined): void {
    const f = this.#body, { flow } = this.#plan;
    const merges = flow.children[node].filter((child) => flow.forwardEdges[child] > 1);
    if (flow.isLoop[node]) {
      this.#labels.set(node, f.openLoop());
      this.#pending.push(() => void f.closeBlock());
    }
    // Those after it where ways meet: the last in order is outermost.
    for (const merge of merges.reverse()) {
      this.#labels.set(merge, f.openBlock());
      this.#pending.push(() => {
        f.closeBlock();
        this.#tree(merge, undefined);
      });
    }
    this.#block(node, flags);
  }

  #block(node: number, before: KnownFlags | undefined): void {
    const block = this.#plan.blocks[node];
    if (!block.instructions.length) return this.#dispatch(node, before);
    const end = this.#instructions(node, block, before);
    switch (block.ending.kind) {
      case "jump":
        return this.#endInJump(end, block.ending.to);
      case "condition":
        return this.#endInCondition(end, block.ending.to, block.ending.next);
      case "call":
        return this.#endInCall(end, block.ending.to, block.ending.next);
      case "indirect":
        return this.#endInSwitch(end);
      case "return":
        return this.#endInReturn(end);
    }
  }

  /** The instructions of a block, but for a branch at its end. */
  #instructions(node: number, block: Block, before: KnownFlags | undefined): BlockEnd {
    const plan = this.#plan, dirty = { ...plan.data.dirty[node] }, { first, instructions } = block;
    const groups = plan.groups[node], keeps = plan.keepPages.get(node);
    const filled = () => this.#loadAtomicsTlb(this.#body);
    let flags = before, emitter: RegionEmitter | undefined, stackAligned = plan.keepsStackAligned;
    /** A bit for the `SplitGroup` of each group that keeps its page. */
    let walking = 0;
    instructions.forEach((instruction, i) => {
      if (i && beginsPage(first + i)) {
        this.#count("turnBack", first + i - 1, 1);
        this.#count("arrive", first + i);
      }
      const leave = (known: KnownFlags | undefined) => {
        this.#count("turnBack", first + i);
        this.#waysOut.leave(first + i, i, dirty, known);
      };
      this.#temporaries.releaseAll(flags?.locals);
      const member = groups.get(i), kept = keeps?.get(i);
      if (member?.first) walking = kept === undefined ? walking & ~(1 << member.group.split) : walking | 1 << member.group.split;
      const located = member && {
        ...member,
        wasmAddress: this.#groupAddresses[member.group.split] ??= this.#body.local("i32"),
        walks: (walking >> member.group.split & 1) === 1,
      };
      const site = { leave, member: located, kept, inLoop: plan.inLoop[node], stackAligned, filled };
      emitter = new RegionEmitter(instruction, this.#surroundings, this.#context, flags, first + i, site);
      emitter.emitBody();
      stackAligned = plan.keepsStackAligned || (stackAligned || instruction.basedOnStack) && keepsStackAlignment(instruction);
      flags = emitter.flagsAfter;
      add(dirty, instruction.use.written);
    });
    if (!emitter) throw new Error("a block without instructions");
    if (plan.stores[node]) {
      const late = plan.data.late[node];
      this.#state.store(this.#body, without(dirty, late));
      keepOnly(dirty, late);
    }
    return { node, block, emitter, dirty, flags };
  }

  #endInJump({ node, block: { instructions }, dirty, flags }: BlockEnd, to: number): void {
    this.#spend(instructions.length);
    // The code that follows without a branch is not part of the region because the interpreter
    // must execute it.
    this.#edge(node, to, dirty, flags, instructions[instructions.length - 1].branch !== undefined);
  }

  #endInCondition({ node, block: { instructions }, emitter, dirty, flags }: BlockEnd, to: number, next: number): void {
    const f = this.#body, { branch } = instructions[instructions.length - 1];
    if (branch?.kind !== "branch" || !branch.condition) throw new Error("a block with a condition ends in no conditional branch");
    this.#spend(instructions.length);
    emitter.emitValue(branch.condition);
    f.openIf();
    this.#pending.push(() => void f.closeBlock(), () => {
      f.otherwise();
      this.#edge(node, next, dirty, flags, true);
    });
    this.#edge(node, to, dirty, flags, true);
  }

  #endInCall(end: BlockEnd, to: number | undefined, next: number): void {
    this.#settle(end);
    if (to === undefined) this.#pushTarget(end);
    else this.#address(to);
    this.#body.set(this.#answer);
    this.#call(end.node, next, to === undefined ? undefined : this.options.callees.get(to));
  }

  /** An indirect branch. */
  #endInSwitch(end: BlockEnd): void {
    const { node, block: { instructions }, dirty, flags } = end, dispatcher = this.#plan.dispatcher(node);
    this.#pushTarget(end);
    this.#body.set(this.#answer);
    if (dispatcher !== undefined) {
      this.#depart(node);
      this.#spend(instructions.length);
      this.#go(node, dispatcher, flags);
      return;
    }
    this.#switch(node, dirty, flags);
    this.#depart(node);
    this.#settle(end);
    this.#chain();
  }

  #endInReturn(end: BlockEnd): void {
    const f = this.#body;
    this.#depart(end.node);
    this.#settle(end);
    this.#pushTarget(end);
    f.set(this.#answer);
    // Where no region waits for the return, execution continues there.
    f.get(STACK).i32(STACK_BYTES).op("i32.eq").ifLikely(false, () => this.#chain());
    f.get(this.#answer).get(LEFT).op("return");
  }

  /** Counts the block, and puts all state into the CPU state. */
  #settle({ block, dirty, flags }: BlockEnd): void {
    this.#spend(block.instructions.length);
    this.#state.store(this.#body, dirty);
    settleFlags(this.#body, flags);
  }

  /** Puts the target of an indirect branch on the stack. */
  #pushTarget({ block: { instructions }, emitter }: BlockEnd): void {
    const { branch } = instructions[instructions.length - 1];
    if (branch?.kind !== "branchTo") throw new Error("an indirect branch has no address");
    emitter.emitValue(branch.address);
  }

  /** Ends in the region at the address in `#answer`; all state is in the CPU state. */
  #chain(): void {
    this.#waysOut.enter(this.#body.get(this.#answer));
  }

  /** Calls the address in `#answer`, and continues after that. */
  #call(node: number, next: number, callee: Callee | undefined): void {
    const f = this.#body, to = this.#plan.target(node, next);
    f.get(this.#answer).get(LEFT).get(STACK).i32Later(FRAME, SHORT_GAP_BYTES).op("i32.sub");
    if (callee) this.#callOfModule(callee);
    else this.#callKnown(next - 1 & KNOWN_CALLS - 1);
    f.set(LEFT).set(this.#answer);
    // Counted only if control does not come back: a departure and an arrival cancel out.
    const leaveIf = () => {
      if (!this.#counts) return this.#waysOut.returnIf();
      f.ifLikely(false, () => {
        this.#depart(node);
        f.get(this.#answer).get(LEFT).op("return");
      });
    };
    // The instruction has put the return address there.
    f.get(this.#answer).get(this.#state.general(LINK)).op("i64.ne");
    leaveIf();
    if (to === undefined) {
      this.#depart(node);
      return this.#chain();
    }
    f.get(LEFT).i32(this.#plan.longest[to]).op("i32.lt_s");
    leaveIf();
    this.#load(f, to, leaveIf);
    this.#pass(node, to);
    this.#go(node, to, undefined);
  }

  /** Calls another region of the module with the arguments on the stack, if that is in use. */
  #callOfModule({ decoded, handler, name }: Callee): void {
    const f = this.#body;
    f.i32Later(decoded).memory("i32.load16_u").i32Later(handler, SHORT_GAP_BYTES).op("i32.eq");
    f.ifLikely(true, () => void f.callLate(name), () => void f.callLate(ENTER), this.options.type);
  }

  /**
   * Calls the region at the address in `#answer` with the arguments on the stack, as one of the
   * known calls.
   */
  #callKnown(call: number): void {
    const f = this.#body;
    f.i32(0).memory("i64.load", CPU.CALLED + 8 * call).get(this.#answer).op("i64.eq").ifLikely(
      true,
      () => this.options.callIndirect(f.i32(0).memory("i32.load", CPU.CALLED_SLOTS + 8 * call)),
      () => void f.i32(8 * call).callLate(ENTER_KNOWN),
      this.options.type,
    );
  }

  /**
   * Forgets what is kept where another region has kept it, or where the interpreter was at work
   * since.
   */
  #ownKeptPages(f: FunctionBuilder): void {
    const { keptPages } = this.#plan, { handler } = this.options;
    if (!keptPages) return;
    f.i32(0).memory("i32.load", CPU.KEPT_BY).i32Later(handler, SHORT_GAP_BYTES).op("i32.ne").ifLikely(false, () => {
      f.i32(0).i32Later(handler, SHORT_GAP_BYTES).memory("i32.store", CPU.KEPT_BY);
      for (let i = 0; i < keptPages; i++) f.i32(0).i64(0).memory("i64.store", CPU.KEPT_PAGES + KeptPage.Size * i + KeptPage.Limit);
    });
  }

  /** Goes to the address in `#answer` where that is of the region. */
  #switch(node: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined): void {
    const f = this.#body, plan = this.#plan, { first, instructions } = plan.blocks[node], targets = plan.flow.successors[node];
    if (!targets.length) return;
    this.#jump(targets, node, (jump) => {
      f.get(LEFT).i32(instructions.length + plan.longestOf(targets)).op("i32.lt_s");
      f.ifLikely(false, () => {
        const last = instructions.length - 1;
        this.#count("turnBack", first + last);
        this.#waysOut.leave(first + last, last, dirty, flags);
      });
      // The budget is counted for the way inside; the other one does it itself.
      f.block((elsewhere) => {
        this.#spend(instructions.length);
        if (targets.some((to) => plan.needsFlags[to])) settleFlags(f, flags);
        jump(elsewhere);
      });
      this.#spend(-instructions.length);
    });
  }

  /** The same where the branches by a table meet, which are counted. */
  #dispatch(node: number, flags: KnownFlags | undefined): void {
    const f = this.#body, { flow, data } = this.#plan, targets = flow.successors[node];
    settleFlags(f, flags);
    if (targets.length) {
      f.block((elsewhere) => {
        f.get(LEFT).i32(this.#plan.longestOf(targets)).op("i32.lt_s").ifLikely(false, () => void f.br(elsewhere));
        this.#jump(targets, undefined, (jump) => jump(elsewhere));
      });
    }
    this.#state.store(f, data.dirty[node]);
    this.#chain();
  }

  /**
   * Where the address in `#answer` is among these nodes `go` is emitted, and what that is given,
   * which jumps there or elsewhere.
   * @param from the node that control has not departed from yet
   */
  #jump(targets: readonly number[], from: number | undefined, go: (jump: (elsewhere: Label) => void) => void): void {
    const f = this.#body, indices = targets.map((to) => this.#plan.blocks[to].first);
    const low = Math.min(...indices), size = Math.max(...indices) - low + 1;
    // Misaligned addresses become large numbers.
    const pushNumber = () => {
      f.get(this.#answer);
      this.#address(low);
      f.op("i64.sub").i64(2).op("i64.rotr");
    };
    pushNumber();
    f.i64(size).op("i64.lt_u").if(() =>
      go((elsewhere) => {
        // In a core that counts, there is code on the way to each target.
        const ways = this.#counts ? targets.map(() => f.openBlock()).reverse() : undefined;
        pushNumber();
        const labels = new Map(targets.map((to, i) => [this.#plan.blocks[to].first, ways?.[i] ?? this.#labelOf(to)]));
        f.op("i32.wrap_i64").brTable(Array.from({ length: size }, (_, i) => labels.get(low + i) ?? elsewhere), elsewhere);
        if (!ways) return;
        for (const to of targets) {
          f.closeBlock();
          if (from === undefined) this.#count("arrive", this.#plan.blocks[to].first);
          else this.#pass(from, to);
          f.br(this.#labelOf(to));
        }
      })
    );
  }

  /**
   * Control goes from a node to an instruction. `chains`: an instruction outside of the region may
   * be one of another region.
   */
  #edge(from: number, index: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined, chains: boolean): void {
    const f = this.#body, { flow, longest } = this.#plan, to = this.#plan.target(from, index);
    if (to === undefined) {
      this.#depart(from, index);
      return chains ? this.#waysOut.chain(index, dirty, flags) : this.#waysOut.leave(index, 0, dirty, flags);
    }
    if (flow.isLoop[to]) {
      f.get(LEFT).i32(longest[to]).op("i32.lt_s");
      f.ifLikely(false, () => {
        this.#depart(from, index);
        this.#waysOut.leave(index, 0, dirty, flags);
      });
    }
    this.#pass(from, to);
    this.#go(from, to, flags);
  }

  #go(from: number, to: number, flags: KnownFlags | undefined): void {
    const f = this.#body, { flow, needsFlags } = this.#plan;
    const isBack = flow.position[to] <= flow.position[from];
    const isMerge = isBack || flow.isLoop[to] || flow.forwardEdges[to] > 1;
    if (isMerge && needsFlags[to]) settleFlags(f, flags);
    if (isBack || flow.forwardEdges[to] > 1) f.br(this.#labelOf(to));
    else this.#pending.push(() => this.#tree(to, isMerge ? undefined : flags));
  }

  #labelOf(node: number): Label {
    const label = this.#labels.get(node);
    if (!label) throw new Error("a node is reached from outside of its block");
    return label;
  }

  #spend(count: number): void {
    if (count) this.#body.get(LEFT).i32(count).op("i32.sub").set(LEFT);
  }

  /** Puts the virtual address of an instruction on the stack. */
  #address(index: number): void {
    this.#body.get(this.#base).i64(4 * index).op("i64.add");
  }
}
