// The accesses of a region's instructions. One that misses the inline comparison with the TLB is
// tried again by a function; if that fails too, the region is left. In loops each path contains the
// access itself: a Wasm address that may come from either is extended by an instruction before each
// use. Elsewhere the access follows where they meet, which makes less code.

import type { Node } from "../../../isa/notation/builder.ts";
import { SP_ALIGNMENT } from "../../architecture/exceptions.ts";
import type { Surroundings } from "../../interpreter/surroundings.ts";
import {
  type Behavior,
  callSeam,
  entriesFor,
  type MemoryAccess,
  pushDescriptor,
  type TlbComparison,
} from "../../interpreter/memory-access.ts";
import { CPU, DataEntry, KeptPage, Slot, SplitGroup } from "../../state/cpu-state.ts";
import { TlbFlags } from "../../state/tlb-layout.ts";
import { Access, groupPlace, splitByte } from "../../state/functions.ts";
import type { FunctionBuilder } from "../../wasm/module.ts";
import type { GroupMember } from "../regions/access-groups.ts";
import type { RegionInstruction } from "../code/instruction.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** A member of a group of accesses, in a region. */
interface LocatedMember extends GroupMember {
  /** Local: where the group's bytes are; zero where they are in two pages and no copy serves. */
  readonly wasmAddress: number;
  /** The group keeps its page: it is in an innermost loop, which takes most of the time. */
  readonly walks: boolean;
}

/** The place of an access in its block. */
export interface AccessSite {
  /** Of its group, if it is in one. */
  readonly member: LocatedMember | undefined;
  /** Address of what it, or its group, keeps of its page, if it does. */
  readonly kept: number | undefined;
  /** It is in a loop of its region. */
  readonly inLoop: boolean;
  /** Emits what has to follow a function that may fill entries of the TLB. */
  filled(): void;
}

/** The bytes of an access or of a group, and the locals with their virtual and Wasm addresses. */
interface AccessPlace {
  readonly va: number;
  readonly wasmAddress: number;
  readonly bytes: number;
  readonly write: boolean;
}

/**
 * Whether a copy of a group's bytes serves where they are in two pages. In loops, V8 would keep
 * values of the bounds checks of the loads for stores that follow, instead of registers.
 */
const isCopied = ({ group, walks }: LocatedMember): boolean => group.copied && !walks;

/** Emits the accesses of one instruction. */
export class RegionAccesses {
  readonly f: FunctionBuilder;

  /**
   * @param evaluate puts the value of an expression on the stack
   * @param leave emits the way out of the region, at the instruction
   */
  constructor(
    readonly at: Surroundings,
    readonly comparison: TlbComparison,
    readonly instruction: RegionInstruction,
    readonly site: AccessSite,
    readonly evaluate: (node: Node) => void,
    readonly leave: () => void,
  ) {
    this.f = at.f;
  }

  emit(access: MemoryAccess): void {
    const { f, at, site: { member, kept } } = this, { size, count, write } = access, wasmAddress = at.local("i32");
    if (member) return this.#inGroup(member, access, wasmAddress);
    const place = { va: at.local("i64"), wasmAddress, bytes: count * size, write };
    this.evaluate(access.address);
    f.set(place.va);
    const { inLoop } = this.site, use = () => access.hit(wasmAddress, 0), useEach = inLoop ? use : () => {};
    const stack = this.#stackOffset;
    if (stack !== undefined && stack % size === 0) {
      this.#serveFromStack(place, stack, useEach, () => {
        this.#lookForStack(place, access.behavior);
        useEach();
      });
    } else if (kept) {
      this.#serveFromPage(place, kept, useEach, () => {
        this.#look(place, access, () => this.#keepPage(place, kept), () => {});
        useEach();
      });
    } else this.#look(place, access, useEach, useEach);
    if (!inLoop) use();
  }

  /** An access of a group, of which the first finds where all are. */
  #inGroup(member: LocatedMember, { address, hit }: MemoryAccess, wasmAddress: number): void {
    const { f } = this;
    if (member.first) this.#locateGroup(member, address);
    const { offset, walks, group: { split } } = member;
    if (isCopied(member)) return hit(member.wasmAddress, offset);
    f.get(member.wasmAddress).ifLikely(true, () => hit(member.wasmAddress, offset), () => {
      if (walks) {
        const places = CPU.SPLIT_GROUPS + SplitGroup.Size * split;
        f.i32(offset).i32(0).memory("i32.load", places + SplitGroup.Limit).op("i32.ge_u").i32(2).op("i32.shl");
        f.memory("i32.load", places + SplitGroup.First).set(wasmAddress);
        return hit(wasmAddress, offset);
      }
      f.i32(splitByte(offset, split));
      callSeam(this.at, "splitPlace").set(wasmAddress);
      hit(wasmAddress, 0);
    });
  }

  /** Looks the address up, and continues with `found` where its TLB entry serves the access. */
  #look({ va, wasmAddress, bytes, write }: AccessPlace, access: MemoryAccess, found: () => void, missed: () => void): void {
    const { f, comparison } = this;
    comparison.compare(va, access);
    f.ifLikely(true, () => {
      comparison.wasmAddress(va).set(wasmAddress);
      found();
    }, () => {
      f.get(va);
      pushDescriptor(f, bytes, access.behavior, this.evaluate);
      callSeam(this.at, write ? "writableAt" : "readableAt");
      this.#leaveWithout(wasmAddress);
      missed();
    });
  }

  /** Has a function look the address up where the page of the stack does not serve it. */
  #lookForStack({ va, wasmAddress, bytes, write }: AccessPlace, behavior: Behavior): void {
    const { f } = this;
    f.get(va);
    pushDescriptor(f, bytes, behavior, this.evaluate, write ? Access.Write : 0);
    callSeam(this.at, "stackAt");
    this.#leaveWithout(wasmAddress);
  }

  /**
   * Computes the Wasm address where the page that was kept serves the access, and continues with
   * `use`; with `look` where not.
   */
  #serveFromPage({ va, wasmAddress }: AccessPlace, kept: number, use: () => void, look: () => void): void {
    const { f } = this;
    f.get(va).i32(0).memory("i64.load", kept + KeptPage.Page).op("i64.sub");
    f.i32(0).memory("i64.load", kept + KeptPage.Limit).op("i64.lt_u").ifLikely(true, () => {
      f.get(va).op("i32.wrap_i64").i32(0).memory("i32.load", kept + KeptPage.Distance).op("i32.add").set(wasmAddress);
      use();
    }, look);
  }

  /** How far from SP, which is aligned, the access is. */
  get #stackOffset(): number | undefined {
    const { access } = this.instruction.addresses;
    return access?.slot === Slot.SP ? access.offset : undefined;
  }

  /**
   * The same for an aligned access at a distance from SP: the rest of a kept page is counted in
   * units of 16 bytes, so that one compare with a constant is enough.
   */
  #serveFromStack({ va, wasmAddress, bytes }: AccessPlace, offset: number, use: () => void, look: () => void): void {
    const { f } = this, odd = offset & SP_ALIGNMENT - 1;
    f.get(va);
    if (odd) f.i64(odd).op("i64.sub");
    f.i32(0).memory("i64.load", CPU.STACK_PAGE).op("i64.sub").i64(4).op("i64.rotr");
    f.i64((PAGE_SIZE - bytes - odd) / SP_ALIGNMENT | 0).op("i64.le_u").ifLikely(true, () => {
      f.get(va).op("i32.wrap_i64").i32(0).memory("i32.load", CPU.STACK_DISTANCE).op("i32.add").set(wasmAddress);
      use();
    }, look);
  }

  /**
   * Keeps the page of an access that its TLB entry serves; not where unaligned accesses fault, as
   * no later access would use it.
   */
  #keepPage({ va, wasmAddress, bytes, write }: AccessPlace, kept: number): void {
    const { f } = this;
    f.i32(0).get(va).i64(-PAGE_SIZE).op("i64.and").memory("i64.store", kept + KeptPage.Page);
    f.i32(0).get(wasmAddress).get(va).op("i32.wrap_i64").op("i32.sub").memory("i32.store", kept + KeptPage.Distance).i32(0);
    this.comparison.flags(va, write).i32(TlbFlags.Aligned).op("i32.and").op("i32.eqz").op("i64.extend_i32_u");
    f.i64(PAGE_SIZE - bytes + 1).op("i64.mul").memory("i64.store", kept + KeptPage.Limit);
  }

  /** Leaves the region where the function that was called gives no address. */
  #leaveWithout(wasmAddress: number): void {
    this.f.tee(wasmAddress).op("i32.eqz").ifLikely(false, () => this.leave());
    this.site.filled();
  }

  /** Finds where the bytes of a group are, by the address of its first member. */
  #locateGroup(member: LocatedMember, address: Node): void {
    const { f } = this, { group: { span, alignment, write }, offset, wasmAddress } = member, { kept } = this.site;
    const place = { va: this.at.local("i64"), wasmAddress, bytes: span, write };
    this.evaluate(address);
    if (offset) f.i64(offset).op("i64.sub");
    f.set(place.va);
    const stack = this.#stackOffset;
    if (stack !== undefined && (stack - offset) % alignment === 0) {
      this.#serveFromStack(place, stack - offset, () => {}, () => this.#findGroup(member, place, "stackGroupAt"));
    } else if (kept) {
      this.#serveFromPage(place, kept, () => {}, () => this.#compareGroup(member, place, () => this.#keepPage(place, kept)));
    } else this.#compareGroup(member, place, () => {});
  }

  /**
   * Finds where the bytes of a group are by the TLB entry of the first, and continues with `found`,
   * or by a function.
   */
  #compareGroup(member: LocatedMember, place: AccessPlace, found: () => void): void {
    const { f } = this, { va, wasmAddress, bytes, write } = place, entry = this.at.local("i64");
    f.get(va).op("i32.wrap_i64").i32(DataEntry.IndexShift).op("i32.shr_u").i32(DataEntry.IndexMask).op("i32.and");
    this.at.tlb();
    f.op("i32.add").memory("i64.load", entriesFor(write)).set(entry);
    f.get(va).get(entry).op("i64.xor").i64(DataEntry.TagMask | (member.group.alignment - 1)).op("i64.and");
    // The last byte is in the same page: else it changes the lowest bit of the page's number.
    f.get(va).i64(bytes - 1).op("i64.add").get(va).op("i64.xor").i64(PAGE_SIZE).op("i64.and").op("i64.or").op("i64.eqz");
    // A branch can be predicted: the accesses would have to wait for a selection.
    f.ifLikely(true, () => {
      f.get(va).op("i32.wrap_i64").get(entry).op("i32.wrap_i64").i32(DataEntry.DistanceShift).op("i32.shl").op("i32.add").set(wasmAddress);
      found();
    }, () => this.#findGroup(member, place, write ? "writableGroupAt" : "readableGroupAt"));
  }

  /**
   * Has a function find where the bytes of a group are: zero where they are in two pages. Leaves
   * the region where that does not serve all of the group.
   */
  #findGroup(
    member: LocatedMember,
    { va, wasmAddress, bytes, write }: AccessPlace,
    name: "readableGroupAt" | "writableGroupAt" | "stackGroupAt",
  ): void {
    const { f } = this, { alignment, seams, split } = member.group, kind = write && name === "stackGroupAt" ? Access.Write : 0;
    f.get(va).i32(alignment | kind).i32(seams).i32(groupPlace(bytes, split, isCopied(member)));
    callSeam(this.at, name);
    f.op("i32.eqz").ifLikely(false, () => this.leave());
    f.set(wasmAddress);
    this.site.filled();
  }
}
