// SYS instructions: cache and TLB maintenance, address translation. Arm ARM C5.3, C5.4 (AT), C5.5
// (TLBI), D13.2.111 (PAR_EL1).
//
// Caches need no maintenance here: memory is coherent and decoded instructions follow stores
// (CTR_EL0.IDC and DIC). Only the privilege checks of IC and DC remain and, for those by address,
// stage-1 faults and stage-2 faults of unmapped pages.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { Pstate, Sctlr } from "../architecture/exceptions.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { raiseAbort } from "../memory/aborts.ts";
import { mmuFunction, Rights } from "../memory/mmu.ts";
import { AccessKind, Fault } from "../memory/translation.ts";
import { translateStage2 } from "../memory/stage2-walk.ts";
import { tlbFunction, Tlbi } from "../memory/tlb.ts";
import { hasEl2, raiseToEl2, regimeBank } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { Access, callee, define as defineFunction } from "../state/functions.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { AT_OF_BOTH, AT_OF_EL2, DC_ZVA, inRegimeOfEl1, invalidateRegime, tlbiOfEl2, trapsInstruction } from "./el2-instructions.ts";

/** op1:CRn:CRm:op2 in 14 bits, as the instruction has them. */
export function encodeSystemInstruction(op1: number, crn: number, crm: number, op2: number): number {
  return op1 << 11 | crn << 7 | crm << 3 | op2;
}

const TLBI_CRN = 8;
/** The forms that need not wait for accesses with the XS attribute (FEAT_XS): none has it here. */
const TLBI_NXS_CRN = 9;
/** Forms of TLBI by CRm: whether other CPUs do the same, and the feature that has the form. */
const TLBI_SCOPES: readonly (readonly [crm: number, broadcast: 0 | 1, feature?: FeatureName])[] = [
  [7, 0],
  [3, 1],
  [1, 1, "FEAT_TLBIOS"],
];
/** The same for ranges, whose op2 is that of a page. */
const TLBI_RANGE_SCOPES: readonly (readonly [crm: number, broadcast: 0 | 1, feature: FeatureName])[] = [
  [6, 0, "FEAT_TLBIRANGE"],
  [2, 1, "FEAT_TLBIRANGE"],
  [5, 1, "FEAT_TLBIRANGE"],
];

/** TLBI by op2. Last-level forms are as good as the plain one here. */
const TLBI_OPERATIONS: readonly [op2: number, kind: number][] = [
  [0, Tlbi.All],
  [1, Tlbi.Page],
  [2, Tlbi.Asid],
  [3, Tlbi.PageOfAll],
  [5, Tlbi.Page],
  [7, Tlbi.PageOfAll],
];

/**
 * Maintenance without an address, or by set and way: EL1 only, nothing to do. IC IALLUIS, IC IALLU;
 * DC ISW, DC CSW, DC CISW.
 */
const WHOLE_CACHE = [[0, 7, 1, 0], [0, 7, 5, 0], [0, 7, 6, 2], [0, 7, 10, 2], [0, 7, 14, 2]] as const;
/** DC IVAC: EL1 only. */
const DC_IVAC = [0, 7, 6, 1] as const;
/**
 * Maintenance by address that SCTLR_EL1.UCI gives to EL0: DC CVAC, DC CVAU, DC CVAP (FEAT_DPB), DC
 * CIVAC.
 */
const CLEAN_BY_ADDRESS = [[3, 7, 10, 1], [3, 7, 11, 1], [3, 7, 12, 1], [3, 7, 14, 1]] as const;
/** Clean to the point of deep persistence, of FEAT_DPB2. */
const DC_CVADP = [3, 7, 13, 1] as const;
const IC_IVAU = [3, 7, 5, 1] as const;

/**
 * Whether a cache operation can fault by its address, or cannot ("all"). It has no other effect
 * here. Undefined for other operations.
 */
export function cacheMaintenanceOf(encoding: number): "address" | "all" | undefined {
  const is = (fields: readonly [number, number, number, number]) => encodeSystemInstruction(...fields) === encoding;
  if (WHOLE_CACHE.some(is) || is(IC_IVAU)) return "all";
  return [...CLEAN_BY_ADDRESS, DC_IVAC].some(is) ? "address" : undefined;
}

/** AT S1E1R, S1E1W, S1E0R, S1E0W: op1 0, CRn 7, CRm 8; op2 bit 0 is write, bit 1 EL0. */
const AT = [0, 7, 8] as const;

/** AT S1E1RP and S1E1WP, which obey PSTATE.PAN. */
const AT_PAN = [0, 7, 9] as const;
/** CFP RCTX, DVP RCTX, CPP RCTX: nothing is predicted here. */
const RESTRICTIONS = [[3, 7, 3, 4], [3, 7, 3, 5], [3, 7, 3, 7]] as const;

/** PAR_EL1. */
const Par = { F: 1, FstShift: 1, Ptw: 1 << 8, Stage2: 1 << 9, Res1: 1 << 11, ShareabilityShift: 7, AttributesShift: 56 } as const;

/** An operation of TLBI as its fields encode it. */
interface TlbiForm {
  readonly crm: number;
  readonly op2: number;
  readonly kind: number;
  readonly broadcast: 0 | 1;
}

/** The forms of a CPU: of all, of an ASID, of a page, and of a range of pages. */
function tlbiForms(features: ReadonlySet<FeatureName>): TlbiForm[] {
  const plain = TLBI_SCOPES.filter(([, , feature]) => feature === undefined || features.has(feature));
  const ranges = TLBI_RANGE_SCOPES.filter(([, , feature]) => features.has(feature));
  return [
    ...plain.flatMap(([crm, broadcast]) => TLBI_OPERATIONS.map(([op2, kind]) => ({ crm, op2, kind, broadcast }))),
    ...ranges.flatMap(([crm, broadcast]) =>
      TLBI_OPERATIONS.flatMap(([op2, kind]) =>
        kind === Tlbi.Page || kind === Tlbi.PageOfAll ? [{ crm, op2, kind: Tlbi.Range, broadcast }] : []
      )
    ),
  ];
}

/** The forms of AT of a CPU, and their accesses. */
function translations(
  features: ReadonlySet<FeatureName>,
): (readonly [fields: readonly [number, number, number, number], access: number])[] {
  const writes = (op2: number) => AccessKind.Maintenance | (op2 & 1 ? AccessKind.Write : 0) | 1;
  const plain = [0, 1, 2, 3].map((op2) =>
    [[...AT, op2], writes(op2) | AccessKind.IgnorePan | (op2 & 2 ? Access.Unprivileged : 0)] as const
  );
  return features.has("FEAT_PAN2") ? [...plain, ...[0, 1].map((op2) => [[...AT_PAN, op2], writes(op2)] as const)] : plain;
}

/** Defines `systemInstruction` and `checkZeroAllowed` of the seam. */
export function defineSystemInstructions(library: Library, features: ReadonlySet<FeatureName>): void {
  const undefinedInstruction = callee(library, "raiseUndefined");
  const systemSyndrome = library.get("systemSyndrome", [], ["i32"]);
  const translateMaintenance = mmuFunction(library, "translateMaintenance");
  const atEl0 = (c: Code) => c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).not();
  /** At EL0: traps to EL1 unless a bit of SCTLR_EL1 allows the instruction. */
  const trapUnless = (c: Code, mask: number, body: () => void) => {
    c.if(
      atEl0(c).and(regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1).and(mask).not()),
      () => c.run(exceptionFunction(library, "raise"), c.call(systemSyndrome)),
      body,
    );
  };
  const el1Only = (c: Code, body: () => void) => c.if(atEl0(c), () => c.run(undefinedInstruction), body);
  /** Below EL2, which may trap the instruction. */
  const unlessTrapped = (c: Code, fields: readonly [number, number, number, number], body: () => void) => {
    const traps = hasEl2(library) ? trapsInstruction(c, fields, features) : undefined;
    if (!traps) return body();
    c.if(traps, () => c.run(raiseToEl2(library), c.call(systemSyndrome)), body);
  };

  {
    const c = new Code(defineFunction(library, "systemInstruction"));
    const encoding = c.parameter(0), operand = c.parameter(1);
    const on = (fields: readonly [number, number, number, number], body: () => void) => {
      c.if(encoding.eq(encodeSystemInstruction(...fields)), () => {
        body();
        c.return();
      });
    };
    /** Faults of cache maintenance by address. */
    const translated = () => {
      const access = AccessKind.Maintenance | 1;
      c.if(c.call(translateMaintenance, operand, access).not(), () => c.run(raiseAbort(library), operand, access));
    };
    for (const crn of features.has("FEAT_XS") ? [TLBI_CRN, TLBI_NXS_CRN] : [TLBI_CRN]) {
      c.if(encoding.shrU(7).eq(crn), () => {
        for (const { crm, op2, kind, broadcast } of tlbiForms(features)) {
          const fields = [0, crn, crm, op2] as const,
            invalidate = () => {
              if (hasEl2(library)) invalidateRegime(c, library, kind, operand, broadcast);
              else c.run(tlbFunction(library, "tlbi"), kind, operand, broadcast);
            };
          on(fields, () => el1Only(c, () => unlessTrapped(c, fields, invalidate)));
        }
      });
    }
    const byAddress = features.has("FEAT_DPB2") ? [...CLEAN_BY_ADDRESS, DC_CVADP] : CLEAN_BY_ADDRESS;
    for (const fields of byAddress) on(fields, () => trapUnless(c, Sctlr.UCI, () => unlessTrapped(c, fields, translated)));
    on(IC_IVAU, () => trapUnless(c, Sctlr.UCI, () => unlessTrapped(c, IC_IVAU, () => {})));
    on(DC_IVAC, () => el1Only(c, () => unlessTrapped(c, DC_IVAC, translated)));
    for (const fields of WHOLE_CACHE) on(fields, () => el1Only(c, () => unlessTrapped(c, fields, () => {})));
    for (const [fields, access] of translations(features)) {
      const translate = () => addressTranslate(c, library, operand, access);
      on(fields, () => el1Only(c, () => unlessTrapped(c, fields, () => hasEl2(library) ? inRegimeOfEl1(c, translate) : translate())));
    }
    if (hasEl2(library)) {
      const atEl2 = (body: () => void) => c.if(c.load("i32.load", CPU.PSTATE).and(Pstate.EL2), body, () => c.run(undefinedInstruction));
      for (const [fields, invalidate] of tlbiOfEl2(features)) on(fields, () => atEl2(() => invalidate(c, library, operand)));
      for (const [fields, access] of AT_OF_EL2) on(fields, () => atEl2(() => addressTranslate(c, library, operand, access)));
      for (const [fields, access] of AT_OF_BOTH) {
        on(fields, () => atEl2(() => inRegimeOfEl1(c, () => addressTranslate(c, library, operand, access, true))));
      }
    }
    const restrictions = features.has("FEAT_SPECRES") ? RESTRICTIONS : [];
    for (const fields of restrictions) on(fields, () => trapUnless(c, Sctlr.EnRCTX, () => {}));
    c.run(undefinedInstruction);
  }

  {
    const c = new Code(defineFunction(library, "checkZeroAllowed"));
    const zva = () => unlessTrapped(c, DC_ZVA, () => {});
    if (hasEl2(library)) c.if(atEl0(c), () => trapUnless(c, Sctlr.DZE, zva), zva);
    else trapUnless(c, Sctlr.DZE, () => {});
  }
}

/** The address of both stages, or -1. */
function throughBoth(
  c: Code,
  library: Library,
  { stage1, ipa, access }: { readonly stage1: Value; readonly ipa: Value; readonly access: number },
): Value {
  const address = c.let(constant("i64", -1));
  c.if(stage1, () => c.set(address, c.call(translateStage2(library), ipa, access)));
  return address;
}

/** AT: sets PAR_EL1, for stage 1 or for both stages. */
function addressTranslate(c: Code, library: Library, va: Value, access: number, both = false): void {
  const stage1 = c.call(mmuFunction(library, "translateStage1"), va, access), ipa = c.load("i64.load", CPU.WALK_IPA);
  const address = both ? throughBoth(c, library, { stage1, ipa, access }) : ipa;
  c.if(both ? address.ne(-1n) : stage1, () => {
    const rights = c.let(c.load("i32.load", CPU.WALK_RIGHTS).wide());
    const field = (shift: number, mask: number, at: number) => rights.shrU(shift).and(mask).shl(at);
    c.store(
      "i64.store",
      CPU.PAR_EL1,
      address.and(-PAGE_SIZE).or(Par.Res1)
        .or(field(Rights.ShareabilityShift, 3, Par.ShareabilityShift)).or(field(Rights.AttributesShift, 0xff, Par.AttributesShift)),
    );
  }, () => {
    // A stage-2 fault on the walk is EL2's, not the register's.
    const fault = c.load("i32.load", CPU.FAULT), onWalk = fault.eq(Fault.El2OnWalk), isEl2s = fault.eq(Fault.Stage2OnWalk);
    const isRaised = hasEl2(library) ? isEl2s.or(onWalk.and(c.load("i32.load", CPU.PSTATE).and(Pstate.EL2).not())) : isEl2s;
    c.if(isRaised, () => c.run(raiseAbort(library), va, access), () => {
      const status = c.load("i32.load", CPU.FAULT_STATUS).shl(Par.FstShift);
      const ofStage2 = fault.geU(Fault.El2).mul(Par.Stage2).or(onWalk.mul(Par.Ptw));
      const found = (hasEl2(library) ? status.or(ofStage2) : status).wide();
      c.store("i64.store", CPU.PAR_EL1, found.or(constant("i64", Par.F | Par.Res1)));
    });
  });
}
