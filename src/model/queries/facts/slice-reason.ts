// Why a vCPU stopped running on a physical CPU: it waits for something, or its turn is over.

import type { BlockCode } from "../../../machine/abi/trace.ts";
import { Facts } from "./fact.ts";
import { blocksText } from "./wait.ts";

/** Of the vCPU that ran before; `unseen`: nothing was recorded from then on. */
export type SliceReason =
  | { readonly code: "waits"; readonly vcpu: string; readonly waits: readonly BlockCode[] }
  | { readonly code: "yields"; readonly vcpu: string }
  | { readonly code: "unseen" };

/** Verbs of that vCPU. */
export const SLICE_REASONS = new Facts<SliceReason>({
  "waits": ({ waits }) => `waits for ${blocksText(waits)}`,
  "yields": () => "yields",
  "unseen": () => "not recorded after this point",
});
