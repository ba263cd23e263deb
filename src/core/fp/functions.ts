// All floating-point and AdvSIMD functions of the core, for the module's generator.

import type { Library } from "../library.ts";
import { defineCrypto } from "../simd/crypto.ts";
import { defineLanes } from "../simd/lanes.ts";
import { defineArithmetic } from "./arithmetic.ts";
import { defineConversions } from "./conversions.ts";
import { defineEstimates } from "./estimates.ts";
import { SoftFloat } from "./soft-float.ts";
import { defineVectors } from "./vectors.ts";

/**
 * Defines the floating-point and AdvSIMD functions in the library; the ISA tables call them by
 * name.
 */
export function defineFloatingPoint(library: Library): void {
  const soft = new SoftFloat(library);
  defineArithmetic(soft);
  defineConversions(soft);
  defineEstimates(soft);
  defineVectors(soft);
  defineLanes(library);
  defineCrypto(library);
}
