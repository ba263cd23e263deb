// Writes a flattened devicetree, version 17 (Devicetree Specification 0.4, section 5): header,
// memory reservations, structure, strings.

import { Bytes } from "../../kit/support/values/bytes.ts";
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
import type { Devicetree, DevicetreeNode } from "./tree.ts";

/**
 * Flattens a tree. The result is packed; `minimumSize` bytes reserves free space after it
 * (totalsize grows), for boot loaders and overlays.
 *
 * ```ts
 * import { devicetree, node, writeDevicetree } from "@el2/el2";
 *
 * const bytes = writeDevicetree(devicetree(node("", {}, [node("chosen")])), 4096);
 * console.log(bytes.length);
 * ```
 */
export function writeDevicetree(tree: Devicetree, minimumSize = 0): Uint8Array {
  const strings = new StringsBlock();
  const structure = new Output();
  writeNode(structure, strings, tree.root);
  structure.word(FdtToken.END);

  const reservations = FDT_HEADER_SIZE;
  const structureStart = reservations + (tree.reservations.length + 1) * FDT_RESERVATION_SIZE;
  const stringsStart = structureStart + structure.length;
  const total = Math.max(stringsStart + strings.output.length, minimumSize);

  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const header: Record<keyof typeof FdtHeader, number> = {
    magic: FDT_MAGIC,
    totalsize: total,
    off_dt_struct: structureStart,
    off_dt_strings: stringsStart,
    off_mem_rsvmap: reservations,
    version: FDT_VERSION,
    last_comp_version: FDT_LAST_COMPATIBLE_VERSION,
    boot_cpuid_phys: tree.bootCpu,
    size_dt_strings: strings.output.length,
    size_dt_struct: structure.length,
  };
  for (const field of Object.keys(FdtHeader) as (keyof typeof FdtHeader)[]) view.setUint32(FdtHeader[field], header[field]);
  tree.reservations.forEach(({ address, size }, index) => {
    view.setBigUint64(reservations + index * FDT_RESERVATION_SIZE, address);
    view.setBigUint64(reservations + index * FDT_RESERVATION_SIZE + 8, size);
  });
  bytes.set(structure.bytes(), structureStart);
  bytes.set(strings.output.bytes(), stringsStart);
  return bytes;
}

function writeNode(structure: Output, strings: StringsBlock, source: DevicetreeNode): void {
  structure.word(FdtToken.BEGIN_NODE);
  structure.text(source.name);
  structure.pad();
  for (const [name, value] of source.properties) {
    structure.word(FdtToken.PROP);
    structure.word(value.length);
    structure.word(strings.offsetOf(name));
    structure.append(value);
    structure.pad();
  }
  for (const child of source.children) writeNode(structure, strings, child);
  structure.word(FdtToken.END_NODE);
}

/** Property names, each once. */
class StringsBlock {
  readonly output = new Output();
  readonly #offsets = new Map<string, number>();

  offsetOf(name: string): number {
    let offset = this.#offsets.get(name);
    if (offset === undefined) {
      offset = this.output.length;
      this.#offsets.set(name, offset);
      this.output.text(name);
    }
    return offset;
  }
}

/** Destination of a block. */
class Output {
  readonly #bytes = new Bytes(1024);

  get length(): number {
    return this.#bytes.length;
  }

  bytes(): Uint8Array {
    return this.#bytes.view;
  }

  append(bytes: Uint8Array): void {
    this.#bytes.pushAll(bytes);
  }

  word(value: number): void {
    const at = this.#bytes.room(4);
    this.#bytes.fields.setUint32(at, value);
  }

  /** A devicetree name cannot have characters above 0xff. */
  text(text: string): void {
    this.append(Uint8Array.from(`${text}\0`, (character) => character.charCodeAt(0)));
  }

  pad(): void {
    this.append(new Uint8Array(alignToken(this.length) - this.length));
  }
}
