// A guest's memory as the GIC reads and writes its tables there: by IPA, through stage 2 alone
// (Arm IHI 0069 sections 5.2 and 6.3). Addresses are the guest's choice, so that an access may fail
// anywhere.

import { GIC_WRITES } from "../../../abi/ram-writer.ts";
import { Stage2Flags, type Stage2Table } from "../../../../cpu/core/interface.ts";
import type { Ram } from "../../../hardware/ram.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** Access to the tables. */
export interface TableMemory {
  /** Fills `into` from an IPA on; false unless the guest can read all of it, and it is RAM. */
  read(ipa: number, into: Uint8Array): boolean;
  /** Stores bytes; false unless the guest can write all of them, and they are in RAM. */
  write(ipa: number, bytes: Uint8Array): boolean;
}

/** An address space whose memory is accessed. */
interface TableSpace {
  readonly state: string;
  readonly stage2: Pick<Stage2Table, "lookup">;
}

/** The memory of an address space. */
export class SpaceMemory implements TableMemory {
  constructor(readonly space: TableSpace, readonly ram: Pick<Ram, "contains" | "read" | "write">) {}

  read(ipa: number, into: Uint8Array): boolean {
    if (into.length <= PAGE_SIZE - ipa % PAGE_SIZE) {
      const pa = this.#place(ipa, into.length, Stage2Flags.Read);
      if (pa !== undefined) this.ram.read(pa, into);
      return pa !== undefined;
    }
    return this.#pieces(ipa, into, Stage2Flags.Read, (pa, piece) => this.ram.read(pa, piece));
  }

  write(ipa: number, bytes: Uint8Array): boolean {
    return this.#pieces(ipa, bytes, Stage2Flags.Write, (pa, piece) => this.ram.write(pa, piece, GIC_WRITES));
  }

  /** Acts on the part of the bytes in each page, until a page fails. */
  #pieces(ipa: number, bytes: Uint8Array, access: number, act: (pa: number, piece: Uint8Array) => void): boolean {
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, PAGE_SIZE - (ipa + done) % PAGE_SIZE);
      const pa = this.#place(ipa + done, length, access);
      if (pa === undefined) return false;
      act(pa, bytes.subarray(done, done + length));
      done += length;
    }
    return true;
  }

  /** The physical address of bytes within one page. */
  #place(ipa: number, length: number, access: number): number | undefined {
    if (this.space.state !== "active") return undefined;
    const offset = ipa % PAGE_SIZE, page = this.space.stage2.lookup(ipa - offset);
    if (page === undefined || !(page.flags & access) || page.flags & Stage2Flags.Device) return undefined;
    return this.ram.contains(page.pa + offset, length) ? page.pa + offset : undefined;
  }
}
