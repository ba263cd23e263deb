// The memory of a Debian in the formats of others, as files in memory.

import { Dump, type NamedDump } from "../../../src/inside/dumps/dump.ts";
import type { DumpSource } from "../../../src/inside/dumps/file-memory.ts";
import { whole } from "../../../src/kit/support/values/work.ts";
import { DumpInspector } from "../../../src/session/inspection/dumps/dump-inspector.ts";
import { DumpSystem } from "../../../src/session/inspection/dumps/dump-system.ts";
import { writtenCore } from "../linux/written-core.ts";
import type { Debian } from "../linux/debian.ts";

/** Where the RAM of a primary VM begins. */
export const RAM = 0x4000_0000;

/** A file that is in memory. */
function sourceOf(name: string, bytes: Uint8Array): DumpSource {
  return {
    name,
    size: bytes.length,
    read(at, into) {
      const there = bytes.subarray(at, at + into.length);
      into.set(there);
      into.fill(0, there.length);
    },
  };
}

/** A dump that is in memory; one of raw memory has an address. */
export const dumpOf = (bytes: Uint8Array, address?: number): NamedDump => ({ source: sourceOf("dump", bytes), address });

/** The answers of a dump in one or several files. */
export const opened = (...files: readonly NamedDump[]) => new DumpInspector(whole(DumpSystem.of(Dump.open(files))));

/** The RAM of a Debian, from its core file. */
export function rawOf(debian: Debian): Uint8Array {
  const core = writtenCore(debian), view = new DataView(core.buffer), parts: [address: number, offset: number, size: number][] = [];
  for (let index = 0; index < view.getUint16(56, true); index++) {
    const at = 64 + 56 * index, number = (offset: number) => Number(view.getBigUint64(at + offset, true));
    if (view.getUint32(at, true) === 1) parts.push([number(24), number(8), number(32)]);
  }
  const end = Math.max(...parts.map(([address, , size]) => address + size)), raw = new Uint8Array(end - RAM);
  for (const [address, offset, size] of parts) raw.set(core.subarray(offset, offset + size), address - RAM);
  return raw;
}

/** LiME's form of memory in parts. */
export function limeOf(raw: Uint8Array, ...cuts: readonly number[]): Uint8Array {
  const edges = [0, ...cuts, raw.length], file = new Uint8Array(raw.length + 32 * (edges.length - 1)), view = new DataView(file.buffer);
  for (const [index, start] of edges.slice(0, -1).entries()) {
    const at = start + 32 * index, end = edges[index + 1];
    view.setUint32(at, 0x4c69_4d45, true);
    view.setUint32(at + 4, 1, true);
    view.setBigUint64(at + 8, BigInt(RAM + start), true);
    view.setBigUint64(at + 16, BigInt(RAM + end - 1), true);
    file.set(raw.subarray(start, end), at + 32);
  }
  return file;
}

/** A core file of other hypervisors: the same RAM and registers, without VMCOREINFO. */
export function withoutInfo(core: Uint8Array): Uint8Array {
  const copy = core.slice(), name = new TextEncoder().encode("VMCOREINFO\0");
  const at = copy.subarray(0, 1 << 16).findIndex((_, index) => name.every((byte, more) => copy[index + more] === byte));
  copy.set(new TextEncoder().encode("OTHERNOTE\0\0"), at);
  return copy;
}
