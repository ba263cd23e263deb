// A flame graph: boxes as wide as their shares, each above its callees, the widest first; and the
// cells that they take.

/** A frame: a VM, function, line, process or wait, and what it leads to. */
export interface FlameFrame {
  readonly name: string;
  /** Samples, instructions or nanoseconds, with those of its callees. */
  weight: number;
  readonly callees: FlameFrame[];
}

/** A frame in the cells of its row. */
export interface FlameBox {
  readonly frame: FlameFrame;
  readonly parent: FlameBox | undefined;
  /** Name of the frame below the root that leads to it; undefined for the root. */
  readonly vm: string | undefined;
  readonly row: number;
  readonly x: number;
  readonly width: number;
  /** Its number among the callees of its parent. */
  readonly index: number;
}

/** The tree of paths with their weights, from the outermost frame on; the heaviest come first. */
export function flameOf(paths: Iterable<readonly [names: readonly string[], weight: number]>): FlameFrame {
  const root: FlameFrame = { name: "all", weight: 0, callees: [] }, known = new Map<FlameFrame, Map<string, FlameFrame>>();
  for (const [names, weight] of paths) {
    root.weight += weight;
    let frame = root;
    for (const name of names) {
      const callees = known.get(frame) ?? new Map<string, FlameFrame>(), callee = callees.get(name) ?? { name, weight: 0, callees: [] };
      if (!callees.has(name)) frame.callees.push(callee);
      known.set(frame, callees.set(name, callee));
      callee.weight += weight;
      frame = callee;
    }
  }
  const waiting = [root];
  for (let frame = waiting.pop(); frame; frame = waiting.pop()) {
    frame.callees.sort((a, b) => b.weight - a.weight || (a.name < b.name ? -1 : 1));
    waiting.push(...frame.callees);
  }
  return root;
}

/**
 * The boxes of a frame in so many columns: its ancestors and itself take all of them. Frames that
 * are narrower than a cell are left out.
 */
export function flameBoxes(path: readonly FlameFrame[], columns: number): FlameBox[] {
  const boxes: FlameBox[] = [];
  const push = (parent: FlameBox | undefined, frame: FlameFrame, cells: Pick<FlameBox, "x" | "width" | "index">): FlameBox => {
    const vm = parent?.parent ? parent.vm : parent && frame.name;
    const box = { frame, parent, vm, row: parent ? parent.row + 1 : 0, ...cells };
    boxes.push(box);
    return box;
  };
  const below = (box: FlameBox) => {
    const { frame, x: from, width: all } = box;
    let at = from;
    frame.callees.forEach((callee, index) => {
      const end = at + all * callee.weight / Math.max(frame.weight, 1), x = Math.round(at), width = Math.round(end) - x;
      at = end;
      if (width > 0) below(push(box, callee, { x, width, index }));
    });
  };
  let zoomed: FlameBox | undefined;
  for (const frame of path) zoomed = push(zoomed, frame, { x: 0, width: columns, index: 0 });
  if (zoomed) below(zoomed);
  return boxes;
}
