// The entries of the table that belong to features which not every CPU has (features.ts).

import { flags } from "./general/flags.ts";
import { fpHalfDataProcessing } from "./vectors/fp-data-processing.ts";
import { fpRounding } from "./vectors/fp-rounding.ts";
import type { Instruction } from "./notation/insn.ts";
import { loadsStoresUnscaledOrdered } from "./general/loads-stores-unscaled-ordered.ts";
import { memoryCopySet } from "./general/memory-copy-set.ts";
import { orderedPairs } from "./vectors/ordered-pairs.ts";
import { pointerAuthentication } from "./general/pointer-authentication.ts";
import { shortSequences } from "./general/short-sequences.ts";
import { simdBrainFloat } from "./vectors/simd-brain-float.ts";
import { simdComplex } from "./vectors/simd-complex.ts";
import { simdDotProduct } from "./vectors/simd-dot-product.ts";
import { simdHalf } from "./vectors/simd-half.ts";
import { simdHashes } from "./vectors/simd-hashes.ts";
import { systemExtensions } from "./general/system-extensions.ts";

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
