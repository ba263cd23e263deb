// All floating-point and AdvSIMD functions of the core, for the module's generator.

import { defineArithmetic } from "../fp/arithmetic.ts";
import { defineConversions } from "../fp/conversions.ts";
import { defineEstimates } from "../fp/estimates.ts";
import { SoftFloat } from "../fp/soft-float.ts";
import { defineVectors } from "../fp/vectors.ts";
import type { Library } from "../wasm/library.ts";
import { defineCrypto } from "./crypto.ts";
import { defineLanes } from "./lanes.ts";

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
