// Stage 2 of the EL1&0 regime in cores with EL2, by the architecture's own tables: VTTBR_EL2 and
// VTCR_EL2. Arm ARM D5.2.3 (concatenated tables, sizes), D5.4.5 (rights), D5.5 (attributes), D8.1.
// The address that comes out is one of the machine, which the tables of stage2.ts then find.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { FaultStatus, Pstate } from "../architecture/exceptions.ts";
import { PHYSICAL_ADDRESS_BITS } from "../architecture/features.ts";
import { Hcr, STAGE2_ON, Vtcr } from "../architecture/hypervisor-control.ts";
import { granulesOf } from "../architecture/translation-control.ts";
import { hcr } from "../exceptions/el2-entry.ts";
import { CPU } from "../state/cpu-state.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { AccessKind, Descriptor, Fault, type Physical } from "./translation.ts";
import { Stage2Flags } from "./stage2-table.ts";
import { Stage2Entry, WIDE_IPA_BITS, WIDE_ROOT } from "./stage2.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** Of a leaf: S2AP, from bit 6: reads, writes; XN, 2 bits (FEAT_XNX), or the upper one alone. */
const S2AP_SHIFT = 6, XN_SHIFT = 53;
/** MemAttr[3:2] are 0: Device memory. */
const NORMAL = 0x30n;
/** In `CPU.STAGE2_FLAGS`, above `Stage2Flags`: the level of the leaf. */
const LEVEL_SHIFT = 8;
const EVERYTHING = Stage2Flags.Read | Stage2Flags.Write | Stage2Flags.ExecuteEl1 | Stage2Flags.ExecuteEl0;
const NOWHERE = -1n;
const LARGEST_CONCATENATION = 4;

/**
 * (ipa i64, access i32) -> i64: the machine's address, with the rights of the leaf in
 * `CPU.STAGE2_FLAGS`; or -1 with `CPU.FAULT`. Without stage 2 the address is the same.
 */
export const translateStage2 = (library: Library) => library.get("translateStage2", ["i64", "i32"], ["i64"]);

/** The same as a value; the function ends with 0 where it faults. */
export function throughStage2(c: Code, library: Library, ipa: Value, access: Value): Local {
  const address = c.let(c.call(translateStage2(library), ipa, access));
  c.if(address.eq(NOWHERE), () => c.return(constant("i32", 0)));
  return address;
}

/** Of the latest `translateStage2`. */
export const stage2Flags = (c: Code): Value => c.load("i32.load", CPU.STAGE2_FLAGS);

function fail(c: Code, fault: number, status: Value): void {
  c.store("i32.store", CPU.FAULT, constant("i32", fault));
  c.store("i32.store", CPU.FAULT_STATUS, status);
  c.return(constant("i64", NOWHERE));
}

/** `translateStage2`. */
export function defineStage2Walk(library: Library, physical: Physical, features: ReadonlySet<FeatureName>): void {
  const walk = library.define("walkStage2", ["i64"], ["i64"]);
  defineWalk(new Code(walk), physical, features);
  const c = new Code(library.define("translateStage2", ["i64", "i32"], ["i64"]));
  const ipa = c.parameter(0), access = c.parameter(1);
  c.if(c.load("i32.load", CPU.REGIME_BANK).or(hcr(c).and(STAGE2_ON).eq(0n)), () => {
    c.store("i32.store", CPU.STAGE2_FLAGS, constant("i32", EVERYTHING));
    c.return(ipa);
  });
  c.store("i64.store", CPU.WALK_IPA, ipa);
  const address = c.let(c.call(walk, ipa));
  c.if(address.eq(NOWHERE), () => c.return(address));
  const el0 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).not();
  const needed = access.and(AccessKind.Execute).select(
    el0.select(constant("i32", Stage2Flags.ExecuteEl0), Stage2Flags.ExecuteEl1),
    access.and(AccessKind.Write).select(constant("i32", Stage2Flags.Write), Stage2Flags.Read)
      .or(access.and(AccessKind.ReadModifyWrite).select(constant("i32", Stage2Flags.Read), 0)),
  );
  const forbids = stage2Flags(c).and(needed).ne(needed);
  // A walk of stage 1 in Device memory, where EL2 forbids that.
  const protects = access.and(AccessKind.Walk).nonZero().and(hcr(c).and(Hcr.PTW).nonZero()).and(
    stage2Flags(c).and(Stage2Flags.Device).nonZero(),
  );
  c.if(forbids.or(protects), () => fail(c, Fault.El2, stage2Flags(c).shrU(LEVEL_SHIFT).or(FaultStatus.Permission)));
  c.result(address);
}

/** (ipa) -> the address, or -1: the tables, without the rights that the access needs. */
function defineWalk(c: Code, { stage2, ram }: Physical, features: ReadonlySet<FeatureName>): void {
  const ipa = c.parameter(0), control = c.let(c.load("i64.load", CPU.VTCR_EL2));
  const fault = (kind: number, level: Value | number) =>
    fail(c, Fault.El2, typeof level === "number" ? constant("i32", kind | level) : level.or(kind));
  const isWide = c.load("i32.load", CPU.STAGE2).and(WIDE_ROOT);
  const most = c.let(isWide.select(constant("i32", WIDE_IPA_BITS), PHYSICAL_ADDRESS_BITS));
  const page = c.let(constant("i32", PAGE_SHIFT)), granule = control.shrU(Vtcr.Tg0Shift).wrap().and(3);
  for (const { shift, tg0 } of granulesOf(features)) c.if(granule.eq(tg0), () => c.set(page, shift));
  const stride = c.let(page.sub(3)), bits = c.let(constant("i32", 64).sub(control.wrap().and(Vtcr.SizeMask)));
  const begins = c.let(control.shrU(Vtcr.Sl0Shift).wrap().and(3));
  // Level 0 with pages of 4 KiB, and its like, are for more bits than there are.
  const level = c.let(page.eq(PAGE_SHIFT).select(constant("i32", 2), 3).sub(begins));
  const least = c.let(constant("i32", 3).sub(level).mul(stride).add(page).add(1));
  const tooMany = bits.gtU(least.add(stride).add(LARGEST_CONCATENATION - 1)).or(bits.gtU(most));
  c.if(begins.gtU(1).or(bits.ltU(least)).or(tooMany), () => fault(FaultStatus.Translation, 0));
  c.if(ipa.shrU(bits.wide()).nonZero(), () => fault(FaultStatus.Translation, 0));
  const size = c.let(control.shrU(Vtcr.PsShift).and(7)), output = c.let(size.not().select(constant("i32", 32), most));
  const checkOutput = (address: Value, level: Value | number) =>
    c.if(address.shrU(output.wide()).nonZero(), () => fault(FaultStatus.AddressSize, level));
  const shift = c.let(page.add(constant("i32", 3).sub(level).mul(stride)));
  const table = c.let(c.load("i64.load", CPU.VTTBR_EL2).and(Descriptor.Root));
  checkOutput(table, 0);
  // The first tables follow each other, aligned to all of them.
  c.set(table, table.and(constant("i64", -8).shl(bits.sub(shift).wide())));
  const index = c.let(ipa.shrU(shift.wide())), descriptor = c.local("i64");
  const blocksFrom = page.eq(PAGE_SHIFT).select(constant("i32", 1), 2);
  c.f.block((leafFound) => {
    c.f.loop((nextLevel) => {
      const at = c.let(table.or(index.shl(3))), entry = c.let(c.call(stage2, at));
      const offset = c.let(entry.and(Stage2Entry.AddressMask).or(at.wrap().and((1 << PAGE_SHIFT) - 1)).sub(ram.base));
      const isThere = entry.and(Stage2Entry.Valid).nonZero().and(entry.and(Stage2Flags.Read).nonZero()).and(offset.ltU(ram.size));
      c.if(isThere.not(), () => fault(FaultStatus.ExternalOnWalk, level));
      c.set(descriptor, c.load("i64.load", offset, ram.wasmAddress));
      c.if(descriptor.and(Descriptor.Valid).not(), () => fault(FaultStatus.Translation, level));
      c.if(level.eq(3).or(descriptor.and(Descriptor.Table).not()), () => {
        const isLeaf = level.eq(3).select(descriptor.and(Descriptor.Table).nonZero(), level.geU(blocksFrom));
        c.if(isLeaf.not(), () => fault(FaultStatus.Translation, level));
        c.f.br(leafFound);
      });
      c.set(table, descriptor.and(Descriptor.Address).and(constant("i64", -1).shl(page.wide())));
      checkOutput(table, level);
      c.set(level, level.add(1));
      c.set(shift, shift.sub(stride));
      c.set(index, ipa.shrU(shift.wide()).and(constant("i64", 1).shl(stride.wide()).sub(1)));
      c.f.br(nextLevel);
    });
  });
  const inBlock = c.let(constant("i64", 1).shl(shift.wide()).sub(1));
  const address = c.let(descriptor.and(Descriptor.Address).and(inBlock.xor(-1)).or(ipa.and(inBlock)));
  checkOutput(address, level);
  c.if(descriptor.and(Descriptor.AccessFlag).not(), () => fault(FaultStatus.AccessFlag, level));
  c.store("i32.store", CPU.STAGE2_FLAGS, flagsOf(c, descriptor, features).or(level.shl(LEVEL_SHIFT)));
  c.result(address);
}

/** `Stage2Flags` of a leaf. */
function flagsOf(c: Code, descriptor: Value, features: ReadonlySet<FeatureName>): Value {
  const rights = descriptor.shrU(S2AP_SHIFT).wrap().and(Stage2Flags.Read | Stage2Flags.Write);
  const xn = c.let(descriptor.shrU(XN_SHIFT).wrap().and(3)), ofEl0 = c.let(xn.and(2).not());
  const ofEl1 = features.has("FEAT_XNX") ? xn.eq(0).or(xn.eq(3)) : ofEl0;
  const device = descriptor.and(NORMAL).not();
  return rights.or(ofEl1.mul(Stage2Flags.ExecuteEl1)).or(ofEl0.mul(Stage2Flags.ExecuteEl0)).or(device.mul(Stage2Flags.Device));
}
