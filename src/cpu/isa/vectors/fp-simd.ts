// All floating-point and AdvSIMD entries of the table.

import { fpDataProcessing } from "./fp-data-processing.ts";
import { fpLoadsAndStores } from "./fp-loads-stores.ts";
import type { Instruction } from "../notation/insn.ts";
import { simdCrypto } from "./simd-crypto.ts";
import { simdFp } from "./simd-fp.ts";
import { simdFpTwoRegister } from "./simd-fp-two-register.ts";
import { simdIndexed } from "./simd-indexed.ts";
import { simdPermute } from "./simd-permute.ts";
import { simdShiftImmediate } from "./simd-shift-immediate.ts";
import { simdStructures } from "./simd-structures.ts";
import { simdThreeDifferent } from "./simd-three-different.ts";
import { simdThreeSame } from "./simd-three-same.ts";
import { simdTwoRegister } from "./simd-two-register.ts";

/** The table's part for floating point and AdvSIMD. */
export const fpAndSimd = (): readonly Instruction[] => [
  ...fpDataProcessing(),
  ...fpLoadsAndStores(),
  ...simdStructures(),
  ...simdThreeSame(),
  ...simdThreeDifferent(),
  ...simdFp(),
  ...simdTwoRegister(),
  ...simdFpTwoRegister(),
  ...simdShiftImmediate(),
  ...simdIndexed(),
  ...simdPermute(),
  ...simdCrypto(),
];
