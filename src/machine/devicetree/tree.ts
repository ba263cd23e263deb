// A devicetree in memory: nodes with ordered properties and children, and the encodings of property
// values (Devicetree Specification 0.4, sections 2.2 and 2.3). `reader.ts` and `writer.ts` hold the
// flattened form.

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * A node. Property order and child order are kept, as consumers (and byte-exact tests) see both.
 *
 * ```ts
 * import { type DevicetreeNode, node } from "@el2/el2";
 *
 * const chosen: DevicetreeNode = node("chosen", { bootargs: "ticks=1" });
 * console.log(chosen.properties.size, chosen.children.length);
 * ```
 */
export interface DevicetreeNode {
  /** Name with unit address, as "memory@40000000"; empty for the root. */
  readonly name: string;
  /** Values by name. */
  readonly properties: Map<string, Uint8Array>;
  /** Nodes below it. */
  readonly children: DevicetreeNode[];
}

/**
 * One entry of the memory reservation block; both in bytes.
 *
 * ```ts
 * import { devicetree, type MemoryReservation, node } from "@el2/el2";
 *
 * const firmware: MemoryReservation = { address: 0x8000_0000n, size: 0x1000n };
 * devicetree(node("")).reservations.push(firmware);
 * ```
 */
export interface MemoryReservation {
  /** Its first byte. */
  readonly address: bigint;
  /** Bytes of it. */
  readonly size: bigint;
}

/**
 * A whole tree, with the other contents of the flattened form.
 *
 * ```ts
 * import { type Devicetree, devicetree, node } from "@el2/el2";
 *
 * const tree: Devicetree = devicetree(node(""));
 * tree.bootCpu = 1;
 * ```
 */
export interface Devicetree {
  /** The node without a name. */
  readonly root: DevicetreeNode;
  /** Memory that no kernel may use. */
  readonly reservations: MemoryReservation[];
  /** boot_cpuid_phys of the header. */
  bootCpu: number;
}

/**
 * Input of `node` for a property: raw bytes or one of the encodings below. `undefined` leaves the
 * property out.
 *
 * ```ts
 * import { node, type PropertyValue } from "@el2/el2";
 *
 * const reg: PropertyValue = [0, 0x8000_0000, 0, 0x20_0000];
 * node("memory@80000000", { device_type: "memory", reg });
 * ```
 */
export type PropertyValue = Uint8Array | string | readonly string[] | number | readonly number[] | true | undefined;

/**
 * Makes a node. Strings become NUL-terminated texts, numbers 32-bit big-endian cells, `true` an
 * empty property.
 *
 * ```ts
 * import { node } from "@el2/el2";
 *
 * const chosen = node("chosen", { bootargs: "ticks=1" });
 * const root = node("", { "#address-cells": 2, "dma-coherent": true }, [chosen]);
 * console.log(root.children.map(({ name }) => name));
 * ```
 *
 * @throws RangeError for a number that is not a 32-bit cell.
 */
export function node(name: string, properties: Record<string, PropertyValue> = {}, children: DevicetreeNode[] = []): DevicetreeNode {
  const made: DevicetreeNode = { name, properties: new Map(), children };
  setProperties(made, properties);
  return made;
}

/** Sets (or replaces, in place) properties of a node, encoded as by `node`. */
export function setProperties(target: DevicetreeNode, properties: Record<string, PropertyValue>): void {
  for (const [name, value] of Object.entries(properties)) {
    if (value !== undefined) target.properties.set(name, encodeProperty(value));
  }
}

function encodeProperty(value: Exclude<PropertyValue, undefined>): Uint8Array {
  if (value === true) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  if (typeof value === "string") return strings(value);
  if (typeof value === "number") return cells(value);
  return isTextList(value) ? strings(...value) : cells(...value);
}

function isTextList(value: readonly string[] | readonly number[]): value is readonly string[] {
  return typeof value[0] === "string";
}

/**
 * A tree without reservations, whose boot CPU is 0.
 *
 * ```ts
 * import { devicetree, node, writeDevicetree } from "@el2/el2";
 *
 * const bytes = writeDevicetree(devicetree(node("", { compatible: "linux,dummy-virt" })));
 * console.log(bytes.length);
 * ```
 */
export function devicetree(root: DevicetreeNode): Devicetree {
  return { root, reservations: [], bootCpu: 0 };
}

/**
 * Big-endian 32-bit cells.
 * @throws RangeError for a value outside 0..2^32-1.
 */
export function cells(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError(`${value} is not a 32-bit cell`);
    view.setUint32(index * 4, value);
  });
  return bytes;
}

/** Big-endian 64-bit numbers, two cells each. */
export function cells64(...values: (number | bigint)[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setBigUint64(index * 8, BigInt(value)));
  return bytes;
}

/** NUL-terminated texts, one after the other. */
export function strings(...texts: string[]): Uint8Array {
  return textEncoder.encode(texts.map((text) => `${text}\0`).join(""));
}

/** The property as one 32-bit cell; undefined if it is absent or has another length. */
export function readCell(source: DevicetreeNode, property: string): number | undefined {
  const bytes = source.properties.get(property);
  return bytes?.length === 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) : undefined;
}

/** The property as 32-bit cells; undefined if it is absent or no whole number of cells. */
export function readCells(source: DevicetreeNode, property: string): number[] | undefined {
  const bytes = source.properties.get(property);
  if (bytes === undefined || bytes.length % 4 !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
}

/**
 * The property as one number of `width` (1 or 2) cells; undefined if it is absent or has another
 * length.
 */
export function readNumber(source: DevicetreeNode, property: string, width: number): bigint | undefined {
  const value = readCells(source, property);
  if (value === undefined || value.length !== width || width < 1 || width > 2) return undefined;
  return width === 1 ? BigInt(value[0]) : (BigInt(value[0]) << 32n) | BigInt(value[1]);
}

/**
 * The property as NUL-terminated texts; undefined if it is absent, empty or lacks the last NUL.
 */
export function readStrings(source: DevicetreeNode, property: string): string[] | undefined {
  const bytes = source.properties.get(property);
  if (bytes === undefined || bytes.length === 0 || bytes[bytes.length - 1] !== 0) return undefined;
  return textDecoder.decode(bytes.subarray(0, bytes.length - 1)).split("\0");
}

/** The first text of the property. */
export function readString(source: DevicetreeNode, property: string): string | undefined {
  return readStrings(source, property)?.[0];
}

/**
 * Pairs of `reg`-like properties: addresses of `addressCells` cells, sizes of `sizeCells` cells;
 * undefined if the length does not fit.
 */
export function readRanges(
  source: DevicetreeNode,
  property: string,
  addressCells: number,
  sizeCells: number,
): { address: bigint; size: bigint }[] | undefined {
  const value = readCells(source, property);
  const stride = addressCells + sizeCells;
  if (value === undefined || stride === 0 || value.length % stride !== 0) return undefined;
  const number = (at: number, count: number) => value.slice(at, at + count).reduce((sum, cell) => (sum << 32n) | BigInt(cell), 0n);
  return Array.from({ length: value.length / stride }, (_, index) => ({
    address: number(index * stride, addressCells),
    size: number(index * stride + addressCells, sizeCells),
  }));
}

/** #address-cells and #size-cells that a node gives its children; 2 and 1 where absent. */
export function cellSizes(parent: DevicetreeNode): { addressCells: number; sizeCells: number } {
  return { addressCells: readCell(parent, "#address-cells") ?? 2, sizeCells: readCell(parent, "#size-cells") ?? 1 };
}

/**
 * The node at an absolute path. A component without unit address finds a child with one when no
 * child has the bare name, as libfdt does.
 */
export function findNode(root: DevicetreeNode, path: string): DevicetreeNode | undefined {
  let current: DevicetreeNode | undefined = root;
  for (const component of path.split("/")) {
    if (component === "") continue;
    current = findChild(current, component);
    if (current === undefined) return undefined;
  }
  return current;
}

/** A child by its name, or by its name before "@" where `name` has no unit address. */
export function findChild(parent: DevicetreeNode, name: string): DevicetreeNode | undefined {
  const exact = parent.children.find((child) => child.name === name);
  if (exact !== undefined || name.includes("@")) return exact;
  return parent.children.find((child) => child.name.startsWith(`${name}@`));
}

/** The node at an absolute path; missing nodes are added without properties. */
export function ensureNode(root: DevicetreeNode, path: string): DevicetreeNode {
  let current = root;
  for (const component of path.split("/")) {
    if (component === "") continue;
    let child = findChild(current, component);
    if (child === undefined) {
      child = node(component);
      current.children.push(child);
    }
    current = child;
  }
  return current;
}

/**
 * All nodes in document order with their paths and parents; the root has path "/" and no parent.
 */
export function* walk(
  root: DevicetreeNode,
): Generator<{ node: DevicetreeNode; path: string; parent: DevicetreeNode | undefined; depth: number }> {
  // A stack of our own: the depth of a tree that came from a guest is the guest's choice.
  const pending: { node: DevicetreeNode; path: string; parent: DevicetreeNode | undefined; depth: number }[] = [
    { node: root, path: "/", parent: undefined, depth: 0 },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next;
    const { node: parent, path, depth } = next;
    for (let index = parent.children.length - 1; index >= 0; index--) {
      const child = parent.children[index];
      pending.push({ node: child, path: `${path === "/" ? "" : path}/${child.name}`, parent, depth: depth + 1 });
    }
  }
}

/** The phandle of a node, from `phandle` or the older `linux,phandle`. */
export function phandleOf(source: DevicetreeNode): number | undefined {
  return readCell(source, "phandle") ?? readCell(source, "linux,phandle");
}

export function findPhandle(root: DevicetreeNode, phandle: number): DevicetreeNode | undefined {
  for (const { node: candidate } of walk(root)) if (phandleOf(candidate) === phandle) return candidate;
  return undefined;
}

/** The greatest phandle in use; 0 in a tree without. New phandles are given above it. */
export function maxPhandle(root: DevicetreeNode): number {
  let greatest = 0;
  for (const { node: candidate } of walk(root)) {
    const phandle = phandleOf(candidate) ?? 0;
    // 0 and 0xffffffff are reserved and name nothing.
    if (phandle !== 0xffff_ffff && phandle > greatest) greatest = phandle;
  }
  return greatest;
}
