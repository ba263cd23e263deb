// The entries of the table that belong to features which not every CPU has (features.ts).

import { flags } from "./flags.ts";
import { fpHalfDataProcessing } from "./fp-data-processing.ts";
import { fpRounding } from "./fp-rounding.ts";
import type { Instruction } from "./insn.ts";
import { loadsStoresUnscaledOrdered } from "./loads-stores-unscaled-ordered.ts";
import { memoryCopySet } from "./memory-copy-set.ts";
import { orderedPairs } from "./ordered-pairs.ts";
import { pointerAuthentication } from "./pointer-authentication.ts";
import { shortSequences } from "./short-sequences.ts";
import { simdBrainFloat } from "./simd-brain-float.ts";
import { simdComplex } from "./simd-complex.ts";
import { simdDotProduct } from "./simd-dot-product.ts";
import { simdHalf } from "./simd-half.ts";
import { simdHashes } from "./simd-hashes.ts";
import { systemExtensions } from "./system-extensions.ts";

/** The table's part for them. */
export const extensions = (): readonly Instruction[] => [
  ...flags(),
  ...loadsStoresUnscaledOrdered(),
  ...orderedPairs(),
  ...shortSequences(),
  ...memoryCopySet(),
  ...systemExtensions(),
  ...pointerAuthentication(),
  ...fpHalfDataProcessing(),
  ...fpRounding(),
  ...simdDotProduct(),
  ...simdBrainFloat(),
  ...simdComplex(),
  ...simdHalf(),
  ...simdHashes(),
];
