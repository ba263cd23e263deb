// All floating-point and AdvSIMD functions of the core, for the module's generator.

import { defineArithmetic } from "../fp/arithmetic.ts";
import { defineRoundIntN, defineToFixedJS } from "../fp/bounded-rounding.ts";
import { defineHalfMulAdd, defineHalfPrecision } from "../fp/half.ts";
import { defineBrainFloat } from "../fp/brain-float.ts";
import { defineConversions } from "../fp/conversions.ts";
import { defineEstimates } from "../fp/estimates.ts";
import { SoftFloat } from "../fp/soft-float.ts";
import { defineRoundIntNVectors, defineVectors } from "../fp/vectors.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import type { Library } from "../wasm/library.ts";
import { defineCrypto, defineSm4 } from "./crypto.ts";
import { defineLanes } from "./lanes.ts";

/**
 * Defines the floating-point and AdvSIMD functions that a CPU needs in the library; the ISA tables
 * call them by name.
 */
export function defineFloatingPoint(library: Library, features: ReadonlySet<FeatureName>): void {
  const soft = new SoftFloat(library, features.has("FEAT_AFP"));
  defineArithmetic(soft);
  defineConversions(soft);
  defineEstimates(soft, features.has("FEAT_RPRES"));
  defineVectors(soft);
  defineLanes(library);
  defineCrypto(library);
  if (features.has("FEAT_JSCVT")) defineToFixedJS(soft);
  if (features.has("FEAT_FRINTTS")) {
    defineRoundIntN(soft);
    defineRoundIntNVectors(library);
  }
  if (features.has("FEAT_FP16")) defineHalfPrecision(soft);
  if (features.has("FEAT_FHM")) defineHalfMulAdd(soft);
  if (features.has("FEAT_BF16")) defineBrainFloat(soft);
  if (features.has("FEAT_SM4")) defineSm4(library);
}
