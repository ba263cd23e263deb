// The order in which the blocks of a region are emitted, so that Wasm's structured control flow can
// express it: reverse postorder, dominators, loop headers and merges. After Ramsey, "Beyond
// Relooper" (2022).

/**
 * A reducible control-flow graph. Nodes are numbered from 0, the entry, and all of them are
 * reachable.
 */
export interface ControlFlow {
  /**
   * Successors that are in the graph. Edges into a loop other than to its header are not: they
   * leave the region.
   */
  readonly successors: readonly (readonly number[])[];
  /** Position of a node in reverse postorder, -1 for nodes that are not reached. */
  readonly position: readonly number[];
  /** Nodes that a node dominates immediately, in reverse postorder. */
  readonly children: readonly (readonly number[])[];
  /**
   * Number of edges into a node that do not go back; one of a switch counts twice, as it needs a
   * label.
   */
  readonly forwardEdges: readonly number[];
  readonly isLoop: readonly boolean[];
  /** The nodes of each loop; its header comes first. */
  readonly loops: readonly ReadonlySet<number>[];
}

/**
 * Analyzes a graph; edges that make it irreducible are taken out. `switches` are nodes that jump by
 * a table.
 */
export function controlFlow(graph: readonly (readonly number[])[], switches: ReadonlySet<number> = new Set()): ControlFlow {
  let successors: readonly (readonly number[])[] = graph;
  for (;;) {
    const order = reversePostorder(successors);
    const position = new Array<number>(graph.length).fill(-1);
    order.forEach((node, index) => position[node] = index);
    const dominator = dominators(successors, order, position);
    const dominates = (a: number, b: number) => {
      while (position[b] > position[a]) b = dominator[b];
      return a === b;
    };
    const isBack = (from: number, to: number) => position[to] <= position[from];
    const kept = successors.map((list, from) => list.filter((to) => position[from] >= 0 && (!isBack(from, to) || dominates(to, from))));
    const changed = kept.some((list, from) => position[from] >= 0 && list.length !== successors[from].length);
    successors = kept;
    if (changed) continue;
    const children = graph.map((): number[] => []), forwardEdges = graph.map(() => 0), isLoop = graph.map(() => false);
    for (const node of order) {
      if (node !== 0) children[dominator[node]].push(node);
      for (const to of successors[node]) {
        if (isBack(node, to)) isLoop[to] = true;
        else forwardEdges[to] += switches.has(node) ? 2 : 1;
      }
    }
    return { successors, position, children, forwardEdges, isLoop, loops: loopsOf(successors, position, isLoop) };
  }
}

/** The natural loops of a reducible graph. */
function loopsOf(successors: readonly (readonly number[])[], position: readonly number[], isLoop: readonly boolean[]): Set<number>[] {
  if (!isLoop.includes(true)) return [];
  const predecessors = predecessorsOf(successors), loops: Set<number>[] = [];
  isLoop.forEach((is, header) => {
    if (!is) return;
    const body = new Set([header]), pending = predecessors[header].filter((from) => position[from] >= position[header]);
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      if (body.has(node)) continue;
      body.add(node);
      pending.push(...predecessors[node]);
    }
    loops.push(body);
  });
  return loops;
}

function predecessorsOf(successors: readonly (readonly number[])[]): number[][] {
  const predecessors = successors.map((): number[] => []);
  successors.forEach((list, from) => {
    for (const to of list) predecessors[to].push(from);
  });
  return predecessors;
}

function reversePostorder(successors: readonly (readonly number[])[]): number[] {
  const order: number[] = [], seen = new Set([0]);
  const stack = [{ node: 0, next: 0 }];
  while (stack.length) {
    const top = stack[stack.length - 1];
    const to = successors[top.node][top.next++];
    if (to === undefined) {
      order.push(top.node);
      stack.pop();
    } else if (!seen.has(to)) {
      seen.add(to);
      stack.push({ node: to, next: 0 });
    }
  }
  return order.reverse();
}

/** Immediate dominators. Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm". */
function dominators(successors: readonly (readonly number[])[], order: readonly number[], position: readonly number[]): number[] {
  const predecessors = successors.map((): number[] => []);
  for (const node of order) for (const to of successors[node]) predecessors[to].push(node);
  const dominator = new Array<number>(successors.length).fill(-1);
  dominator[0] = 0;
  for (let changed = true; changed;) {
    changed = false;
    for (const node of order) {
      if (node === 0) continue;
      let common = -1;
      for (const from of predecessors[node]) {
        if (dominator[from] < 0) continue;
        if (common < 0) common = from;
        let other = from;
        while (common !== other) {
          if (position[common] > position[other]) common = dominator[common];
          else other = dominator[other];
        }
      }
      if (dominator[node] !== common) {
        dominator[node] = common;
        changed = true;
      }
    }
  }
  return dominator;
}
