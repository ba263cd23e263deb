// The regimes of EL2 for walks. With HCR_EL2.E2H it is EL2&0, which is as that of EL1. Without, it
// has one range of addresses and no EL0: TCR_EL2 is read as a TCR_EL1 without its upper half, and a
// leaf as one of EL1 alone. Arm ARM D5.2.3, D5.4, D13.2.132 (TCR_EL2).

import { Hcr } from "../architecture/hypervisor-control.ts";
import { MOVED_FIELDS, NO_UPPER_HALF, SAME_FIELDS } from "../architecture/translation-control.ts";
import { hcr } from "../exceptions/el2-entry.ts";
import { hasEl2 } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { Code, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** () -> i64: TCR of the regime in use, in the form of TCR_EL1. */
export const regimeTcr = (library: Library) => library.get("regimeTcr", [], ["i64"]);

/** The same as a value. */
export const tcrOf = (c: Code, library: Library): Value => hasEl2(library) ? c.call(regimeTcr(library)) : c.load("i64.load", CPU.TCR_EL1);

/** Whether the regime in use is that of EL2 without E2H. */
export const isSingle = (c: Code): Value => c.load("i32.load", CPU.REGIME_BANK).nonZero().and(hasOneRange(c));

/** () -> i64: TCR_EL2 in the form of TCR_EL1. */
export const tcrOfEl2 = (library: Library) => library.get("tcrOfEl2", [], ["i64"]);

/** Whether EL2's regime has one range of addresses. */
export const hasOneRange = (c: Code): Value => hcr(c).and(Hcr.E2H).eq(0n);

/** `regimeTcr` and `tcrOfEl2`. */
export function defineRegimes(library: Library): void {
  const c = new Code(library.define("regimeTcr", [], ["i64"]));
  c.if(c.load("i32.load", CPU.REGIME_BANK).not(), () => c.return(c.load("i64.load", CPU.TCR_EL1)));
  c.result(c.call(tcrOfEl2(library)));

  const ofEl2 = new Code(library.define("tcrOfEl2", [], ["i64"]));
  const tcr = ofEl2.let(ofEl2.load("i64.load", CPU.TCR_EL2));
  ofEl2.if(hasOneRange(ofEl2).not(), () => ofEl2.return(tcr));
  const moved = MOVED_FIELDS.map(([from, mask, to]) => tcr.shrU(from).and(mask).shl(to));
  ofEl2.result(moved.reduce((sum, field) => sum.or(field), tcr.and(SAME_FIELDS).or(NO_UPPER_HALF)));
}

/** Bits of a leaf, and of the controls of tables, that a regime without EL0 reads otherwise. */
interface LeafBits {
  readonly user: bigint;
  readonly nonGlobal: bigint;
  readonly pxn: bigint;
  /** Controls: no writes; XN, whose next lower bit is PXN's. */
  readonly noWrite: number;
  readonly tableXn: number;
}

/** A leaf and the controls on the way to it, as those of a regime with EL0: XN is PXN as well. */
export function readSingleLeaf(c: Code, descriptor: Value, controls: Value, bits: LeafBits): readonly [descriptor: Value, controls: Value] {
  const { user, nonGlobal, pxn, noWrite, tableXn } = bits, single = c.let(isSingle(c));
  const leaf = descriptor.and(~(user | nonGlobal | pxn)).or(descriptor.shrU(1).and(pxn));
  const kept = controls.and(noWrite | tableXn);
  return [c.let(single.select(leaf, descriptor)), c.let(single.select(kept.or(controls.and(tableXn).shrU(1)), controls))];
}

/** Whether memory of EL1&0 is cacheable by default, with stage 1 off. */
export const isDefaultCacheable = (c: Code): Value => c.load("i32.load", CPU.REGIME_BANK).not().and(hcr(c).and(Hcr.DC).nonZero());

/**
 * Whether stage 1 of EL1&0 is off although SCTLR_EL1.M is set: EL0 below an EL2 that is not a host,
 * and HCR_EL2.DC.
 */
export const isOverridden = (c: Code): Value =>
  c.load("i32.load", CPU.REGIME_BANK).not().and(hcr(c).and(Hcr.TGE | Hcr.E2H).eq(Hcr.TGE)).or(isDefaultCacheable(c));
