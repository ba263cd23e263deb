// The ID registers of the CPU that machines have by default.

import { DEFAULT_CPU, parseCpu } from "../../src/cpu/isa/cpus/cpus.ts";
import { identificationOf } from "../../src/cpu/isa/cpus/identification.ts";

export const BASE_IDENTIFICATION = identificationOf(parseCpu(DEFAULT_CPU).features);
