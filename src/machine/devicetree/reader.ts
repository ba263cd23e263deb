// Reads a flattened devicetree (Devicetree Specification 0.4, section 5). The bytes may come from a
// guest: every offset is checked, the work is bounded by the size of the input, and a bad tree is a
// result, not an exception.

import {
  alignToken,
  FDT_HEADER_SIZE,
  FDT_LAST_COMPATIBLE_VERSION,
  FDT_MAGIC,
  FDT_RESERVATION_SIZE,
  FDT_VERSION,
  FdtHeader,
  FdtToken,
} from "./format.ts";
import { type Devicetree, type DevicetreeNode, type MemoryReservation, node } from "./tree.ts";

/** A tree, or the defect of the bytes and its offset from the start of the blob. */
type ReadResult = { ok: true; tree: Devicetree } | { ok: false; problem: string; offset: number };

/**
 * Longest name, bytes. Real ones have 31; without a limit, names that overlap in the strings block
 * would cost its square.
 */
const NAME_MAX = 255;

/** Where a node and its properties are in a blob: bytes from its start to the token. */
export interface NodePlace {
  readonly offset: number;
  readonly properties: Map<string, number>;
}

/** Depth at which reading stops: real devicetrees are not as deep. */
const MAX_DEPTH = 64;

/** Carries the problem out of nested reading; never leaves this file. */
class Malformed extends Error {
  constructor(readonly problem: string, readonly offset: number) {
    super(problem);
  }
}

/**
 * Reads a tree. Properties are copies: the input may change afterwards.
 * @param places notes the position of each node, if given.
 */
export function readDevicetree(bytes: Uint8Array, places?: Map<DevicetreeNode, NodePlace>): ReadResult {
  try {
    return { ok: true, tree: read(bytes, places) };
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, problem: error.problem, offset: error.offset };
    throw error;
  }
}

/**
 * Total size that the header of a blob claims; undefined without the header of a flattened tree.
 */
export function devicetreeSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < FDT_HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(FdtHeader.magic) === FDT_MAGIC ? view.getUint32(FdtHeader.totalsize) : undefined;
}

/**
 * The bytes of a tree in a memory of which `read` gives the first bytes; undefined where none is,
 * or one larger than `largest`.
 */
export function blobFrom(read: (size: number) => Uint8Array | undefined, largest: number): Uint8Array | undefined {
  const header = read(FDT_HEADER_SIZE), size = header && devicetreeSize(header);
  return size !== undefined && size <= largest ? read(size) : undefined;
}

function read(bytes: Uint8Array, places: Map<DevicetreeNode, NodePlace> | undefined): Devicetree {
  if (bytes.length < FDT_HEADER_SIZE) throw new Malformed("the blob is shorter than a header", bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = (field: keyof typeof FdtHeader) => view.getUint32(FdtHeader[field]);
  if (header("magic") !== FDT_MAGIC) throw new Malformed("not a flattened devicetree: the magic word is missing", FdtHeader.magic);
  if (header("version") < FDT_LAST_COMPATIBLE_VERSION || header("last_comp_version") > FDT_VERSION) {
    throw new Malformed(`version ${header("version")} is not supported`, FdtHeader.version);
  }
  const total = header("totalsize");
  if (total > bytes.length || total < FDT_HEADER_SIZE) {
    throw new Malformed(`totalsize ${total} exceeds the ${bytes.length} bytes given`, FdtHeader.totalsize);
  }
  const stringsEnd = header("off_dt_strings") + header("size_dt_strings");
  if (stringsEnd > total) throw new Malformed("the strings block ends outside the blob", FdtHeader.off_dt_strings);
  // Version 16 has no size of the structure block: it ends with the blob.
  const structSize = header("version") >= 17 ? header("size_dt_struct") : total - header("off_dt_struct");
  const structEnd = header("off_dt_struct") + structSize;
  if (structSize < 0 || structEnd > total) throw new Malformed("the structure block ends outside the blob", FdtHeader.off_dt_struct);
  if (header("off_dt_struct") % 4 !== 0) throw new Malformed("the structure block is not aligned", FdtHeader.off_dt_struct);

  return {
    root: readStructure({
      bytes,
      view,
      start: header("off_dt_struct"),
      end: structEnd,
      stringsStart: header("off_dt_strings"),
      stringsEnd,
    }, places),
    reservations: readReservations(view, header("off_mem_rsvmap"), total),
    bootCpu: header("boot_cpuid_phys"),
  };
}

function readReservations(view: DataView, start: number, end: number): MemoryReservation[] {
  const reservations: MemoryReservation[] = [];
  if (start > end) throw new Malformed("the memory reservation block begins outside the blob", FdtHeader.off_mem_rsvmap);
  for (let offset = start;; offset += FDT_RESERVATION_SIZE) {
    if (offset + FDT_RESERVATION_SIZE > end) throw new Malformed("the memory reservation block has no end", offset);
    const address = view.getBigUint64(offset);
    const size = view.getBigUint64(offset + 8);
    if (address === 0n && size === 0n) return reservations;
    reservations.push({ address, size });
  }
}

/** A blob, and where its structure block and its strings block begin and end. */
interface Blocks {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  readonly stringsStart: number;
  readonly stringsEnd: number;
}

function readStructure(
  { bytes, view, start, end, stringsStart, stringsEnd }: Blocks,
  places: Map<DevicetreeNode, NodePlace> | undefined,
): DevicetreeNode {
  const open: DevicetreeNode[] = [];
  const names = new Map<number, string>();
  let root: DevicetreeNode | undefined;
  let offset = start;

  const word = () => {
    if (offset + 4 > end) throw new Malformed("the structure block ends inside a token", offset);
    const value = view.getUint32(offset);
    offset += 4;
    return value;
  };
  const name = (at: number) => {
    if (stringsStart + at >= stringsEnd) throw new Malformed("a property name lies outside the strings block", offset);
    let text = names.get(at);
    if (text === undefined) names.set(at, text = readText(bytes, stringsStart + at, stringsEnd));
    return text;
  };

  for (;;) {
    const at = offset;
    switch (word()) {
      case FdtToken.NOP:
        break;
      case FdtToken.BEGIN_NODE: {
        const parent = open.at(-1);
        if (parent === undefined && root !== undefined) throw new Malformed("there is a second root node", at);
        if (open.length === MAX_DEPTH) throw new Malformed(`nodes are nested deeper than ${MAX_DEPTH}`, at);
        const text = readText(bytes, offset, end);
        if (parent !== undefined && (text === "" || text.includes("/"))) throw new Malformed("a node has no valid name", at);
        offset = alignToken(offset + text.length + 1);
        const begun = node(parent === undefined ? "" : text);
        places?.set(begun, { offset: at, properties: new Map() });
        if (parent === undefined) root = begun;
        else parent.children.push(begun);
        open.push(begun);
        break;
      }
      case FdtToken.END_NODE:
        if (open.pop() === undefined) throw new Malformed("a node ends that did not begin", at);
        break;
      case FdtToken.PROP: {
        const length = word();
        const key = name(word());
        const owner = open.at(-1);
        if (owner === undefined) throw new Malformed("a property lies outside all nodes", at);
        if (offset + length > end) throw new Malformed(`property ${key} ends outside the structure block`, at);
        if (owner.children.length > 0) throw new Malformed(`property ${key} follows a child node`, at);
        places?.get(owner)?.properties.set(key, at);
        owner.properties.set(key, bytes.slice(offset, offset + length));
        offset = alignToken(offset + length);
        break;
      }
      case FdtToken.END:
        if (root === undefined || open.length > 0) throw new Malformed("the structure block ends inside a node", at);
        return root;
      default:
        throw new Malformed("there is an unknown token", at);
    }
  }
}

/** The text up to the next NUL, one character per byte. */
function readText(bytes: Uint8Array, start: number, end: number): string {
  const length = bytes.subarray(start, Math.min(end, start + NAME_MAX + 1)).indexOf(0);
  if (length < 0) throw new Malformed(end - start > NAME_MAX ? `a name is longer than ${NAME_MAX} bytes` : "a name has no end", start);
  let text = "";
  for (let index = start; index < start + length; index++) text += String.fromCharCode(bytes[index]);
  return text;
}
