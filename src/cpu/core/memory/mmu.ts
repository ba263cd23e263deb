// Address translation: the stage-1 walk of the EL1&0 regime combined with stage 2, inside Wasm. Arm
// ARM D5.2 (VMSAv8-64 translation), D8.2 (addresses of 52 bits), D5.4 (access control), D5.10.3
// (priority of faults); stage 2 as in `stage2.ts`.
//
// `translate` finds the Wasm address of a byte, or leaves the reason in `CPU.FAULT` and
// `CPU.FAULT_STATUS`; its callers act on the fault (`memory-access.ts`, AT, the debugger).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { FaultStatus, LEVEL_BELOW_0, Pstate, Sctlr, SCTLR_EPAN_SHIFT } from "../architecture/exceptions.ts";
import { PHYSICAL_ADDRESS_BITS } from "../architecture/features.ts";
import { granulesOf, Tcr } from "../architecture/translation-control.ts";
import { isHost } from "../exceptions/el2-entry.ts";
import { hasEl2, regimeBank } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { Access, callee, define as defineFunction } from "../state/functions.ts";
import { noteWritten } from "./written-words.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { asksForTooMany, granuleShift, type Half, hasWideTables, inputBits } from "./granules.ts";
import { defineRegimes, isDefaultCacheable, isOverridden, isSingle, readSingleLeaf, tcrOf } from "./regimes.ts";
import { Stage2Flags } from "./stage2-table.ts";
import { AccessKind, Descriptor, Fault, type Physical, type RamLayout } from "./translation.ts";
import { defineStage2Walk, stage2Flags, throughStage2, translateStage2 } from "./stage2-walk.ts";
import { IPA_BITS, Stage2Entry, WIDE_IPA_BITS, WIDE_ROOT } from "./stage2.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** `CPU.WALK_RIGHTS`: what stage 1 allows, and what the leaf was. */
export const Rights = {
  El0Read: 1,
  El0Write: 2,
  El0Execute: 4,
  El1Read: 8,
  El1Write: 16,
  El1Execute: 32,
  /** AP[1]: data at EL0, which PSTATE.PAN denies to EL1. */
  User: 64,
  Device: 128,
  NonGlobal: 256,
  /** The leaf maps 2 MiB, or more; both: more than 1 GiB. */
  Block: 512,
  Giant: 1024,
  /**
   * Stage 2 forbids reading it: a TLB entry for writes would serve atomics, and loads from the page
   * of the stack.
   */
  Unreadable: 2048,
  /** Level of the leaf, 2 bits from here. */
  LevelShift: 12,
  /** Shareability, 2 bits from here; attributes from MAIR_EL1, 8 bits from here. */
  ShareabilityShift: 14,
  AttributesShift: 16,
  /** Instructions of the page must permit indirect branches to them (FEAT_BTI). */
  Guarded: 1 << 24,
} as const;

/** The bits of `va` that an aligned access has clear: by its size, or by that of its elements. */
export function misalignmentOf(va: Value, access: Value): Value {
  const elements = access.shrU(Access.ElementsShift).and(ELEMENTS_MASK);
  return va.wrap().and(access.and(Access.SizeMask).shrU(elements).sub(1));
}

/**
 * Whether Device memory refuses an access: it is misaligned, or DC ZVA, which is aligned. Arm ARM
 * C5.3, "DC ZVA".
 */
function wantsNormal(va: Value, access: Value): Value {
  return misalignmentOf(va, access).or(access.and(Access.Zero)).nonZero();
}

/** Functions of the MMU that other parts call, with `mmuFunction`. */
const MMU_FUNCTIONS = {
  /**
   * (va i64, access i32) -> i32: Wasm address, or 0 with `CPU.FAULT`. `access` is of `Access` and
   * `AccessKind`; the size matters for alignment only.
   */
  translate: [["i64", "i32"], ["i32"]],
  /**
   * (va i64, access i32) -> i32: stage 1 alone and its permissions. `CPU.WALK_IPA` and
   * `CPU.WALK_RIGHTS`, or 0 with `CPU.FAULT`.
   */
  translateStage1: [["i64", "i32"], ["i32"]],
  /**
   * (va i64, access i32) -> i32: stage 1, and whether stage 2 maps the page at all. 1, or 0 with
   * `CPU.FAULT`.
   */
  translateMaintenance: [["i64", "i32"], ["i32"]],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

/** A function of `MMU_FUNCTIONS`. */
type MmuFunction = keyof typeof MMU_FUNCTIONS;

/** The kind of an access that a region asks about, and then may or may not make. */
export const speculative = (features: ReadonlySet<FeatureName>): number => features.has("FEAT_HAFDBS") ? AccessKind.Speculative : 0;

/** Declares, or finds, one of `MMU_FUNCTIONS`. */
export function mmuFunction(library: Library, name: MmuFunction): FunctionBuilder {
  const [parameters, results] = MMU_FUNCTIONS[name];
  return library.get(name, parameters, results);
}

/** Bits of a field of `Access.ElementsShift`. */
const ELEMENTS_MASK = 7;

/** Of `Descriptor.TableControlsShift`. */
const TableControl = { Pxn: 1, Xn: 2, NoUser: 4, NoWrite: 8, Mask: 0xf } as const;

const SINGLE_BITS = {
  user: Descriptor.ApUser,
  nonGlobal: Descriptor.NonGlobal,
  pxn: Descriptor.Pxn,
  noWrite: TableControl.NoWrite,
  tableXn: TableControl.Xn,
} as const;

const DESCRIPTOR_SIZE = 8;
/** In `CPU.WALK_DESCRIPTOR`: stage 2 forbids writing it. */
const NOT_WRITABLE = 1;

const INDEX_BITS = 9;
const VA_BITS = 48;
const OUTER_SHAREABLE = 2;
/** MAIR_EL1's attribute of Normal memory, write-back, allocating. */
const WRITE_BACK = 0xff;

/** Gives every function of `MMU_FUNCTIONS`, and `branchTarget` of the seam, its body. */
export function defineMmu(library: Library, ram: RamLayout, features: ReadonlySet<FeatureName>): void {
  const define = (name: MmuFunction) => {
    const [parameters, results] = MMU_FUNCTIONS[name];
    return new Code(library.define(name, parameters, results, true));
  };
  const stage2 = library.define("stage2Entry", ["i64"], ["i32"]);
  const walk = library.define("walkStage1", ["i64"], ["i32"]);
  defineStage2Entry(new Code(stage2));
  if (hasEl2(library)) {
    defineRegimes(library);
    defineStage2Walk(library, { stage2, ram }, features);
  }
  defineBranchTarget(new Code(defineFunction(library, "branchTarget")), library, features);
  defineWalk(new Code(walk), library, { stage2, ram }, features);
  defineTranslateStage1(define("translateStage1"), library, walk, features);
  defineTranslate(define("translate"), library, stage2, ram);
  defineTranslateMaintenance(define("translateMaintenance"), library, stage2);
}

/** Ends a function with a fault. */
function fail(c: Code, fault: number, status: Value): void {
  c.store("i32.store", CPU.FAULT, constant("i32", fault));
  c.store("i32.store", CPU.FAULT_STATUS, status);
  c.return(constant("i32", 0));
}

/** A status of `FaultStatus` at a level from 0 on. */
const status = (kind: number, level: Value | number) => typeof level === "number" ? constant("i32", kind | level) : level.or(kind);

/** A fault that a table of level -1 can have. */
type LevelFault = typeof LEVEL_BELOW_0[number][0];

/** The same for CPUs whose walks may begin at level -1. */
function deepStatus(kind: LevelFault, level: Value): Value {
  const [, below] = LEVEL_BELOW_0.find(([one]) => one === kind)!;
  return level.ltS(0).select(constant("i32", below), level.or(kind));
}

/** (ipa) -> entry of its page with the page's PA; without Valid its level is in bits 1:0. */
function defineStage2Entry(c: Code): void {
  const ipa = c.parameter(0);
  const root = c.let(c.load("i32.load", CPU.STAGE2));
  c.if(ipa.shrU(IPA_BITS).nonZero(), () => {
    c.if(root.and(WIDE_ROOT).not().or(ipa.shrU(WIDE_IPA_BITS).nonZero()), () => c.return(constant("i32", 0)));
  });
  const entry = c.let(c.load("i32.load", root.and(~WIDE_ROOT).add(ipa.shrU(24).wrap().shl(2))));
  const page = c.let(ipa.wrap().shrU(PAGE_SHIFT).and(0xfff));
  c.if(entry.and(Stage2Entry.Table), () => {
    const leaf = c.let(c.load("i32.load", entry.and(Stage2Entry.AddressMask).add(page.shl(2))));
    c.return(leaf.and(Stage2Entry.Valid).select(leaf, 3));
  });
  c.if(entry.and(Stage2Entry.Valid), () => c.return(entry.add(page.shl(PAGE_SHIFT))));
  c.result(constant("i32", 2));
}

/**
 * (va) -> where a branch there leads: without its top byte, if that is ignored. It is zero then
 * where there is no upper half of addresses, else as VA[55].
 */
function defineBranchTarget(c: Code, library: Library, features: ReadonlySet<FeatureName>): void {
  const va = c.parameter(0);
  if (hasEl2(library)) {
    const ignored = ignoresTopOfCode(tcrOf(c, library), constant("i32", 0), features);
    c.if(isSingle(c), () => c.return(ignored.select(va.shl(8).shrU(8), va)));
  }
  const ignored = ignoresTopOfCode(tcrOf(c, library), va.shrU(55).and(1).wrap(), features);
  c.result(ignored.select(va.shl(8).shrS(8), va));
}

/**
 * (va, access) -> 1 with `CPU.WALK_IPA` and `CPU.WALK_RIGHTS`, or 0 with `CPU.FAULT`: stage 1 with
 * its permissions.
 */
function defineTranslateStage1(c: Code, library: Library, walk: FunctionBuilder, features: ReadonlySet<FeatureName>): void {
  const va = c.parameter(0), access = c.parameter(1);
  const bank = regimeBank(c, library);
  const sctlr = c.let(bank.load("i32.load", CPU.SCTLR_EL1));
  const pstate = c.let(c.load("i32.load", CPU.PSTATE));
  const isOff = sctlr.and(Sctlr.M).not();
  c.if(hasEl2(library) ? isOff.or(isOverridden(c)) : isOff, () => {
    // Stage 1 is off: flat, data is Device-nGnRnE or, with HCR_EL2.DC, Normal write-back; and an
    // address that no output can be is out of range.
    c.if(va.shrU(VA_BITS).nonZero(), () => fail(c, Fault.Stage1, status(FaultStatus.AddressSize, 0)));
    c.store("i64.store", CPU.WALK_IPA, va);
    c.store("i32.store", CPU.WALK_DESCRIPTOR, constant("i32", 0));
    const byHypervisor = c.load("i32.load", CPU.DEFAULT_CACHEABLE);
    const device = (hasEl2(library) ? byHypervisor.or(isDefaultCacheable(c)) : byHypervisor).select(
      constant("i32", WRITE_BACK << Rights.AttributesShift),
      Rights.Device | OUTER_SHAREABLE << Rights.ShareabilityShift,
    );
    c.store("i32.store", CPU.WALK_RIGHTS, access.and(AccessKind.Execute).select(constant("i32", 0), device));
    c.return(constant("i32", 1));
  });
  if (features.has("FEAT_PAuth")) {
    // With TBID, the top byte of an instruction's address counts although that of data does not.
    const counts = ignoresTopOfCode(tcrOf(c, library), va.shrU(55).and(1).wrap(), features).not();
    c.if(access.and(AccessKind.Execute).nonZero().and(counts).and(va.ne(va.shl(8).shrS(8))), () => {
      fail(c, Fault.Stage1, status(FaultStatus.Translation, 0));
    });
  }
  const el0 = pstate.and(Pstate.ElMask).not().or(isUnprivileged(c, library, { access, pstate, features }));
  if (features.has("FEAT_E0PD")) {
    const denied = tcrOf(c, library).shrU(va.shrU(55).and(1).add(Tcr.E0pd0Shift)).wrap().and(1);
    c.if(el0.and(denied), () => fail(c, Fault.Stage1, status(FaultStatus.Translation, 0)));
  }
  c.if(c.call(walk, va).not(), () => c.return(constant("i32", 0)));

  const rights = c.let(c.load("i32.load", CPU.WALK_RIGHTS));
  // The right that is needed: read, write or execute at EL0, the same three bits up at EL1.
  const kind = access.and(AccessKind.Execute).select(
    constant("i32", Rights.El0Execute),
    access.and(AccessKind.Write).select(constant("i32", Rights.El0Write), Rights.El0Read),
  );
  const needed = c.let(kind.shl(el0.select(constant("i32", 0), 3)));
  const data = needed.and(Rights.El1Read | Rights.El1Write).nonZero();
  let user = rights.and(Rights.User).nonZero();
  if (features.has("FEAT_PAN3")) {
    const epan = bank.load("i64.load", CPU.SCTLR_EL1).shrU(SCTLR_EPAN_SHIFT).wrap().and(1);
    user = user.or(epan.and(rights.and(Rights.El0Execute).nonZero()));
  }
  const panDenies = pstate.and(Pstate.PAN).nonZero().and(data).and(user)
    .and(access.and(AccessKind.IgnorePan).not());
  c.if(rights.and(needed).not().or(panDenies), () => {
    // An alignment fault that the type of memory causes comes first.
    const refused = rights.and(Rights.Device).nonZero().and(wantsNormal(va, access)).and(access.and(AccessKind.Execute).not());
    c.if(refused, () => fail(c, Fault.Stage1, status(FaultStatus.Alignment, 0)));
    fail(c, Fault.Stage1, status(FaultStatus.Permission, rights.shrU(Rights.LevelShift).and(3)));
  });
  if (features.has("FEAT_HAFDBS")) {
    c.if(access.and(AccessKind.Observe | AccessKind.Maintenance).not(), () => updateDescriptor(c, library, access, rights));
  }
  c.result(constant("i32", 1));
}

/**
 * Whether an access is checked as one of EL0. PSTATE.UAO overrides that, and so does an EL2 that is
 * not a host, but not for AT S1E0.
 */
function isUnprivileged(
  c: Code,
  library: Library,
  { access, pstate, features }: { readonly access: Value; readonly pstate: Value; readonly features: ReadonlySet<FeatureName> },
): Value {
  const unprivileged = access.and(Access.Unprivileged).nonZero();
  const overrides = [
    ...features.has("FEAT_UAO") ? [pstate.and(Pstate.UAO).not()] : [],
    ...hasEl2(library) ? [pstate.and(Pstate.EL2).not().or(isHost(c))] : [],
  ];
  if (!overrides.length) return unprivileged;
  return unprivileged.and(overrides.reduce((all, one) => all.and(one)).or(access.and(AccessKind.IgnorePan).nonZero()));
}

/** Whether TCR_EL1 has the hardware manage dirty state, and with that access flags. */
const managesDirty = (tcr: Value) => hasAll(tcr, Tcr.HA | Tcr.HD);

const hasAll = (value: Value, bits: bigint) => value.and(bits).eq(bits);

/** The leaf of a permitted access gets its access flag; a write makes it dirty. Arm ARM D8.5. */
function updateDescriptor(c: Code, library: Library, access: Value, rights: Value): void {
  const place = c.let(c.load("i32.load", CPU.WALK_DESCRIPTOR)), at = c.let(place.and(~NOT_WRITABLE));
  const before = c.let(c.load("i64.load", at));
  const after = c.let(before.or(Descriptor.AccessFlag));
  const isClean = hasAll(before, Descriptor.DirtyBitModifier | Descriptor.ApReadOnly);
  const becomesDirty = access.and(AccessKind.Write).nonZero().and(isClean).and(managesDirty(tcrOf(c, library)));
  c.if(becomesDirty, () => c.set(after, after.and(~Descriptor.ApReadOnly)));
  c.if(after.ne(before), () => {
    c.if(access.and(AccessKind.Speculative), () => c.return(constant("i32", 0)));
    c.if(place.and(NOT_WRITABLE), () => {
      c.store("i64.store", CPU.WALK_IPA, c.load("i64.load", CPU.WALK_DESCRIPTOR_IPA));
      c.store("i32.store", CPU.WALK_LEVEL, rights.shrU(Rights.LevelShift).and(3));
      fail(c, Fault.Stage2OnWalk, status(FaultStatus.Permission, 3));
    });
    c.run(callee(library, "dropDecoded"), at, DESCRIPTOR_SIZE);
    c.drop(noteWritten(c, library, at, constant("i32", DESCRIPTOR_SIZE)));
    c.store("i64.store", at, after);
  });
}

/** (va, access) -> Wasm address, or 0 with `CPU.FAULT`: both stages. */
function defineTranslate(c: Code, library: Library, stage2: FunctionBuilder, ram: RamLayout): void {
  const va = c.parameter(0), access = c.parameter(1);
  c.store("i32.store", CPU.FAULT, constant("i32", Fault.None));
  c.if(c.call(mmuFunction(library, "translateStage1"), va, access).not(), () => c.return(constant("i32", 0)));
  const ipa = c.let(c.load("i64.load", CPU.WALK_IPA));
  const rights = c.let(c.load("i32.load", CPU.WALK_RIGHTS));
  const data = access.and(AccessKind.Execute).not();
  if (hasEl2(library)) {
    c.set(ipa, throughStage2(c, library, ipa, access));
    const flags = c.let(stage2Flags(c));
    c.if(flags.and(Stage2Flags.Device).nonZero().and(data), () => c.set(rights, rights.or(Rights.Device)));
    c.if(flags.and(Stage2Flags.Read).not(), () => c.set(rights, rights.or(Rights.Unreadable)));
  }
  const entry = c.let(c.call(stage2, ipa));
  // Memory attributes count before stage 2's permissions do: an unaligned access to Device memory
  // is EL1's fault.
  c.if(
    entry.and(Stage2Flags.Device).nonZero().and(entry.and(Stage2Entry.Valid).nonZero()).and(data),
    () => c.set(rights, rights.or(Rights.Device)),
  );
  c.if(entry.and(Stage2Flags.Read).not(), () => c.set(rights, rights.or(Rights.Unreadable)));
  c.store("i32.store", CPU.WALK_RIGHTS, rights);
  // EL2 answers accesses that stage 2 does not map, aligned or not: the recorded platform's
  // emulated devices see unaligned accesses.
  c.if(entry.and(Stage2Entry.Valid).not(), () => failBelow(c, library, ipa, Fault.Stage2, status(FaultStatus.Translation, entry)));
  c.if(rights.and(Rights.Device).nonZero().and(wantsNormal(va, access)), () => {
    fail(c, Fault.Stage1, status(FaultStatus.Alignment, 0));
  });
  const el0 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).not();
  const needed = access.and(AccessKind.Execute).select(
    el0.select(constant("i32", Stage2Flags.ExecuteEl0), Stage2Flags.ExecuteEl1),
    access.and(AccessKind.Write).select(constant("i32", Stage2Flags.Write), Stage2Flags.Read)
      .or(access.and(AccessKind.ReadModifyWrite).select(constant("i32", Stage2Flags.Read), 0)),
  );
  c.if(entry.and(needed).ne(needed), () => failBelow(c, library, ipa, Fault.Stage2, status(FaultStatus.Permission, 3)));
  const pa = c.let(entry.and(Stage2Entry.AddressMask).or(va.wrap().and((1 << PAGE_SHIFT) - 1)));
  c.store("i64.store", CPU.WALK_PA, pa.wide());
  const offset = c.let(pa.sub(ram.base));
  c.if(offset.geU(ram.size), () => failBelow(c, library, ipa, Fault.Bus, status(FaultStatus.Translation, 3)));
  c.result(offset.add(ram.wasmAddress));
}

/**
 * (va, access) -> 1, or 0 with `CPU.FAULT`: cache maintenance by address, which stage 2 refuses
 * only where it maps nothing.
 */
function defineTranslateMaintenance(c: Code, library: Library, stage2: FunctionBuilder): void {
  const va = c.parameter(0), access = c.parameter(1);
  c.if(c.call(mmuFunction(library, "translateStage1"), va, access).not(), () => c.return(constant("i32", 0)));
  const intermediate = c.load("i64.load", CPU.WALK_IPA);
  const ipa = hasEl2(library) ? throughStage2(c, library, intermediate, access) : intermediate;
  const entry = c.let(c.call(stage2, ipa));
  c.if(entry.and(Stage2Entry.Valid).not(), () => failBelow(c, library, ipa, Fault.Stage2, status(FaultStatus.Translation, entry)));
  c.result(constant("i32", 1));
}

/**
 * Fails in the core's own stage 2, or below it, at an address that is an IPA of these tables: with
 * EL2 in the core, what EL2's stage 2 has made of the guest's IPA.
 */
function failBelow(c: Code, library: Library, ipa: Value, fault: number, status: Value): void {
  if (hasEl2(library)) c.store("i64.store", CPU.WALK_IPA, ipa);
  fail(c, fault, status);
}

/** TCR_EL1.TBI0 or TBI1 for the half of the address space. */
export const ignoresTop = (tcr: Value, high: Value) => tcr.shrU(Tcr.Tbi0Shift).wrap().shrU(high).and(1);

/** The same for the addresses of instructions, which TBID0 and TBID1 of FEAT_PAuth exempt. */
export function ignoresTopOfCode(tcr: Value, high: Value, features: ReadonlySet<FeatureName>): Value {
  const ignored = ignoresTop(tcr, high);
  return features.has("FEAT_PAuth") ? ignored.and(tcr.shrU(Tcr.Tbid0Shift).wrap().shrU(high).and(1).not()) : ignored;
}

/** Bits of output addresses: 32 or 36 if TCR_EL1.IPS asks for it, else all that are implemented. */
function outputBits(c: Code, tcr: Value): Local {
  const size = c.let(tcr.shrU(Tcr.IpsShift).and(7));
  const bits = c.let(size.not().select(constant("i64", 32), PHYSICAL_ADDRESS_BITS));
  const wide = c.load("i32.load", CPU.STAGE2).and(WIDE_ROOT).and(size.gtU(1));
  c.if(wide, () => c.set(bits, WIDE_IPA_BITS));
  return bits;
}

/** The walk of a core. */
interface Walk extends Physical {
  readonly library: Library;
  /** Whether the leaf's descriptor may change (FEAT_HAFDBS). */
  readonly updates: boolean;
  /** `status`, or `deepStatus`. */
  readonly status: (kind: LevelFault, level: Value) => Value;
}

/** Reads the descriptor at an IPA, or fails as the walk's level does. */
function readDescriptor(
  c: Code,
  { library, stage2, ram, updates, status: statusAt }: Walk,
  { descriptor, level }: { readonly descriptor: Local; readonly level: Local },
  address: Value,
): void {
  const at = c.let(address);
  if (hasEl2(library)) {
    c.set(at, c.call(translateStage2(library), at, AccessKind.Walk));
    c.if(at.eq(-1n), () => {
      c.if(c.load("i32.load", CPU.FAULT).eq(Fault.El2), () => c.store("i32.store", CPU.FAULT, constant("i32", Fault.El2OnWalk)));
      c.return(constant("i32", 0));
    });
  }
  const entry = c.let(c.call(stage2, at));
  const onWalk = (code: Value) => {
    c.store("i64.store", CPU.WALK_IPA, at);
    c.store("i32.store", CPU.WALK_LEVEL, level);
    fail(c, Fault.Stage2OnWalk, code);
  };
  c.if(entry.and(Stage2Entry.Valid).not(), () => onWalk(status(FaultStatus.Translation, entry)));
  c.if(entry.and(Stage2Flags.Read).not(), () => onWalk(status(FaultStatus.Permission, 3)));
  const offset = c.let(entry.and(Stage2Entry.AddressMask).or(at.wrap().and((1 << PAGE_SHIFT) - 1)).sub(ram.base));
  c.if(offset.geU(ram.size), () => fail(c, Fault.Stage1, statusAt(FaultStatus.ExternalOnWalk, level)));
  c.set(descriptor, c.load("i64.load", offset, ram.wasmAddress));
  const place = offset.add(ram.wasmAddress);
  c.store("i32.store", CPU.WALK_DESCRIPTOR, updates ? place.or(entry.and(Stage2Flags.Write).not().mul(NOT_WRITABLE)) : place);
  if (!updates) return;
  c.store("i64.store", CPU.WALK_DESCRIPTOR_IPA, at);
}

/** The parts of a walk that each of its steps needs. */
interface Stage1Walk {
  readonly c: Code;
  readonly library: Library;
  readonly features: ReadonlySet<FeatureName>;
  readonly va: Value;
  readonly tcr: Value;
  /** 1 in the upper half of the address space. */
  readonly high: Value;
  readonly half: Half;
  /** All tables are those of pages of 4 KiB, with regions of no less than usual. */
  readonly isFixed: boolean;
  /** The status of a fault at a level. */
  readonly statusAt: Walk["status"];
  /** Has updates of access flag and dirty state made by hardware. */
  readonly updates: boolean;
  fault(kind: LevelFault, level: Value | number): void;
  /** Fails where an address is larger than TCR_EL1.IPS lets it be. */
  checkOutput(output: Value, level: Value | number): void;
}

/** (va) -> 1 with `CPU.WALK_IPA` and `CPU.WALK_RIGHTS`, or 0 with `CPU.FAULT`. */
function defineWalk(c: Code, library: Library, { stage2, ram }: Physical, features: ReadonlySet<FeatureName>): void {
  const granules = granulesOf(features), bank = regimeBank(c, library);
  const va = c.parameter(0);
  const tcr = c.let(tcrOf(c, library));
  const statusAt = features.has("FEAT_LPA2") ? deepStatus : status;
  const fault = (kind: LevelFault, level: Value | number) =>
    fail(c, Fault.Stage1, typeof level === "number" ? status(kind, level) : statusAt(kind, level));

  // VA[55] chooses the half of the address space, whether the top byte is ignored or not.
  const high = c.let(va.shrU(55).and(1).wrap());
  const control = c.let(tcr.shrU(high.select(constant("i64", Tcr.HalfShift), 0)).wrap());
  const ttbr = c.let(high.select(bank.load("i64.load", CPU.TTBR1_EL1), bank.load("i64.load", CPU.TTBR0_EL1)));
  const page = granuleShift(c, tcr, high, granules);
  const wide = hasWideTables(c, tcr, page, features), half: Half = { control, page, wide };
  const bits = inputBits(c, half, features), tooMany = asksForTooMany(half, features);
  const address = c.let(ignoresTop(tcr, high).select(va.shl(8).shrS(8), va));
  c.if(address.shrS(bits.wide()).ne(constant("i64", 0).sub(high.wide())), () => fault(FaultStatus.Translation, 0));
  if (tooMany) c.if(tooMany, () => fault(FaultStatus.Translation, 0));
  c.if(control.shrU(Tcr.EpdShift).and(1), () => fault(FaultStatus.Translation, 0));

  const bitsOfOutput = outputBits(c, tcr);
  const checkOutput = (output: Value, level: Value | number) => {
    c.if(output.shrU(bitsOfOutput).nonZero(), () => fault(FaultStatus.AddressSize, level));
  };

  const isFixed = granules.length === 0 && !features.has("FEAT_TTST"), updates = features.has("FEAT_HAFDBS");
  const walk: Stage1Walk = { c, library, features, va, tcr, high, half, isFixed, statusAt, updates, fault, checkOutput };
  const shape = isFixed ? smallGranule(c, bits) : granuleOf(c, half, page, bits), { shift } = shape;
  const index = c.let(address.and(constant("i64", 1).shl(bits.wide()).sub(1)).shrU(shift.wide()));
  const table = c.let(firstTable(wide, ttbr));
  checkOutput(table, 0);
  // The first table is as long as its index is wide, and aligned to that.
  c.set(table, table.and(constant("i64", -8).shl(bits.sub(shift).wide())));
  useLeaf(walk, shape, walkTables(walk, shape, { table, index }, { stage2, ram }));
}

/** The descriptor of a leaf, and the controls that the tables on the way have. */
interface Leaf {
  readonly descriptor: Local;
  readonly controls: Local;
}

/** Goes down from the first table, level by level, to a leaf. */
function walkTables(
  { c, library, va, half: { wide }, updates, statusAt: status, fault, checkOutput }: Stage1Walk,
  { level, shift, indexBits, addressMask, blocksFrom }: WalkShape,
  { table, index }: { readonly table: Local; readonly index: Local },
  { stage2, ram }: Physical,
): Leaf {
  const translationFault = (level: Value | number) => fault(FaultStatus.Translation, level);
  const controls = c.local("i32");
  c.set(controls, 0);
  const descriptor = c.local("i64");
  c.f.block((leafFound) => {
    c.f.loop((nextLevel) => {
      readDescriptor(c, { library, stage2, ram, updates, status }, { descriptor, level }, table.or(index.shl(3)));
      c.if(descriptor.and(Descriptor.Valid).not(), () => translationFault(level));
      c.if(level.eq(3), () => {
        c.if(descriptor.and(Descriptor.Table).not(), () => translationFault(3));
        c.f.br(leafFound);
      });
      c.if(descriptor.and(Descriptor.Table).not(), () => {
        c.if(wide ? level.ltS(blocksFrom) : level.ltU(blocksFrom), () => translationFault(level));
        c.f.br(leafFound);
      });
      c.set(table, (wide ? addressIn(wide, descriptor) : descriptor).and(addressMask));
      checkOutput(table, level);
      c.set(controls, controls.or(descriptor.shrU(Descriptor.TableControlsShift).wrap().and(TableControl.Mask)));
      c.set(level, level.add(1));
      c.set(shift, shift.sub(indexBits));
      c.set(index, va.shrU(shift.wide()).and(constant("i64", 1).shl(indexBits.wide()).sub(1)));
      c.f.br(nextLevel);
    });
  });
  return { descriptor, controls };
}

/** The address that a leaf leads to, and the rights that it gives. */
function useLeaf(walk: Stage1Walk, { level, shift }: WalkShape, { descriptor, controls }: Leaf): void {
  const { c, library, features, va, tcr, high, half, half: { wide }, isFixed, updates, checkOutput } = walk;
  if (features.has("FEAT_HPDS")) c.if(tcr.shrU(Tcr.Hpd0Shift).wrap().shrU(high).and(1), () => c.set(controls, 0));
  const inBlock = c.let(constant("i64", 1).shl(shift.wide()).sub(1));
  const output = c.let(addressIn(wide, descriptor).and(inBlock.xor(-1)).or(va.and(inBlock)));
  checkOutput(output, level);
  const unused = descriptor.and(Descriptor.AccessFlag).not();
  const faults = updates ? unused.and(tcr.and(Tcr.HA).not()) : unused;
  c.if(faults, () => fail(c, Fault.Stage1, status(FaultStatus.AccessFlag, level)));
  if (updates) {
    // Permissions are those of a dirty page.
    const mayBeDirty = descriptor.and(Descriptor.DirtyBitModifier).nonZero().and(managesDirty(tcr));
    c.if(mayBeDirty, () => c.set(descriptor, descriptor.and(~Descriptor.ApReadOnly)));
  }
  c.store("i64.store", CPU.WALK_IPA, output);
  // A TLBI of one page must find the entries of a leaf: blocks of 2 MiB, and all that is larger.
  const giant = isFixed ? level.eq(1) : shift.gtU(SMALL_BLOCK_SHIFT);
  const small = isFixed ? level.eq(2) : shift.eq(SMALL_BLOCK_SHIFT), block = wide ? small.or(shift.gtU(GIANT_BLOCK_SHIFT)) : small;
  const guards = features.has("FEAT_BTI");
  c.store("i32.store", CPU.WALK_RIGHTS, leafRights(c, library, { descriptor, controls }, { level, block, giant, half, guards }));
  c.result(constant("i32", 1));
}

/** How a walk goes down: levels as i32, the mask of table addresses as i64. */
interface WalkShape {
  /** The first level. */
  readonly level: Local;
  /** The lowest bit of its index. */
  readonly shift: Local;
  readonly indexBits: Value;
  readonly addressMask: Value;
  /** The first level that may have blocks. */
  readonly blocksFrom: Value;
}

/** log2 of the bytes of a block at levels 2 and 1 with pages of 4 KiB. */
const SMALL_BLOCK_SHIFT = PAGE_SHIFT + INDEX_BITS, GIANT_BLOCK_SHIFT = SMALL_BLOCK_SHIFT + INDEX_BITS;

/** The address in a descriptor. */
function addressIn(wide: Value | undefined, descriptor: Value): Value {
  const plain = descriptor.and(Descriptor.Address);
  const highest = () => descriptor.shrU(Descriptor.ShareabilityShift).and(3).shl(Descriptor.HighestShift);
  return wide ? wide.select(descriptor.and(Descriptor.WideAddress).or(highest()), plain) : plain;
}

/** The address in a TTBR: bits 47:1; with addresses of 52 bits 47:6, and 51:48 at 5:2. */
function firstTable(wide: Value | undefined, ttbr: Value): Value {
  const plain = ttbr.and(Descriptor.Root);
  return wide ? wide.select(ttbr.and(0x0000_ffff_ffff_ffc0n).or(ttbr.shrU(2).and(0xf).shl(48)), plain) : plain;
}

/** Pages of 4 KiB, at least two levels of them. */
function smallGranule(c: Code, bits: Value): WalkShape {
  const level = c.let(bits.gtU(39).select(constant("i32", 0), bits.gtU(30).select(constant("i32", 1), 2)));
  const shift = c.let(constant("i32", PAGE_SHIFT + 3 * INDEX_BITS).sub(level.mul(INDEX_BITS)));
  return {
    level,
    shift,
    indexBits: constant("i32", INDEX_BITS),
    addressMask: constant("i64", Descriptor.Address),
    blocksFrom: constant("i32", 1),
  };
}

/**
 * Pages of any size. An address space may be as small as one table (FEAT_TTST), and with FEAT_LPA2
 * begin at level -1.
 */
function granuleOf(c: Code, { wide }: Half, page: Local, bits: Value): WalkShape {
  const indexBits = c.let(page.sub(3));
  // As many levels as the index has parts, of which the first may be shorter.
  const level = c.let(constant("i32", 4).sub(bits.sub(page).add(indexBits).sub(1).divU(indexBits)));
  const shift = c.let(page.add(constant("i32", 3).sub(level).mul(indexBits)));
  const abovePage = constant("i64", -1).shl(page.wide());
  const addressMask = c.let(wide ? abovePage : constant("i64", Descriptor.Address).and(abovePage));
  const blocksFrom = page.eq(PAGE_SHIFT).select(constant("i32", 1), 2);
  return { level, shift, indexBits, addressMask, blocksFrom: c.let(wide ? blocksFrom.sub(wide) : blocksFrom) };
}

/**
 * `Rights` of a leaf, hierarchical controls and SCTLR_EL1.WXN included. Arm ARM D5.4.5 to D5.4.8.
 */
function leafRights(
  c: Code,
  library: Library,
  leaf: Leaf,
  { level, block, giant, half, guards }: {
    readonly level: Value;
    readonly block: Value;
    readonly giant: Value;
    readonly half: Half;
    readonly guards: boolean;
  },
): Value {
  const bank = regimeBank(c, library);
  const [descriptor, controls] = hasEl2(library)
    ? readSingleLeaf(c, leaf.descriptor, leaf.controls, SINGLE_BITS)
    : [leaf.descriptor, leaf.controls];
  const flag = (mask: bigint) => descriptor.and(mask).nonZero();
  const control = (mask: number) => controls.and(mask).not();
  const user = c.let(flag(Descriptor.ApUser).and(control(TableControl.NoUser)));
  const writable = c.let(flag(Descriptor.ApReadOnly).not().and(control(TableControl.NoWrite)));
  const userWritable = c.let(user.and(writable));
  const wxn = c.let(bank.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.WXN).nonZero());
  const el0Execute = flag(Descriptor.Uxn).not().and(control(TableControl.Xn)).and(wxn.and(userWritable).not());
  // EL1 never executes pages that EL0 may write.
  const el1Execute = flag(Descriptor.Pxn).not().and(control(TableControl.Pxn)).and(userWritable.not()).and(wxn.and(writable).not());
  const attributes = c.let(
    bank.load("i64.load", CPU.MAIR_EL1).shrU(descriptor.shrU(Descriptor.AttributeIndexShift).and(7).shl(3)).wrap().and(0xff),
  );
  const inLeaf = descriptor.shrU(Descriptor.ShareabilityShift).wrap();
  const shareability = half.wide ? half.wide.select(half.control.shrU(Tcr.Sh0Shift), inLeaf) : inLeaf;
  const bit = (value: Value, mask: number) => value.mul(mask);
  const rights = bit(user, Rights.El0Read | Rights.User)
    .or(bit(userWritable, Rights.El0Write))
    .or(bit(el0Execute, Rights.El0Execute))
    .or(Rights.El1Read)
    .or(bit(writable, Rights.El1Write))
    .or(bit(el1Execute, Rights.El1Execute))
    .or(bit(attributes.and(0xf0).not(), Rights.Device))
    .or(bit(flag(Descriptor.NonGlobal), Rights.NonGlobal))
    .or(bit(block, Rights.Block))
    .or(bit(giant, Rights.Giant))
    .or(level.shl(Rights.LevelShift))
    .or(shareability.and(3).shl(Rights.ShareabilityShift))
    .or(attributes.shl(Rights.AttributesShift));
  return guards ? rights.or(bit(flag(Descriptor.Guarded), Rights.Guarded)) : rights;
}
