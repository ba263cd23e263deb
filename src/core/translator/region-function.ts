// The Wasm function of a region: (address, left, stack) -> (address, left). It takes the virtual
// address of its head, the remaining budget in instructions, and how many bytes of the stack it and
// its callees may use; it returns the address where execution continues, and the budget left then.
// When both are unchanged, nothing was executed. docs/design/core.md §T2, §T7 and §T12.
//
// `left` must suffice for the longest path to the next check: at the region's entry, at each loop's
// back edge, after calls. Otherwise the interpreter continues there, which finds the exact end of
// the budget. Guest calls are Wasm calls: the address that comes back is compared with the return
// address; any other is passed on to the caller, with all state in the CPU state.

import { Bytes } from "../../support/bytes.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";
import { FAST_MASK, FAST_MODES } from "../fp/arithmetic.ts";
import type { KnownFlags } from "../interpreter/emitter.ts";
import type { Surroundings } from "../interpreter/surroundings.ts";
import { REGION_PARAMETERS, REGION_RESULTS, STACK_BYTES } from "../interpreter/interpreter.ts";
import { SP_ALIGNMENT } from "../architecture/exceptions.ts";
import { CPU, FetchEntry, KeptPage, Slot, TlbSet } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import type { Callees } from "../wasm/library.ts";
import { LocalPool } from "../wasm/local-pool.ts";
import { frameBound, FunctionBuilder, type Label } from "../wasm/module.ts";
import { accessGroups, type GroupMember, keepsStackAlignment } from "./access-groups.ts";
import { type ControlFlow, controlFlow } from "./control-flow.ts";
import { type DataFlow, dataFlow } from "./data-flow.ts";
import { emitFindAgain } from "./enter-function.ts";
import type { Operations } from "./inline-calls.ts";
import { accessesThatKeepPages } from "./kept-pages.ts";
import { settleFlags } from "./known-flags.ts";
import { type RegionContext, RegionEmitter, surroundings } from "./region-emitter.ts";
import { StateLocals } from "./state-locals.ts";
import { type Block, type Ending, successorsOf } from "./region.ts";
import { add, generalBit, keepOnly, noRegisters, type RegisterSet, without } from "./register-use.ts";
import { bitsOf } from "../../support/bits.ts";

/** The parameters as locals. */
const ADDRESS = 0, LEFT = 1, STACK = 2;

/** Name of the function that a region calls to continue at an address (enter-function.ts). */
export const ENTER = "enter";

/**
 * A page of the region other than the head's: it must follow in virtual memory when the region
 * runs.
 */
export interface NeighborPage {
  /** Pages from the head's. */
  readonly offset: number;
  /** Tag of the address of its decoded page (`FunctionBuilder.i32Later`). */
  readonly decoded: number;
}

/** Makes the function of a region. */
export function emitRegion(
  library: Callees,
  blocks: readonly Block[],
  options: RegionOptions,
): FunctionBuilder {
  return new RegionFunction(library, blocks, options).emit();
}

/** Another region of the same module. */
export interface Callee {
  /** Its name for a late call. */
  readonly name: string;
  /**
   * Tags of the address of its head's decoded instruction, and of the handler that this has as long
   * as the region is in use.
   */
  readonly decoded: number;
  readonly handler: number;
}

/**
 * The parameters of a region. Differences between regions with the same code are constants that are
 * put in later, so that the code serves for all of them.
 */
export interface RegionOptions {
  /** Tag of the number of its handler. */
  readonly handler: number;
  readonly neighbors: readonly NeighborPage[];
  /** Regions of the module in pages of this one, by the number of their heads here. */
  readonly callees: ReadonlyMap<number, Callee>;
  /** Appends a call of a region at a place in the table. */
  readonly callIndirect: (f: FunctionBuilder) => void;
  readonly operations: Operations;
}

/** Appends code that computes `RegionContext.fast`. */
function emitFast(f: FunctionBuilder, fast: number): void {
  f.i32(0).memory("i64.load", CPU.FPCR).i64(FAST_MODES).op("i64.xor").i64(FAST_MASK).op("i64.and").op("i64.eqz").set(fast);
}

/** A way out: the registers that it stores, and whether a region there is entered at once. */
interface Exit {
  /** Of its label. */
  readonly name: string;
  readonly dirty: Readonly<RegisterSet>;
  readonly chains: boolean;
}

/**
 * Ways out of a region that stores at most this many registers share their stores. With more, the
 * values do not fit into the computer's registers, and where ways out meet they are moved between
 * memory and memory in the loops.
 */
const MOST_SHARED = 12;

/**
 * Ways out that store at most this many registers are not shared at all: where they meet, each
 * register is another value for TurboFan to place.
 */
const MOST_DIRECT = 4;

/**
 * Bytes that a frame can have of a region that calls nothing and does not look whether they are
 * left: it is the last on the stack.
 */
const LEAF_BYTES = 0x4000;

/** Tag of the bytes that a frame of the region has at most, for constants in the region alone. */
const FRAME = -1;

/** Bytes of a function besides its body, in most cases. */
const MARGIN = 0x400;

/** Holds the code of one body at a time, until it becomes part of its function. */
const scratch = new Bytes(0x1_0000);

/** How many registers a set has. */
function sizeOf({ general, vector }: Readonly<RegisterSet>): number {
  return bitsOf(general) + bitsOf(vector);
}

/** Whether a set has all of another. */
const includes = (set: Readonly<RegisterSet>, part: Readonly<RegisterSet>): boolean =>
  (part.general & ~set.general) === 0 && (part.vector & ~set.vector) === 0;

class RegionFunction {
  /** The body comes first: it decides which ways out there are. */
  readonly #body = new FunctionBuilder(-1, "body", REGION_PARAMETERS, REGION_RESULTS, scratch);
  readonly #flow: ControlFlow;
  readonly #data: DataFlow;
  /**
   * Blocks that store their registers at their ends, but those that are stored later anyway. Blocks
   * outside of loops do: it costs little there, and all ways out after them have less to store.
   */
  readonly #stores: readonly boolean[];
  /** Of the accesses of each node; and the accesses that keep their pages. */
  readonly #groups: readonly ReadonlyMap<number, GroupMember>[];
  readonly #keepPages: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** Addresses of what they keep. */
  readonly #kept: readonly number[];
  readonly #state: StateLocals;
  readonly #context: RegionContext;
  readonly #surroundings: Surroundings;
  readonly #temporaries = new LocalPool(this.#body);
  /** The blocks of the region, and after them its dispatchers. */
  readonly #blocks: readonly Block[];
  /** By the number of a block's first instruction. */
  readonly #nodes: ReadonlyMap<number, number>;
  /** By the table. */
  readonly #dispatchers = new Map<number, number>();
  /** Locals: the virtual address of instruction 0; the TLB set; what leaving adds to the first. */
  readonly #base = this.#body.local("i64");
  readonly #tlb = this.#body.local("i32");
  readonly #offset = this.#body.local("i32");
  /** See `RegionContext.fast`. */
  readonly #fast = this.#body.local("i32");
  readonly #usesFast: boolean;
  /**
   * SP is aligned wherever an instruction of the region begins: that is checked where SP comes from
   * elsewhere. False if accesses by SP check it, as the region changes SP in other ways than by
   * multiples of its alignment.
   */
  readonly #keepsStackAligned: boolean;
  /** Labels of loops, and of the code after blocks, by node. */
  readonly #labels = new Map<number, Label>();
  /**
   * The steps that follow, the last first. Functions that called each other for this would need
   * more of the stack for each block.
   */
  readonly #pending: (() => void)[] = [];
  /** Locals for where groups of accesses are, by their `SplitGroup`s. */
  readonly #groupAddresses: (number | undefined)[] = [];
  /** By node: instructions on the longest path from it to the next check of the budget; */
  readonly #longest: number[] = [];
  /** whether flags that were set before it may be read. */
  readonly #flagsNeeded: boolean[] = [];
  /** Ways out that code shares. */
  readonly #exits: Exit[] = [];
  /** The result of a call. */
  readonly #answer = this.#body.local("i64");
  /** The target of a call, in the table. */
  readonly #slot = this.#body.local("i32");

  constructor(
    readonly library: Callees,
    regionBlocks: readonly Block[],
    readonly options: RegionOptions,
  ) {
    this.#nodes = new Map(regionBlocks.map(({ first }, node) => [first, node]));
    const dispatchers = dispatchersOf(regionBlocks);
    [...dispatchers.keys()].forEach((table, i) => this.#dispatchers.set(table, regionBlocks.length + i));
    const blocks = this.#blocks = [...regionBlocks, ...dispatchers.values()];
    const inside = (index: number) => this.#nodes.get(index);
    const graph = blocks.map(({ ending }) => {
      const dispatcher = this.#dispatcherOf(ending);
      return dispatcher === undefined ? successorsOf(ending).map(inside).filter((node) => node !== undefined) : [dispatcher];
    });
    this.#flow = controlFlow(graph, new Set(blocks.flatMap(({ ending }, node) => ending.kind === "indirect" ? [node] : [])));
    const order = blocks.map((_, node) => node).filter((node) => this.#flow.position[node] >= 0)
      .sort((a, b) => this.#flow.position[a] - this.#flow.position[b]);
    this.#groups = blocks.map(({ instructions }) => accessGroups(instructions));
    this.#keepPages = accessesThatKeepPages(blocks, this.#flow, this.#groups);
    this.#kept = [...this.#keepPages.values()].flatMap((kept) => [...kept.values()]);
    const inLoops = new Set<number>();
    for (const loop of this.#flow.loops) for (const node of loop) inLoops.add(node);
    const stores = this.#stores = blocks.map(({ instructions }, node) => instructions.length > 0 && !inLoops.has(node));
    const flowBlocks = blocks.map((block, node) => {
      const read = noRegisters(), written = noRegisters();
      for (const { use } of block.instructions) {
        add(read, without(use.read, written));
        add(written, use.written);
      }
      return { read, written, stores: stores[node], successors: block.ending.kind === "call" ? [] : this.#flow.successors[node] };
    });
    this.#data = dataFlow(flowBlocks, order);
    // Paths between checks of the budget have no back edge: what follows a node comes after it.
    for (const node of order.reverse()) {
      this.#longest[node] = this.#longestFrom(node);
      this.#flagsNeeded[node] = this.#looksAtFlags(node);
    }
    this.#state = new StateLocals(this.#body);
    this.#usesFast = blocks.some(({ instructions }) => instructions.some(({ inlinesFloat }) => inlinesFloat));
    this.#keepsStackAligned = blocks.some(({ instructions }) => instructions.some(({ basedOnStack }) => basedOnStack)) &&
      blocks.every(({ instructions }) => instructions.every(keepsStackAlignment));
    this.#context = {
      f: this.#body,
      library,
      state: this.#state,
      temporaries: this.#temporaries,
      tlb: this.#tlb,
      base: this.#base,
      fast: this.#fast,
      refreshFast: this.#usesFast ? () => emitFast(this.#body, this.#fast) : undefined,
      operations: options.operations,
    };
    this.#surroundings = surroundings(this.#context);
  }

  emit(): FunctionBuilder {
    const body = this.#body;
    scratch.clear();
    this.#tree(0, undefined);
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) next();
    const f = new FunctionBuilder(-1, "region", REGION_PARAMETERS, REGION_RESULTS, new Bytes(scratch.length + MARGIN));
    this.#enter(f);
    // The block of what is stored last is outermost.
    const exits = this.#exits.toSorted((a, b) => Number(b.chains) - Number(a.chains) || sizeOf(a.dirty) - sizeOf(b.dirty));
    const stored = noRegisters();
    for (const { dirty } of exits) add(stored, dirty);
    const shares = sizeOf(stored) <= MOST_SHARED;
    const labels: Record<string, Label> = {};
    for (const { name } of exits) labels[name] = f.openBlock();
    f.append(body, labels).op("unreachable");
    for (let i = exits.length - 1; i >= 0; i--) {
      f.closeBlock();
      this.#wayOut(f, exits, i, labels, shares);
    }
    f.op("unreachable");
    f.locals.push(...body.locals);
    // The largest ones run where no other region waits for them.
    return f.fill(FRAME, Math.min(frameBound(f), STACK_BYTES));
  }

  /**
   * Stores what a way out has to, and leaves. One that enters another region at once does so
   * without a detour, as loops over several regions go there in every turn; any other continues
   * with one that stores the rest of it.
   */
  #wayOut(
    f: FunctionBuilder,
    exits: readonly Exit[],
    index: number,
    labels: Readonly<Record<string, Label>>,
    shares: boolean,
  ): void {
    const { dirty, chains } = exits[index];
    let rest = chains || !shares ? -1 : index - 1;
    while (rest >= 0 && (exits[rest].chains || !includes(dirty, exits[rest].dirty))) rest--;
    if (rest >= 0) {
      const { name, dirty: stored } = exits[rest];
      this.#state.store(f, without(dirty, stored));
      if (rest < index - 1) f.br(labels[name]);
      return;
    }
    this.#state.store(f, dirty);
    f.get(this.#base).get(this.#offset).op("i64.extend_i32_s").op("i64.add").get(LEFT);
    if (chains) f.get(STACK).callLate(ENTER, true);
    else f.op("return");
  }

  /** Looks whether the region can run, and loads what it needs. */
  #enter(f: FunctionBuilder): void {
    const head = this.#blocks[0].first;
    f.get(ADDRESS).i64(-4 * head).op("i64.add").set(this.#base);
    f.i32(0).memory("i32.load", CPU.TLB).set(this.#tlb);
    const leave = () => void f.get(ADDRESS).get(LEFT).op("return"), leaveIf = () => f.ifLikely(false, leave);
    f.get(LEFT).i32(this.#longest[0]).op("i32.lt_s");
    leaveIf();
    if (this.#blocks.some(({ ending }) => ending.kind === "call") || frameBound(this.#body) > LEAF_BYTES) {
      f.get(STACK).i32Later(FRAME).op("i32.lt_s");
      leaveIf();
    }
    if (this.#blocks.some(({ instructions }) => instructions.some(({ usesVectors }) => usesVectors))) {
      f.i32(0).memory("i32.load", CPU.FP_TRAP);
      leaveIf();
    }
    for (const { offset, decoded } of this.options.neighbors) {
      // The address of the page, which is the tag as well.
      const page = () => f.get(this.#base).i64(-PAGE_SIZE).op("i64.and").i64(PAGE_SIZE * offset).op("i64.add");
      const entry = () => {
        page();
        f.op("i32.wrap_i64").i32(8).op("i32.shr_u").i32((TlbSet.FetchEntries - 1) * FetchEntry.Size).op("i32.and").get(this.#tlb).op(
          "i32.add",
        );
      };
      entry();
      f.memory("i64.load", TlbSet.Fetch + FetchEntry.Tag);
      page();
      // The region may be all that has code there, and go there seldom: it would never begin.
      f.op("i64.ne").ifLikely(false, () => {
        page();
        f.call(callee(this.library, "fetchableAt")).op("i32.eqz").if(leave);
      });
      entry();
      f.memory("i32.load", TlbSet.Fetch + FetchEntry.Decoded).i32Later(decoded).op("i32.ne");
      leaveIf();
    }
    this.#load(f, 0, leave);
  }

  /**
   * Loads what a node and those after it need, of a state that comes from elsewhere. `leave`, where
   * SP is not aligned: without SP there is no access by it.
   */
  #load(f: FunctionBuilder, node: number, leave: () => void): void {
    const needed = this.#data.needed[node];
    this.#state.load(f, needed);
    if (this.#keepsStackAligned && needed.general & generalBit(Slot.SP)) {
      // The local is tested: a load of its own takes longer, as SP is stored shortly before.
      f.get(this.#state.general(Slot.SP)).op("i32.wrap_i64").i32(SP_ALIGNMENT - 1).op("i32.and").ifLikely(false, leave);
    }
    if (this.#usesFast) emitFast(f, this.#fast);
    this.#ownKeptPages(f);
  }

  /** The blocks that a node dominates. Ramsey's doTree. */
  #tree(node: number, flags: KnownFlags | undefined): void {
    const f = this.#body, flow = this.#flow;
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
    const f = this.#body, { first, instructions, ending } = this.#blocks[node];
    if (!instructions.length) return this.#dispatch(node, before);
    const dirty = { ...this.#data.dirty[node] };
    let flags = before;
    let last: RegionEmitter | undefined, stackAligned = this.#keepsStackAligned;
    const groups = this.#groups[node], keeps = this.#keepPages.get(node);
    const memberAt = (i: number) => {
      const member = groups.get(i);
      return member && { ...member, wasmAddress: this.#groupAddresses[member.group.split] ??= f.local("i32") };
    };
    instructions.forEach((instruction, i) => {
      const leave = (known: KnownFlags | undefined) => {
        this.#spend(i);
        this.#leave(first + i, dirty, known, false);
      };
      this.#temporaries.releaseAll(flags?.locals);
      last = new RegionEmitter(instruction, this.#surroundings, this.#context, flags, first + i, {
        leave,
        member: memberAt(i),
        kept: keeps?.get(i),
        stackAligned,
      });
      last.emitBody();
      stackAligned = this.#keepsStackAligned || (stackAligned || instruction.basedOnStack) && keepsStackAlignment(instruction);
      flags = last.flagsAfter;
      add(dirty, instruction.use.written);
    });
    if (this.#stores[node]) {
      const late = this.#data.late[node];
      this.#state.store(f, without(dirty, late));
      keepOnly(dirty, late);
    }
    const emitter = last!, { branch } = instructions[instructions.length - 1];
    const count = instructions.length;
    const pushTarget = () => {
      if (branch?.kind !== "branchTo") throw new Error("an indirect branch has no address");
      emitter.emitValue(branch.address);
    };
    switch (ending.kind) {
      case "jump":
        this.#spend(count);
        // The code that follows without a branch is not part of the region because the interpreter
        // must execute it.
        this.#edge(node, ending.to, dirty, flags, branch !== undefined);
        break;
      case "condition":
        if (branch?.kind !== "branch" || !branch.condition) throw new Error("a block with a condition ends in no conditional branch");
        this.#spend(count);
        emitter.emitValue(branch.condition);
        f.openIf();
        this.#pending.push(() => void f.closeBlock(), () => {
          f.otherwise();
          this.#edge(node, ending.next, dirty, flags, true);
        });
        this.#edge(node, ending.to, dirty, flags, true);
        break;
      case "call":
        this.#spend(count);
        this.#state.store(f, dirty);
        settleFlags(f, flags);
        if (ending.to === undefined) pushTarget();
        else this.#address(ending.to);
        f.set(this.#answer);
        this.#call(node, ending.next, ending.to === undefined ? undefined : this.options.callees.get(ending.to));
        break;
      case "indirect": {
        pushTarget();
        f.set(this.#answer);
        const dispatcher = this.#dispatcherOf(ending);
        if (dispatcher !== undefined && this.#flow.successors[node].includes(dispatcher)) {
          this.#spend(count);
          this.#go(node, dispatcher, flags);
          break;
        }
        this.#switch(node, dirty, flags);
        this.#spend(count);
        this.#state.store(f, dirty);
        settleFlags(f, flags);
        this.#chain();
        break;
      }
      case "return":
        this.#spend(count);
        this.#state.store(f, dirty);
        settleFlags(f, flags);
        pushTarget();
        f.set(this.#answer);
        // Where no region waits for the return, execution continues there.
        f.get(STACK).i32(STACK_BYTES).op("i32.eq").ifLikely(false, () => this.#chain());
        f.get(this.#answer).get(LEFT).op("return");
        break;
    }
  }

  /** Ends in the region at the address in `#answer`; all state is in the CPU state. */
  #chain(): void {
    this.#body.get(this.#answer).get(LEFT).get(STACK).callLate(ENTER, true);
  }

  /** Calls the address in `#answer`, and continues after that. */
  #call(node: number, next: number, callee: Callee | undefined): void {
    const f = this.#body;
    const call = (name: string) => {
      f.get(this.#answer).get(LEFT).get(STACK).i32Later(FRAME).op("i32.sub").callLate(name).set(LEFT).set(this.#answer);
    };
    if (callee) {
      f.i32Later(callee.decoded).memory("i32.load16_u").i32Later(callee.handler).op("i32.eq");
      f.ifLikely(true, () => call(callee.name), () => call(ENTER));
    } else {
      emitFindAgain(f, this.#answer, this.#slot, next - 1);
      f.get(this.#slot).ifLikely(true, () => {
        f.get(this.#answer).get(LEFT).get(STACK).i32Later(FRAME).op("i32.sub").get(this.#slot);
        this.options.callIndirect(f);
        f.set(LEFT).set(this.#answer);
      });
    }
    f.get(this.#answer);
    this.#address(next);
    f.op("i64.ne").ifLikely(false, () => void f.get(this.#answer).get(LEFT).op("return"));
    const to = this.#nodes.get(next);
    if (to === undefined || !this.#flow.successors[node].includes(to)) {
      this.#chain();
      return;
    }
    f.get(LEFT).i32(this.#longest[to]).op("i32.lt_s");
    const leave = () => void f.get(this.#answer).get(LEFT).op("return");
    f.ifLikely(false, leave);
    this.#load(f, to, leave);
    this.#go(node, to, undefined);
  }

  /**
   * Forgets what is kept where another region has kept it, or where the interpreter was at work
   * since.
   */
  #ownKeptPages(f: FunctionBuilder): void {
    if (!this.#kept.length) return;
    f.i32(0).memory("i32.load", CPU.KEPT_BY).i32Later(this.options.handler).op("i32.ne").ifLikely(false, () => {
      f.i32(0).i32Later(this.options.handler).memory("i32.store", CPU.KEPT_BY);
      for (const kept of this.#kept) f.i32(0).i64(0).memory("i64.store", kept + KeptPage.Limit);
    });
  }

  /** Goes to the address in `#answer` where that is of the region. */
  #switch(node: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined): void {
    const f = this.#body, { first, instructions } = this.#blocks[node];
    const targets = this.#flow.successors[node];
    if (!targets.length) return;
    this.#jump(targets, (jump) => {
      f.get(LEFT).i32(instructions.length + this.#longestOf(targets)).op("i32.lt_s");
      f.ifLikely(false, () => {
        this.#spend(instructions.length - 1);
        this.#leave(first + instructions.length - 1, dirty, flags, false);
      });
      // The budget is counted for the way inside; the other one does it itself.
      f.block((elsewhere) => {
        this.#spend(instructions.length);
        if (targets.some((to) => this.#flagsNeeded[to])) settleFlags(f, flags);
        jump(elsewhere);
      });
      this.#spend(-instructions.length);
    });
  }

  /** The same where the branches by a table meet, which are counted. */
  #dispatch(node: number, flags: KnownFlags | undefined): void {
    const f = this.#body, targets = this.#flow.successors[node];
    settleFlags(f, flags);
    if (targets.length) {
      f.block((elsewhere) => {
        f.get(LEFT).i32(this.#longestOf(targets)).op("i32.lt_s").ifLikely(false, () => void f.br(elsewhere));
        this.#jump(targets, (jump) => jump(elsewhere));
      });
    }
    this.#state.store(f, this.#data.dirty[node]);
    this.#chain();
  }

  /**
   * Where the address in `#answer` is among these nodes `go` is emitted, and what that is given,
   * which jumps there or elsewhere.
   */
  #jump(targets: readonly number[], go: (jump: (elsewhere: Label) => void) => void): void {
    const f = this.#body, indices = targets.map((to) => this.#blocks[to].first);
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
        pushNumber();
        const labels = new Map(targets.map((to) => [this.#blocks[to].first, this.#labels.get(to)!]));
        f.op("i32.wrap_i64").brTable(Array.from({ length: size }, (_, i) => labels.get(low + i) ?? elsewhere), elsewhere);
      })
    );
  }

  /** The node that an indirect branch leads to where others go by the same table. */
  #dispatcherOf(ending: Ending): number | undefined {
    return ending.kind === "indirect" && ending.table !== undefined ? this.#dispatchers.get(ending.table) : undefined;
  }

  /**
   * Control goes from a node to an instruction. `chains`: an instruction outside of the region may
   * be one of another region.
   */
  #edge(from: number, index: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined, chains: boolean): void {
    const f = this.#body, flow = this.#flow;
    const to = this.#nodes.get(index);
    if (to === undefined || !flow.successors[from].includes(to)) return this.#leave(index, dirty, flags, chains);
    if (flow.isLoop[to]) {
      f.get(LEFT).i32(this.#longest[to]).op("i32.lt_s");
      f.ifLikely(false, () => this.#leave(index, dirty, flags, false));
    }
    this.#go(from, to, flags);
  }

  #go(from: number, to: number, flags: KnownFlags | undefined): void {
    const f = this.#body, flow = this.#flow;
    const isBack = flow.position[to] <= flow.position[from];
    const isMerge = isBack || flow.isLoop[to] || flow.forwardEdges[to] > 1;
    if (isMerge && this.#flagsNeeded[to]) settleFlags(f, flags);
    if (isBack || flow.forwardEdges[to] > 1) f.br(this.#labels.get(to)!);
    else this.#pending.push(() => this.#tree(to, isMerge ? undefined : flags));
  }

  /** Out of the region, at an instruction. */
  #leave(index: number, dirty: Readonly<RegisterSet>, flags: KnownFlags | undefined, chains: boolean): void {
    const f = this.#body;
    settleFlags(f, flags);
    if (sizeOf(dirty) > MOST_DIRECT) return void f.i32(4 * index).set(this.#offset).brOuter(this.#exitNamed(dirty, chains));
    this.#state.store(f, dirty);
    this.#address(index);
    f.get(LEFT);
    if (chains) f.get(STACK).callLate(ENTER, true);
    else f.op("return");
  }

  /** The name of the way out that stores these registers. */
  #exitNamed({ general, vector }: Readonly<RegisterSet>, chains: boolean): string {
    const exits = this.#exits;
    // Neighbors leave by the same one.
    for (let i = exits.length - 1; i >= 0; i--) {
      const { dirty, name } = exits[i];
      if (dirty.general === general && dirty.vector === vector && exits[i].chains === chains) return name;
    }
    const name = `exit${exits.length}`;
    exits.push({ name, dirty: { general, vector }, chains });
    return name;
  }

  #spend(count: number): void {
    if (count) this.#body.get(LEFT).i32(count).op("i32.sub").set(LEFT);
  }

  /** Puts the virtual address of an instruction on the stack. */
  #address(index: number): void {
    this.#body.get(this.#base).i64(4 * index).op("i64.add");
  }

  /** Whether flags that were set before a node may be read, if that is known of those after it. */
  #looksAtFlags(node: number): boolean {
    const { instructions, ending } = this.#blocks[node];
    for (const { use, mayLeave } of instructions) {
      if (use.readsFlags || mayLeave) return true;
      if (use.setsFlags) return false;
    }
    // The budget may be used up where a loop is entered.
    const flow = this.#flow, followers = successorsOf(ending);
    return ending.kind === "call" || ending.kind === "indirect" || followers.length === 0 ||
      followers.some((index) => {
        const to = this.#nodes.get(index);
        return to === undefined || !flow.successors[node].includes(to) || flow.isLoop[to] || this.#flagsNeeded[to];
      });
  }

  /** The longest of the ways from some nodes. */
  #longestOf(nodes: readonly number[]): number {
    return Math.max(...nodes.map((node) => this.#longest[node]));
  }

  /** `#longest` of a node, if that is known of those after it. */
  #longestFrom(node: number): number {
    const { instructions, ending } = this.#blocks[node];
    if (ending.kind === "call" || ending.kind === "indirect") return instructions.length;
    return instructions.length + Math.max(0, ...this.#flow.successors[node].map((to) => this.#flow.isLoop[to] ? 0 : this.#longest[to]));
  }
}

/**
 * Blocks without instructions where the indirect branches by the same table meet, by table: with an
 * edge from each of them to each of their targets the control flow would be irreducible.
 */
function dispatchersOf(blocks: readonly Block[]): ReadonlyMap<number, Block> {
  const dispatchers = new Map<number, Block>();
  for (const { ending } of blocks) {
    if (ending.kind !== "indirect" || ending.table === undefined) continue;
    dispatchers.set(ending.table, { first: Number.NaN, instructions: [], ending: { ...ending, table: undefined } });
  }
  return dispatchers;
}
