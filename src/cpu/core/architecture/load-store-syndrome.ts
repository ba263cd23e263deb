// The part of a data abort's syndrome that the instruction's encoding gives: ISV, SAS, SSE, SRT,
// SF, AR. Arm ARM D13.2.37 (ISS of data aborts). EL2 gets it for single general-purpose registers
// without write-back, so that a hypervisor can emulate the access.

import { AbortSyndrome } from "./exceptions.ts";

const matches = (word: number, mask: number, value: number) => ((word & mask) >>> 0) === (value >>> 0);

/**
 * Bits 24:14 of the ISS for a stage-2 data abort on the load or store `word`; 0 (ISV clear) for
 * instructions that have none: pairs, exclusives, atomics, vector registers, register write-back,
 * and anything that is not a load or store.
 */
export function loadStoreSyndrome(word: number): number {
  const size = word >>> 30;
  const register = word & 31;
  // Load or store of one general-purpose register (V clear): unsigned offset; unscaled and
  // unprivileged; register offset.
  const unsignedOffset = matches(word, 0x3f00_0000, 0x3900_0000);
  const unscaled = matches(word, 0x3f20_0400, 0x3800_0000);
  const registerOffset = matches(word, 0x3f20_0c00, 0x3820_0800);
  if (unsignedOffset || unscaled || registerOffset) {
    const opc = word >>> 22 & 3;
    if (size === 3 && opc >= 2) return 0; // PRFM
    const signed = opc >= 2;
    return pack(size, signed, register, opc === 2 || size === 3, false);
  }
  // LDAR, LDLAR, STLR, STLLR: ordered, not exclusive.
  if (matches(word, 0x3fa0_0000, 0x0880_0000)) return pack(size, false, register, size === 3, (word & 0x8000) !== 0);
  // LDR and LDRSW (literal).
  if (matches(word, 0x3f00_0000, 0x1800_0000) && size < 3) return pack(size === 1 ? 3 : 2, size === 2, register, size >= 1, false);
  return 0;
}

function pack(size: number, signExtends: boolean, register: number, wide: boolean, ordered: boolean): number {
  return AbortSyndrome.Isv | size << AbortSyndrome.SasShift | register << AbortSyndrome.SrtShift | (signExtends ? AbortSyndrome.Sse : 0) |
    (wide ? AbortSyndrome.Sf : 0) | (ordered ? AbortSyndrome.Ar : 0);
}

/** The fields of such a syndrome. */
interface LoadStore {
  /** Bytes. */
  size: number;
  /** 0 to 31, 31 is the zero register. */
  register: number;
  /** The value is sign-extended to the register. */
  signExtends: boolean;
  /** The register has 64 bits. */
  wide: boolean;
  /** A store. */
  write: boolean;
}

/** Decodes the ISS of a data abort; undefined when ISV is clear. */
export function decodeLoadStore(esr: number): LoadStore | undefined {
  if (!(esr & AbortSyndrome.Isv)) return undefined;
  return {
    size: 1 << (esr >>> AbortSyndrome.SasShift & 3),
    register: esr >>> AbortSyndrome.SrtShift & 31,
    signExtends: (esr & AbortSyndrome.Sse) !== 0,
    wide: (esr & AbortSyndrome.Sf) !== 0,
    write: (esr & AbortSyndrome.WnR) !== 0,
  };
}
