// All hypercalls that are defined, collected from the files of their objects.

import type { HypercallDefinition } from "./hypercall-definition.ts";
import { calls as addrspace } from "./addrspace-calls.ts";
import { calls as cspace } from "./cspace.ts";
import { calls as identify } from "./identify.ts";
import { calls as memextent } from "./memextent-calls.ts";
import { calls as partition } from "./partition.ts";
import { calls as prng } from "./prng.ts";
import { calls as trace } from "./trace.ts";

export const DEFINITIONS: readonly HypercallDefinition[] = [
  ...identify,
  ...partition,
  ...cspace,
  ...addrspace,
  ...memextent,
  ...trace,
  ...prng,
];
