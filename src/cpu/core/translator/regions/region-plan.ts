// Facts about a region that its code follows from: the order of its blocks, the registers that they
// need and leave, groups of accesses, and how far it is to the next check of the budget.

import { accessGroups, type GroupMember, keepsStackAlignment } from "./access-groups.ts";
import { type ControlFlow, controlFlow } from "./control-flow.ts";
import { type DataFlow, dataFlow } from "./data-flow.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { accessesThatKeepPages } from "./kept-pages.ts";
import { type Block, type Ending, successorsOf } from "./region.ts";
import { add, noRegisters, without } from "../code/register-use.ts";

/** A region's blocks are nodes, by their order. */
export class RegionPlan {
  /** The blocks of the region, and after them its dispatchers (`dispatchersOf`). */
  readonly blocks: readonly Block[];
  readonly flow: ControlFlow;
  readonly data: DataFlow;
  /** Whether a node is in a loop of the region. */
  readonly inLoop: readonly boolean[];
  /**
   * Blocks that store their registers at their ends, but those that are stored later anyway. Blocks
   * outside of loops do: it costs little there, and all ways out after them have less to store.
   */
  readonly stores: readonly boolean[];
  /** Of the accesses of each node; and the accesses that keep their pages, by node and index. */
  readonly groups: readonly ReadonlyMap<number, GroupMember>[];
  readonly keepPages: ReadonlyMap<number, ReadonlyMap<number, number>>;
  /** How many these are. */
  readonly keptPages: number;
  readonly calls: boolean;
  readonly usesVectors: boolean;
  /** It has exclusive or atomic accesses. */
  readonly usesAtomics: boolean;
  /** It has floating-point arithmetic that is expanded inline. */
  readonly usesFast: boolean;
  /**
   * SP is aligned wherever an instruction of the region begins: that is checked where SP comes from
   * elsewhere. False if accesses by SP check it, as the region changes SP in other ways than by
   * multiples of its alignment.
   */
  readonly keepsStackAligned: boolean;
  /** By node: instructions on the longest path from it to the next check of the budget; */
  readonly longest: readonly number[];
  /** whether flags that were set before it may be read. */
  readonly needsFlags: readonly boolean[];
  /** By the number of a block's first instruction. */
  readonly #nodes: ReadonlyMap<number, number>;
  /** By the table. */
  readonly #dispatchers = new Map<number, number>();

  /**
   * @param checksBranches whether something of the budget must be left after an indirect branch, as
   * the interpreter keeps its type where it is the last instruction
   */
  constructor(regionBlocks: readonly Block[], readonly checksBranches: boolean) {
    this.#nodes = new Map(regionBlocks.map(({ first }, node) => [first, node]));
    const dispatchers = dispatchersOf(regionBlocks);
    [...dispatchers.keys()].forEach((table, i) => this.#dispatchers.set(table, regionBlocks.length + i));
    const blocks = this.blocks = [...regionBlocks, ...dispatchers.values()];
    const graph = blocks.map(({ ending }) => {
      const dispatcher = this.#dispatcherOf(ending);
      if (dispatcher !== undefined) return [dispatcher];
      return successorsOf(ending).map((index) => this.#nodes.get(index)).filter((node) => node !== undefined);
    });
    const flow = this.flow = controlFlow(graph, new Set(blocks.flatMap(({ ending }, node) => ending.kind === "indirect" ? [node] : [])));
    const order = blocks.map((_, node) => node).filter((node) => flow.position[node] >= 0)
      .sort((a, b) => flow.position[a] - flow.position[b]);
    this.groups = blocks.map(({ instructions }) => accessGroups(instructions));
    this.keepPages = accessesThatKeepPages(blocks, flow, this.groups);
    this.keptPages = this.keepPages.values().reduce((sum, { size }) => sum + size, 0);
    const inLoop: boolean[] = this.inLoop = blocks.map(() => false);
    for (const loop of flow.loops) for (const node of loop) inLoop[node] = true;
    this.stores = blocks.map(({ instructions }, node) => instructions.length > 0 && !inLoop[node]);
    this.data = dataFlow(this.#flowBlocks(), order);
    const has = (property: (instruction: RegionInstruction) => boolean) => blocks.some(({ instructions }) => instructions.some(property));
    this.calls = blocks.some(({ ending }) => ending.kind === "call");
    this.usesAtomics = has(({ isAtomic }) => isAtomic);
    this.usesVectors = has(({ usesVectors }) => usesVectors);
    this.usesFast = has(({ inlinesFloat }) => inlinesFloat);
    this.keepsStackAligned = has(({ basedOnStack }) => basedOnStack) && !has((instruction) => !keepsStackAlignment(instruction));
    const longest: number[] = this.longest = [], needsFlags: boolean[] = this.needsFlags = [];
    // Paths between checks of the budget have no back edge: what follows a node comes after it.
    for (const node of order.toReversed()) {
      longest[node] = this.#longestFrom(node);
      needsFlags[node] = this.#looksAtFlags(node);
    }
  }

  /** The node that control from another one goes to at an instruction, if that is in the region. */
  target(from: number, index: number): number | undefined {
    const to = this.#nodes.get(index);
    return to !== undefined && this.flow.successors[from].includes(to) ? to : undefined;
  }

  /** The node that an indirect branch at the end of one leads to where others go by its table. */
  dispatcher(from: number): number | undefined {
    const to = this.#dispatcherOf(this.blocks[from].ending);
    return to !== undefined && this.flow.successors[from].includes(to) ? to : undefined;
  }

  /** The longest of the ways from some nodes. */
  longestOf(nodes: readonly number[]): number {
    return Math.max(...nodes.map((node) => this.longest[node]));
  }

  #dispatcherOf(ending: Ending): number | undefined {
    return ending.kind === "indirect" && ending.table !== undefined ? this.#dispatchers.get(ending.table) : undefined;
  }

  #flowBlocks() {
    return this.blocks.map(({ instructions, ending }, node) => {
      const read = noRegisters(), written = noRegisters();
      for (const { use } of instructions) {
        add(read, without(use.read, written));
        add(written, use.written);
      }
      return { read, written, stores: this.stores[node], successors: ending.kind === "call" ? [] : this.flow.successors[node] };
    });
  }

  /** `longest` of a node, if that is known of those after it. */
  #longestFrom(node: number): number {
    const { instructions, ending } = this.blocks[node], { successors, isLoop } = this.flow;
    const isTyped = ending.kind === "indirect" || ending.kind === "call" && ending.to === undefined;
    if (isTyped && this.checksBranches) return instructions.length + 1;
    if (ending.kind === "call" || ending.kind === "indirect") return instructions.length;
    return instructions.length + Math.max(0, ...successors[node].map((to) => isLoop[to] ? 0 : this.longest[to]));
  }

  /** `needsFlags` of a node, if that is known of those after it. */
  #looksAtFlags(node: number): boolean {
    const { instructions, ending } = this.blocks[node];
    for (const { use, mayLeave } of instructions) {
      if (use.readsFlags || mayLeave) return true;
      if (use.setsFlags) return false;
    }
    const followers = successorsOf(ending);
    if (ending.kind === "call" || ending.kind === "indirect" || followers.length === 0) return true;
    return followers.some((index) => {
      const to = this.target(node, index);
      // The budget may be used up where a loop is entered.
      return to === undefined || this.flow.isLoop[to] || this.needsFlags[to];
    });
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
