// What capabilities, address spaces and the hypercall table need to know of a thread. `Vcpu` (vcpu.ts) is the one kind of thread.

import type { Translation } from "../core/interface.ts";
import type { AddressSpace } from "./addrspace.ts";
import type { Cspace } from "./cspace.ts";
import type { HypervisorObject } from "./object.ts";

/** A thread: the maker of hypercalls and the target of attachments. */
export interface Thread extends HypervisorObject {
  /** Where the thread's capability ids are looked up. Attached before activation; holds a reference. */
  cspace: Cspace | undefined;
  /** The address space that the thread runs in. Attached before activation; holds a reference. */
  addressSpace: AddressSpace | undefined;
  /** Translates a virtual address in the thread's current EL1 regime, as AT S1E1R or AT S1E1W and stage 2 do it. */
  translate(va: bigint, access: "read" | "write"): Translation;
}
