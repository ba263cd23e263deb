// Pointer authentication: what PAC, AUT, XPAC and the branches that authenticate compute. Arm ARM
// D8.10, J1.1.3 (AddPAC, Auth, Strip, CalculateBottomPACBit). The code is Arm's cipher or, with
// FEAT_PACIMP, a hash of el2's own that takes three multiplications: enough to find a pointer that
// was changed by mistake, not to resist an attacker who can ask for many codes.
//
// Where a code lies depends on TCR alone, so that is computed when TCR changes (`updatePointers`).
// With FEAT_EL2, the regime in use says whose, and EL2 may trap the use of a key (HCR_EL2.API).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { ExceptionClass, Pstate, Sctlr, syndrome } from "../architecture/exceptions.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import { granulesOf, Tcr } from "../architecture/translation-control.ts";
import { hcr, trapReturn } from "../exceptions/el2-entry.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { granuleShift, hasWideTables, inputBits } from "../memory/granules.ts";
import { ignoresTop, ignoresTopOfCode } from "../memory/mmu.ts";
import { hasOneRange, tcrOfEl2 } from "../memory/regimes.ts";
import { defineQarma, QARMA3, QARMA5 } from "../simd/qarma.ts";
import { hasEl2, raiseToEl2, regimeBank } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { isGuest } from "./el2-controls.ts";

/** SCTLR_EL1's bits that turn the keys IA, IB, DA and DB on. */
const ENABLES = [Sctlr.EnIA, Sctlr.EnIB, Sctlr.EnDA, Sctlr.EnDB];
/** Bit 55 tells the halves of the address space apart, and is never part of a code. */
const HALF_BIT = 55n;

/** ISS of a trapped ERET: ERETAA or ERETAB; bit 0 for the second. */
const AUTHENTICATES = 2;

/** Bytes of a key. */
const KEY_SIZE = 16;

/** Defines the functions that the entries of cpu/isa/general/pointer-authentication.ts call. */
export function definePointerAuthentication(library: Library, features: ReadonlySet<FeatureName>): void {
  defineUpdate(library, features);
  defineCode(library, features);
  defineSign(library, features);
  defineAuthenticate(library, features);
  defineFailure(library, "failsAuthentication", features.has("FEAT_FPAC"));
  defineFailure(library, "failsCombined", features.has("FEAT_FPACCOMBINE"));
  defineStrip(library);
  const raise = new Code(library.define("raiseAuthenticationFailure", ["i32"], []));
  // ISS: bit 1 for a key of data, bit 0 for a B key.
  raise.run(exceptionFunction(library, "raise"), raise.parameter(0).or(syndrome(ExceptionClass.PointerAuthentication, 0)));
  defineExceptionReturn(library, features);
}

/** () : what follows from TCR_EL1, or from TCR_EL2 in the form that HCR_EL2.E2H gives it. */
export const updatePointers = (library: Library, el: 1 | 2) => library.get(el === 1 ? "updatePointers" : "updatePointersOfEl2", [], []);

/** `updatePointers`: `CPU.PAC_MASKS` and `CPU.PAC_HALF_BITS`. */
function defineUpdate(library: Library, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("updatePointers", [], [], true));
  updateFrom(c, c.load("i64.load", CPU.TCR_EL1), { masks: CPU.PAC_MASKS, halfBits: CPU.PAC_HALF_BITS }, features);
  if (!hasEl2(library)) return;
  const ofEl2 = new Code(library.define("updatePointersOfEl2", [], [], true));
  const fields = { masks: CPU.PAC_MASKS_EL2, halfBits: CPU.PAC_HALF_BITS_EL2 };
  updateFrom(ofEl2, ofEl2.call(tcrOfEl2(library)), fields, features);
  // A regime of one range has the lower half's for every pointer.
  ofEl2.if(hasOneRange(ofEl2), () => {
    for (const data of [0, 1]) {
      const lower = ofEl2.let(ofEl2.load("i64.load", fields.masks + 16 * data));
      ofEl2.store("i64.store", fields.masks + 16 * data + 8, lower);
    }
  });
}

function updateFrom(
  c: Code,
  control: Value,
  at: { readonly masks: number; readonly halfBits: number },
  features: ReadonlySet<FeatureName>,
): void {
  const tcr = c.let(control);
  const kinds = [(high: Value) => ignoresTopOfCode(tcr, high, features), (high: Value) => ignoresTop(tcr, high)];
  // From the lowest bit that no address has.
  const masks = [0, 1].map((high) => {
    const page = granuleShift(c, tcr, constant("i32", high), granulesOf(features));
    const half = { control: tcr.shrU(Tcr.HalfShift * high).wrap(), page, wide: hasWideTables(c, tcr, page, features) };
    const bits = inputBits(c, half, features);
    return c.let(constant("i64", -1).shl(bits.wide()).and(~(1n << HALF_BIT)));
  });
  for (const [data, ignores] of kinds.entries()) {
    const ignored = [0, 1].map((high) => c.let(ignores(constant("i32", high))));
    for (const [high, mask] of masks.entries()) {
      // Up to the tag.
      c.store("i64.store", at.masks + 16 * data + 8 * high, mask.and(ignored[high].select(constant("i64", (1n << 56n) - 1n), -1)));
    }
    c.store("i64.store", at.halfBits + 8 * data, ignored[0].or(ignored[1]).select(constant("i64", HALF_BIT), 63));
  }
}

/** `pointerCode` (data, modifier, address of the key) -> code, and `genericCode`. */
function defineCode(library: Library, features: ReadonlySet<FeatureName>): void {
  const cipher = features.has("FEAT_PACQARMA5") ? QARMA5 : features.has("FEAT_PACQARMA3") ? QARMA3 : undefined;
  if (cipher) defineQarma(library, "qarma", cipher);
  const c = new Code(library.define("pointerCode", ["i64", "i64", "i32"], ["i64"]));
  const data = c.parameter(0), modifier = c.parameter(1), key = c.parameter(2);
  const low = c.load("i64.load", key), high = c.load("i64.load", key, 8);
  c.result(cipher ? c.call(library.named("qarma"), data, modifier, high, low) : hash(c, data.xor(low), modifier.xor(high)));

  const generic = new Code(library.define("genericCode", ["i64", "i64"], ["i64"]));
  const [pointer, second] = [generic.parameter(0), generic.parameter(1)];
  trapUse(generic, library);
  generic.result(generic.call(library.named("pointerCode"), pointer, second, CPU.APGAKeyLo_EL1).and(~0xffff_ffffn));
}

/** el2's own code: two words that have the key in them. */
function hash(c: Code, a: Value, b: Value): Value {
  const mixed = (value: Value, factor: bigint, shift: number) => {
    const product = c.let(value.mul(BigInt.asIntN(64, factor)));
    return product.xor(product.shrU(shift));
  };
  const first = mixed(a, 0x9e37_79b9_7f4a_7c15n, 32);
  return mixed(mixed(first.add(b), 0xbf58_476d_1ce4_e5b9n, 29), 0x94d0_49bb_1331_11ebn, 32);
}

/** A pointer as a code sees it. */
interface Pointer {
  /** Bits of the code, and those with bit 55. */
  readonly mask: Local;
  readonly extension: Local;
  /** Whether it belongs to the upper half. */
  readonly high: Local;
  /** All bits of the extension, in the upper half; none in the lower. */
  readonly canonical: Local;
}

/** The half of the address space that a bit (i64) of a pointer chooses; the code's place there. */
function pointerOf(c: Code, library: Library, pointer: Value, bit: Value, data: Value): Pointer {
  const high = c.let(pointer.shrU(bit).wrap().and(1));
  const mask = c.let(ofRegime(c, library, "PAC_MASKS", data.shl(4).or(high.shl(3))));
  const extension = c.let(mask.or(1n << HALF_BIT));
  return { mask, extension, high, canonical: c.let(high.select(extension, constant("i64", 0))) };
}

/** An entry of `CPU.PAC_MASKS` or `CPU.PAC_HALF_BITS`, or of what EL2's regime has there. */
function ofRegime(c: Code, library: Library, name: "PAC_MASKS" | "PAC_HALF_BITS", offset: Value): Value {
  if (!hasEl2(library)) return c.load("i64.load", offset, CPU[name]);
  const isEl2 = c.load("i32.load", CPU.REGIME_BANK).nonZero();
  return c.load("i64.load", offset.add(isEl2.select(constant("i32", CPU[`${name}_EL2`]), CPU[name])));
}

const isOn = (c: Code, library: Library, key: Value): Value => {
  const enable = ENABLES.reduceRight<Value>((other, bit, index) => key.eq(index).select(constant("i32", bit), other), constant("i32", 0));
  return regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1).and(enable);
};

/** The use of a key goes to EL2 where that asks for it; the function ends then. */
function trapUse(c: Code, library: Library): void {
  if (!hasEl2(library)) return;
  c.if(isGuest(c).and(hcr(c).and(Hcr.API).eq(0n)), () => {
    c.run(raiseToEl2(library), syndrome(ExceptionClass.PointerUse, 0));
    c.return(...c.f.results.map(() => constant("i64", 0)));
  });
}

const codeOf = (c: Code, library: Library, data: Value, modifier: Value, key: Value) =>
  c.call(library.named("pointerCode"), data, modifier, key.mul(KEY_SIZE).add(CPU.APIAKeyLo_EL1));

/** `signPointer`: (pointer, modifier, key 0 to 3) -> pointer with its code. AddPAC. */
function defineSign(library: Library, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("signPointer", ["i64", "i64", "i32"], ["i64"]));
  const pointer = c.parameter(0), modifier = c.parameter(1), key = c.parameter(2), data = c.let(key.shrU(1));
  c.if(isOn(c, library, key).not(), () => c.return(pointer));
  trapUse(c, library);
  const { mask, extension, canonical } = pointerOf(c, library, pointer, ofRegime(c, library, "PAC_HALF_BITS", data.shl(3)), data);
  const address = c.let(pointer.and(extension.xor(-1)));
  const code = c.let(codeOf(c, library, address.or(canonical), modifier, key));
  const half = canonical.and(1n << HALF_BIT);
  if (features.has("FEAT_PAuth2")) {
    c.result(code.xor(pointer).and(mask).or(half).or(address));
    return;
  }
  // A pointer that is not canonical gets a wrong code.
  const bits = c.let(pointer.and(extension));
  c.if(bits.nonZero().and(bits.ne(extension)), () => {
    if (features.has("FEAT_EPAC")) c.set(code, 0);
    else c.set(code, code.xor(mask.shrU(63).nonZero().select(constant("i64", 1n << 62n), 1n << 54n)));
  });
  c.result(code.and(mask).or(half).or(address));
}

/** `authenticatePointer`: (pointer, modifier, key) -> the address, or one that faults. Auth. */
function defineAuthenticate(library: Library, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("authenticatePointer", ["i64", "i64", "i32"], ["i64"]));
  const pointer = c.parameter(0), modifier = c.parameter(1), key = c.parameter(2), data = c.let(key.shrU(1));
  c.if(isOn(c, library, key).not(), () => c.return(pointer));
  trapUse(c, library);
  const { mask, extension, canonical } = pointerOf(c, library, pointer, constant("i64", HALF_BIT), data);
  const original = c.let(pointer.and(extension.xor(-1)).or(canonical));
  const code = c.let(codeOf(c, library, original, modifier, key).and(mask));
  if (features.has("FEAT_PAuth2")) {
    c.result(pointer.xor(code));
    return;
  }
  c.if(code.eq(pointer.and(mask)), () => c.return(original));
  // The error is 01 for an A key and 10 for a B key, at 62:61, or at 54:53 below a tag.
  const lowest = c.let(mask.shrU(63).nonZero().select(constant("i64", 61), 53));
  const error = constant("i64", 1).shl(key.and(1).wide());
  c.result(original.and(constant("i64", 3).shl(lowest).xor(-1)).or(error.shl(lowest)));
}

/** (authenticated address, key) -> whether that raises an exception: 0 where it never does. */
function defineFailure(library: Library, name: string, raises: boolean): void {
  const c = new Code(library.define(name, ["i64", "i32"], ["i32"]));
  if (!raises) return c.result(constant("i32", 0));
  const address = c.parameter(0), key = c.parameter(1);
  const { extension, canonical } = pointerOf(c, library, address, constant("i64", HALF_BIT), key.shrU(1));
  c.result(address.and(extension).ne(canonical).and(isOn(c, library, key).nonZero()));
}

/** `stripPointer`: (pointer, 1 for data) -> the pointer without a code. */
function defineStrip(library: Library): void {
  const c = new Code(library.define("stripPointer", ["i64", "i32"], ["i64"]));
  const { extension, canonical } = pointerOf(c, library, c.parameter(0), constant("i64", HALF_BIT), c.parameter(1));
  c.result(c.parameter(0).and(extension.xor(-1)).or(canonical));
}

/** `authenticatedExceptionReturn`: (key, SP): ERETAA and ERETAB. */
function defineExceptionReturn(library: Library, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("authenticatedExceptionReturn", ["i32", "i64"], []));
  const key = c.parameter(0), stack = c.parameter(1);
  if (hasEl2(library)) trapReturn(c, library, features, key.or(AUTHENTICATES));
  c.if(c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask), () => {
    const elr = regimeBank(c, library).load("i64.load", CPU.ELR_EL1);
    const address = c.let(c.call(library.named("authenticatePointer"), elr, stack, key));
    if (hasEl2(library)) c.if(c.load("i32.load", CPU.PENDING), () => c.return());
    c.if(c.call(library.named("failsCombined"), address, key), () => {
      c.run(library.named("raiseAuthenticationFailure"), key);
      c.return();
    });
    c.run(exceptionFunction(library, "returnTo"), address);
  }, () => c.run(callee(library, "raiseUndefined")));
}
