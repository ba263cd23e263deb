// Applies a devicetree overlay to a tree (devicetree overlays as dtc writes them and libfdt applies
// them): fragments with `target-path` or `target`, whose `__overlay__` is merged into the target;
// phandles of the overlay are renumbered after those of the base tree, and `__local_fixups__` and
// `__fixups__` are applied.

import {
  type DevicetreeNode,
  findChild,
  findNode,
  findPhandle,
  maxPhandle,
  node,
  phandleOf,
  readCell,
  readString,
  readStrings,
  setProperties,
  walk,
} from "./tree.ts";

/**
 * Done, or which fragment or reference cannot be applied. A failed overlay may have left some
 * fragments applied: apply to a copy.
 */
type OverlayResult = { ok: true } | { ok: false; problem: string };

/** 0xffffffff names nothing. */
const PHANDLE_MAX = 0xffff_fffe;
const NO_PHANDLE = "a phandle would leave its 32 bits";

/** An overlay that is built in memory: a fragment per target path. */
export class OverlayBuilder {
  readonly root: DevicetreeNode = node("");

  /**
   * Adds a fragment and returns its `__overlay__`, whose properties and children will be merged
   * into `targetPath`.
   */
  fragment(targetPath: string): DevicetreeNode {
    const overlay = node("__overlay__");
    this.root.children.push(node(`fragment@${this.root.children.length}`, { "target-path": targetPath }, [overlay]));
    return overlay;
  }
}

/** Deep copy of a node; property bytes are shared, as they are never changed in place. */
export function copyNode(source: DevicetreeNode): DevicetreeNode {
  return { name: source.name, properties: new Map(source.properties), children: source.children.map(copyNode) };
}

/** Merges `overlay` into `base`. The overlay itself is left as it is. */
export function applyOverlay(base: DevicetreeNode, overlay: DevicetreeNode): OverlayResult {
  const moved = copyNode(overlay);
  const problem = movePhandles(moved, maxPhandle(base)) ?? resolveSymbols(base, moved);
  if (problem !== undefined) return { ok: false, problem };
  for (const fragment of moved.children) {
    const content = findChild(fragment, "__overlay__");
    if (content === undefined) continue;
    const target = findTarget(base, fragment);
    if (target === undefined) return { ok: false, problem: `${fragment.name}: the target does not exist` };
    merge(target, content);
  }
  return { ok: true };
}

function findTarget(base: DevicetreeNode, fragment: DevicetreeNode): DevicetreeNode | undefined {
  const phandle = readCell(fragment, "target");
  if (phandle !== undefined) return findPhandle(base, phandle);
  const path = readString(fragment, "target-path");
  return path === undefined ? undefined : findNode(base, path);
}

function merge(target: DevicetreeNode, content: DevicetreeNode): void {
  for (const [name, value] of content.properties) target.properties.set(name, value);
  for (const child of content.children) {
    const existing = target.children.find((candidate) => candidate.name === child.name);
    if (existing === undefined) target.children.push(copyNode(child));
    else merge(existing, child);
  }
}

/**
 * Moves every phandle of the overlay, and every reference that `__local_fixups__` lists, up by
 * `delta`.
 */
function movePhandles(overlay: DevicetreeNode, delta: number): string | undefined {
  if (delta === 0) return undefined;
  for (const { node: candidate } of walk(overlay)) {
    const phandle = phandleOf(candidate);
    if (phandle === undefined) continue;
    if (phandle + delta > PHANDLE_MAX) return NO_PHANDLE;
    for (const name of ["phandle", "linux,phandle"]) {
      if (candidate.properties.has(name)) setProperties(candidate, { [name]: phandle + delta });
    }
  }
  const fixups = findChild(overlay, "__local_fixups__");
  return fixups === undefined ? undefined : moveReferences(overlay, fixups, delta);
}

function moveReferences(target: DevicetreeNode, fixups: DevicetreeNode, delta: number): string | undefined {
  for (const [name, offsets] of fixups.properties) {
    const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.length);
    for (let at = 0; at + 4 <= offsets.length; at += 4) {
      const problem = patchCell(target, name, view.getUint32(at), (value) => value + delta);
      if (problem !== undefined) return problem;
    }
  }
  for (const child of fixups.children) {
    const inner = findChild(target, child.name);
    if (inner === undefined) return `__local_fixups__ names ${child.name}, which does not exist`;
    const problem = moveReferences(inner, child, delta);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/**
 * Writes the phandles of the base tree's labels (`__symbols__`) where `__fixups__` asks for them.
 */
function resolveSymbols(base: DevicetreeNode, overlay: DevicetreeNode): string | undefined {
  const fixups = findChild(overlay, "__fixups__");
  if (fixups === undefined) return undefined;
  const symbols = findChild(base, "__symbols__");
  for (const label of fixups.properties.keys()) {
    const path = symbols === undefined ? undefined : readString(symbols, label);
    const labelled = path === undefined ? undefined : findNode(base, path);
    if (labelled === undefined) return `the label ${label} is not in the base tree`;
    let phandle = phandleOf(labelled);
    if (phandle === undefined) {
      phandle = Math.max(maxPhandle(base), maxPhandle(overlay)) + 1;
      if (phandle > PHANDLE_MAX) return NO_PHANDLE;
      setProperties(labelled, { phandle });
    }
    for (const place of readStrings(fixups, label) ?? []) {
      const [nodePath, property, offset] = place.split(":");
      const target = findNode(overlay, nodePath);
      const value = phandle;
      const problem = target === undefined
        ? `__fixups__ names ${nodePath}, which does not exist`
        : patchCell(target, property, /^\d+$/.test(offset ?? "") ? Number(offset) : NaN, () => value);
      if (problem !== undefined) return problem;
    }
  }
  return undefined;
}

function patchCell(target: DevicetreeNode, property: string, offset: number, change: (value: number) => number): string | undefined {
  const bytes = target.properties.get(property)?.slice();
  if (bytes === undefined || !(Number.isInteger(offset) && offset >= 0 && offset + 4 <= bytes.length)) {
    return `a fix-up lies outside property ${property} of ${target.name}`;
  }
  const view = new DataView(bytes.buffer);
  const changed = change(view.getUint32(offset));
  if (changed > PHANDLE_MAX) return NO_PHANDLE;
  view.setUint32(offset, changed);
  target.properties.set(property, bytes);
  return undefined;
}
