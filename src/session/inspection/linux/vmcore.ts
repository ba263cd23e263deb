// A VM's memory and registers as an ELF core file (System V ABI; Linux: fs/proc/vmcore.c), as kdump
// writes it: notes of the vCPUs and of VMCOREINFO, and a segment for each run of RAM. A Linux's
// segments have its virtual addresses, and there is one more for the image of its kernel. Pages of
// zeros are left out of the file, which has holes there.

import { type AddressSpace, stackPointer, type Vcpu } from "../../../machine/hypervisor/inspect.ts";
import {
  CLASS_64,
  ET_CORE,
  GENERAL_REGISTERS,
  HEADER_SIZE,
  LITTLE,
  NT_PRSTATUS,
  NT_VMCOREINFO,
  padded,
  PN_XNUM,
  PRSTATUS_REGISTERS,
  PT_LOAD,
  PT_NOTE,
  SECTION_INFO,
  SEGMENT_SIZE,
} from "../../../inside/dumps/elf-core.ts";
import { translate } from "../../../inside/linux/kernel/memory.ts";
import { EM_AARCH64 } from "../../../kit/formats/elf.ts";
import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { QueryError, type View } from "../readers/inspected.ts";
import { findReading } from "./read-linux.ts";

const SECTION_SIZE = 64, VERSION = 1, READ_WRITE_EXECUTE = 7;
/** As in cores of QEMU, which have notes of all CPUs. */
const QEMU_STATE = 0;
/** `struct elf_prstatus` of arm64: its size, and where the process is. */
const PRSTATUS_SIZE = 392, PRSTATUS_PID = 32;
const PAGE = BigInt(PAGE_SIZE);
/** Bytes around a kernel's first code that may be its image. */
const IMAGE_MAX = 0x1000_0000n, IMAGE_ALIGNMENT = 0x1_0000n;
/** Bits of a virtual address that kernels are configured for. */
const ADDRESS_BITS = [52, 48, 47, 42, 39, 36];

interface Segment {
  readonly virtual: bigint;
  readonly ipa: number;
  readonly size: number;
  readonly offset: number;
}

/** The file: its beginning, and the pages of RAM with their places in it. */
export interface Vmcore {
  /** Bytes of the whole file. */
  readonly size: number;
  readonly beginning: Uint8Array;
  /** Pages that are not all zero. */
  pages(): Generator<{ readonly offset: number; readonly bytes: Uint8Array }>;
  /** The missing part, without which some readers cannot use the file; undefined if nothing is. */
  readonly lacks: string | undefined;
}

/**
 * The core file of a VM.
 * @param vm its id; undefined: the one that runs Linux
 * @throws QueryError for an unknown VM, or where several run Linux
 */
export function vmcoreOf(view: View, vm: string | undefined): Vmcore {
  const space = spaceOf(view, vm), reading = findReading(view, space), { ram } = view.hypervisor.machine;
  const runs = [...space.stage2.entries()].filter(({ pa, size }) => ram.contains(pa, size));
  const joined: { ipa: number; pa: number; size: number }[] = [];
  for (const { ipa, pa, size } of runs) {
    const last = joined.at(-1);
    if (last && last.ipa + last.size === ipa && last.pa + last.size === pa) last.size += size;
    else joined.push({ ipa, pa, size });
  }
  const vcpus = view.objects("thread").filter((vcpu) => vcpu.addressSpace === space && vcpu.native === undefined)
    .sort((a, b) => a.index - b.index);
  const info = reading?.tried("VMCOREINFO", () => reading.kernel.info(reading.memory));
  const notes = [
    ...vcpus.map((vcpu) => note("CORE", NT_PRSTATUS, statusOf(vcpu))),
    // CPUs that are offline have one, too. Otherwise crash takes them for those that are online.
    note("QEMU", QEMU_STATE, new Uint8Array()),
    ...info ? [note("VMCOREINFO", NT_VMCOREINFO, new TextEncoder().encode(info.text))] : [],
  ];
  const notesSize = notes.reduce((sum, { length }) => sum + length, 0), image = reading?.tried("image", () => imageOf(reading));
  const count = 1 + joined.length + (image ? 1 : 0), sectionAt = HEADER_SIZE + SEGMENT_SIZE * count;
  const notesAt = sectionAt + (count < PN_XNUM ? 0 : SECTION_SIZE);
  let offset = Math.ceil((notesAt + notesSize) / PAGE_SIZE) * PAGE_SIZE;
  const linear = reading?.tried("linear map", () => linearMap(reading));
  const loads = joined.map(({ ipa, size }): Segment => {
    const at = offset;
    offset += size;
    return { virtual: linear?.(ipa) ?? BigInt(ipa), ipa, size, offset: at };
  });
  const beginning = new Uint8Array(notesAt + notesSize), view_ = new DataView(beginning.buffer);
  writeHeader(view_, count, sectionAt);
  writeSegment(view_, 0, PT_NOTE, { virtual: 0n, ipa: 0, size: notesSize, offset: notesAt });
  for (const [index, segment] of [...image ? imageSegment(image, loads) : [], ...loads].entries()) {
    writeSegment(view_, index + 1, PT_LOAD, segment);
  }
  let at = notesAt;
  for (const bytes of notes) {
    beginning.set(bytes, at);
    at += bytes.length;
  }
  return {
    size: offset,
    beginning,
    lacks: !reading ? "no Linux kernel was found in it" : info ? undefined : "the kernel has not written VMCOREINFO yet",
    *pages() {
      for (const [index, { pa, size }] of joined.entries()) {
        for (let inside = 0; inside < size; inside += PAGE_SIZE) {
          if (!ram.mayBeWritten(pa + inside)) continue;
          const bytes = ram.bytes(pa + inside, PAGE_SIZE);
          if (bytes.some((byte) => byte !== 0)) yield { offset: loads[index].offset + inside, bytes };
        }
      }
    },
  };
}

function spaceOf(view: View, vm: string | undefined): AddressSpace {
  if (vm !== undefined) return view.findSpace(vm);
  const spaces = [...view.hypervisor.addressSpaces.values()].filter((space) => findReading(view, space));
  if (spaces.length === 1) return spaces[0];
  const all = [...view.hypervisor.addressSpaces.values()].map((space) => vmId(view.vmNameOf(space)));
  throw new QueryError(
    spaces.length ? "several VMs run Linux" : "no VM's memory has a Linux kernel",
    `name one with --vm: ${all.join(", ")}`,
  );
}

/**
 * Registers of a vCPU. Its process is the number of the CPU and one, as in cores of other
 * hypervisors: drgn finds a CPU's registers by that.
 */
function statusOf(vcpu: Vcpu): Uint8Array {
  const view = new DataView(new ArrayBuffer(PRSTATUS_SIZE));
  const { registers } = vcpu, own = stackPointer(vcpu);
  view.setUint32(PRSTATUS_PID, vcpu.index + 1, true);
  const values = [
    ...Array.from({ length: GENERAL_REGISTERS }, (_, index) => registers.getX(index)),
    ...[registers.getRegister(own), registers.pc, BigInt(registers.pstate >>> 0)],
  ];
  values.forEach((value, index) => view.setBigUint64(PRSTATUS_REGISTERS + 8 * index, value, true));
  return new Uint8Array(view.buffer);
}

/** Virtual addresses of the kernel's linear map; undefined where it has none yet. */
function linearMap({ kernel, memory }: Reading): ((ipa: number) => bigint) | undefined {
  const start = kernel.find(memory, "memstart_addr");
  if (start === undefined || !memory.has(start, 8)) return undefined;
  const first = memory.u64(start);
  for (const bits of ADDRESS_BITS) {
    const address = (ipa: number) => BigInt.asUintN(64, BigInt(ipa) - first - (1n << BigInt(bits)));
    const { root } = kernel.tables;
    // The tables themselves are memory that the kernel maps.
    if (translate(memory.physical, kernel.tables, address(root), memory.work) === root) return address;
  }
  return undefined;
}

interface Image {
  readonly start: bigint;
  readonly ipa: number;
  readonly size: number;
}

/** The kernel's image: the mapped pages around its code that are as far from physical memory. */
function imageOf({ kernel, memory }: Reading): Image | undefined {
  const code = kernel.find(memory, "_stext") ?? kernel.find(memory, "_text");
  const ipaOf = (address: bigint) => translate(memory.physical, kernel.tables, address, memory.work);
  const there = code === undefined ? undefined : ipaOf(code);
  if (code === undefined || there === undefined) return undefined;
  const distance = code - BigInt(there), inImage = (address: bigint) => ipaOf(address) === Number(address - distance);
  let start = code & ~(IMAGE_ALIGNMENT - 1n), end = start;
  if (inImage(start - IMAGE_ALIGNMENT)) start -= IMAGE_ALIGNMENT;
  // Memory of the initialization is not mapped any more; data follows it.
  for (let at = start; at < start + IMAGE_MAX; at += PAGE) if (inImage(at)) end = at + PAGE;
  return { start, ipa: Number(start - distance), size: Number(end - start) };
}

/** The same bytes of the file as those of the RAM that the image is in. */
function imageSegment({ start, ipa, size }: Image, loads: readonly Segment[]): Segment[] {
  const load = loads.find((one) => ipa >= one.ipa && ipa + size <= one.ipa + one.size);
  return [{ virtual: start, ipa, size: load ? size : 0, offset: load ? load.offset + ipa - load.ipa : 0 }];
}

/** @param sectionAt for the section header of many segments */
function writeHeader(view: DataView, segments: number, sectionAt: number): void {
  [0x7f, 0x45, 0x4c, 0x46, CLASS_64, LITTLE, VERSION].forEach((byte, index) => view.setUint8(index, byte));
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, EM_AARCH64, true);
  view.setUint32(20, VERSION, true);
  view.setBigUint64(32, BigInt(HEADER_SIZE), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(54, SEGMENT_SIZE, true);
  view.setUint16(56, Math.min(segments, PN_XNUM), true);
  if (segments < PN_XNUM) return;
  view.setBigUint64(40, BigInt(sectionAt), true);
  view.setUint16(58, SECTION_SIZE, true);
  view.setUint16(60, 1, true);
  view.setUint32(sectionAt + SECTION_INFO, segments, true);
}

function writeSegment(view: DataView, index: number, type: number, { virtual, ipa, size, offset }: Segment): void {
  const at = HEADER_SIZE + SEGMENT_SIZE * index;
  view.setUint32(at, type, true);
  view.setUint32(at + 4, type === PT_LOAD ? READ_WRITE_EXECUTE : 0, true);
  [BigInt(offset), virtual, BigInt(ipa), BigInt(size), BigInt(size)].forEach((value, word) =>
    view.setBigUint64(at + 8 + 8 * word, value, true)
  );
}

/** A note: sizes, type, name and content, each padded to 4 bytes. */
function note(name: string, type: number, content: Uint8Array): Uint8Array {
  const text = new TextEncoder().encode(`${name}\0`);
  const bytes = new Uint8Array(12 + padded(text.length) + padded(content.length)), view = new DataView(bytes.buffer);
  [text.length, content.length, type].forEach((word, index) => view.setUint32(4 * index, word, true));
  bytes.set(text, 12);
  bytes.set(content, 12 + padded(text.length));
  return bytes;
}
