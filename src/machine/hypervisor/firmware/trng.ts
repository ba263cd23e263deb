// TRNG firmware interface 1.0 (Arm DEN 0098; docs/spec/observed.md §4): random bits through
// SMCCC, standard-secure owner.

import type { SmcccReply } from "./smccc-reply.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";

/** Functions: bits 15:0 of the id, 32-bit and, for RND, 64-bit convention. */
const Trng = { Version: 0x50, Features: 0x51, GetUuid: 0x52, Rnd: 0x53, First: 0x50, End: 0x60 } as const;
const VERSION = 0x1_0000n;
const UUID = [0x4554_6e21n, 0x92a1_433dn, 0xa2ea_5fe2n, 0x1639_7d4en];
const SUCCESS = 0n;
const NOT_SUPPORTED = 0xffff_ffff_ffff_ffffn;
const INVALID_PARAMETERS = 0xffff_ffff_ffff_fffen;
const NO_ENTROPY = -3n;

/** Whether function number `fn` (bits 15:0 of an id) belongs to the TRNG. */
export function isTrng(fn: number): boolean {
  return fn >= Trng.First && fn < Trng.End;
}

/** Whether a call draws random bits, so that it has another answer each time. */
export const drawsBits = (fn: number, wide: boolean, argument: bigint): boolean =>
  fn === Trng.Rnd && isDrawable(wide ? 64n : 32n, wide ? argument : argument & 0xffff_ffffn);

/** The name of a function by its number. */
export const trngName = (fn: number): string => fn === Trng.Rnd ? "TRNG_RND" : "a function of the TRNG";

/**
 * Answers a call.
 * @param fn bits 15:0 of the id
 * @param wide whether the id is of the 64-bit convention
 * @param argument X1
 */
export function trng(vcpu: Vcpu, fn: number, wide: boolean, argument: bigint): SmcccReply {
  switch (fn) {
    case Trng.Version:
      if (!wide) return [VERSION, 0n, 0n, 0n];
      break;
    case Trng.Features:
      if (!wide) return [isImplemented(Number(argument & 0xffff_ffffn)) ? SUCCESS : NOT_SUPPORTED];
      break;
    case Trng.GetUuid:
      if (!wide) return UUID;
      break;
    case Trng.Rnd:
      return entropy(vcpu, wide ? 64n : 32n, wide ? argument : argument & 0xffff_ffffn);
  }
  return [wide ? NOT_SUPPORTED : NOT_SUPPORTED & 0xffff_ffffn];
}

function isImplemented(id: number): boolean {
  return id === 0xc400_0053 || id >= 0x8400_0050 && id <= 0x8400_0053;
}

const isDrawable = (width: bigint, bits: bigint): boolean => bits > 0n && bits <= 3n * width;

/**
 * `bits` random bits in X3, X2, X1, lowest first, `width` bits in each; others are zero. As often
 * as prng_get_entropy gives some.
 */
function entropy(vcpu: Vcpu, width: bigint, bits: bigint): SmcccReply {
  const { random, now } = vcpu.services;
  if (!isDrawable(width, bits)) return [INVALID_PARAMETERS, 0n, 0n, 0n];
  if (!vcpu.entropy.spend(now)) return [BigInt.asUintN(Number(width), NO_ENTROPY), 0n, 0n, 0n];
  let value = 0n;
  for (let have = 0n; have < bits; have += 32n) value |= BigInt(random.next()) << have;
  value = BigInt.asUintN(Number(bits), value);
  const word = (index: bigint) => BigInt.asUintN(Number(width), value >> index * width);
  return [SUCCESS, word(2n), word(1n), word(0n)];
}
