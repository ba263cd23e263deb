// VMCOREINFO: lines that a kernel leaves for readers of its memory (kernel:
// Documentation/admin-guide/kdump/vmcoreinfo.rst), in a page that begins with its release.

import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { Work } from "../../../kit/support/values/work.ts";
import type { TypeField } from "./btf.ts";
import type { Types } from "./types.ts";
import { type PhysicalMemory, textOf, type VirtualMemory } from "./memory.ts";

/** Steps for a page that may be it. */
const PAGE_STEPS = 32;
const BEGINNING = new TextEncoder().encode("OSRELEASE=");
/** A line of it; `SYMBOL(prb)=ffff800009838358`, `PAGESIZE=4096`. */
const LINE = /^([A-Z_-]+)(?:\(([\w.]+)\))?=(.*)$/;

/** Bytes of a structure, or before a member of one. */
const BYTES = /^\d{1,9}$/;

/** Structures that members are, of those that it describes: the log's. */
const MEMBERS: Readonly<Record<string, string>> = {
  "printk_ringbuffer.desc_ring": "prb_desc_ring",
  "printk_ringbuffer.text_data_ring": "prb_data_ring",
  "prb_desc_ring.head_id": "atomic_long_t",
  "prb_desc_ring.tail_id": "atomic_long_t",
  "prb_desc.state_var": "atomic_long_t",
  "prb_desc.text_blk_lpos": "prb_data_blk_lpos",
  "printk_info.dev_info": "dev_printk_info",
};
/** Bytes of members that are not 8. */
const SIZES: Readonly<Record<string, number>> = {
  "prb_desc_ring.count_bits": 4,
  "prb_data_ring.size_bits": 4,
  "printk_info.text_len": 2,
  "printk_info.facility": 1,
  "printk_info.level": 1,
  "printk_info.caller_id": 4,
  "dev_printk_info.subsystem": 16,
  "dev_printk_info.device": 48,
};
const POINTER_SIZE = 8;
/** Members that it leaves out, by their distance from one that it has. */
const BESIDE: Readonly<Record<string, { readonly from: string; readonly by: number; readonly bits?: TypeField["bits"] }>> = {
  "printk_info.facility": { from: "printk_info.text_len", by: 2 },
  "printk_info.level": { from: "printk_info.text_len", by: 3, bits: { shift: 5, width: 3 } },
};

/** Its text and lines. It also has types, which are enough for the log. */
export class VmCoreInfo implements Types {
  readonly symbols = new Map<string, bigint>();
  readonly #offsets = new Map<string, number>();
  readonly #sizes = new Map<string, number>();
  readonly #numbers = new Map<string, bigint>();
  readonly release: string;
  /** How far the kernel has moved itself from where it was linked (KASLR); undefined: not said. */
  readonly moved: bigint | undefined;

  private constructor(readonly text: string) {
    const lines = text.split("\n").flatMap((line) => LINE.exec(line) ?? []);
    for (let at = 0; at < lines.length; at += 4) {
      const [kind, name, value] = lines.slice(at + 1, at + 4);
      if (kind === "OFFSET" && BYTES.test(value)) this.#offsets.set(name, Number(value));
      if (kind === "SIZE" && BYTES.test(value)) this.#sizes.set(name, Number(value));
      if (kind === "NUMBER" && /^(?:0x[0-9a-f]{1,16}|\d{1,19})$/.test(value)) this.#numbers.set(name, BigInt(value));
      if (kind === "SYMBOL" && /^[0-9a-f]{1,16}$/.test(value)) this.symbols.set(name, BigInt(`0x${value}`));
    }
    const moved = /^KERNELOFFSET=([0-9a-f]{1,16})$/m.exec(text)?.[1];
    this.moved = moved === undefined ? undefined : BigInt(`0x${moved}`);
    this.release = /^OSRELEASE=(.*)$/m.exec(text)?.[1] ?? "";
  }

  /** The value of a `NUMBER` line. */
  number(name: string): bigint | undefined {
    return this.#numbers.get(name);
  }

  sizeOf(struct: string): number | undefined {
    return this.#sizes.get(struct);
  }

  field(struct: string, path: string): TypeField | undefined {
    let type: string | undefined = struct, offset = 0, key = "";
    for (const step of path.split(".")) {
      if (type === undefined) return undefined;
      key = `${type}.${step}`;
      const at = this.#offsets.get(BESIDE[key]?.from ?? key);
      if (at === undefined) return undefined;
      offset += at + (BESIDE[key]?.by ?? 0);
      type = MEMBERS[key];
    }
    const size = SIZES[key] ?? (type === undefined ? POINTER_SIZE : this.#sizes.get(type) ?? 0);
    return { offset, size, type: 0, ...BESIDE[key]?.bits && { bits: BESIDE[key].bits } };
  }

  lengthOf(): number {
    return 0;
  }

  /** That of a text which is outside of the memory, as core files have it. */
  static of(text: string): VmCoreInfo {
    return new VmCoreInfo(text);
  }

  /** VMCOREINFO at an address; undefined if it is not there. */
  static at(memory: VirtualMemory, address: bigint): VmCoreInfo | undefined {
    const page = address % BigInt(PAGE_SIZE) === 0n ? memory.page(address) : undefined;
    return page && VmCoreInfo.#in(new Uint8Array(page.buffer, page.byteOffset, PAGE_SIZE));
  }

  /** Finds it in a VM's memory; undefined before the kernel has written it. */
  static find(physical: PhysicalMemory, work: Work): VmCoreInfo | undefined {
    for (const page of physical.written?.() ?? pagesOf(physical)) {
      work.spend(page[0] === BEGINNING[0] ? PAGE_STEPS : 1);
      const found = page[0] === BEGINNING[0] ? VmCoreInfo.#in(page) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  static #in(page: Uint8Array): VmCoreInfo | undefined {
    if (!BEGINNING.every((byte, index) => page[index] === byte)) return undefined;
    const text = textOf(page);
    return text.includes("\nPAGESIZE=") && text.includes("\nSYMBOL(") ? new VmCoreInfo(text) : undefined;
  }
}

function* pagesOf(physical: PhysicalMemory): Iterable<Uint8Array> {
  for (const { ipa, size } of physical.ranges()) {
    for (let at = ipa; at < ipa + size; at += PAGE_SIZE) {
      const page = physical.page(at);
      if (page) yield page;
    }
  }
}
