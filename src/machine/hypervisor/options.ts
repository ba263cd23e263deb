// The hypervisor for rooms above that plan a run: its behavior, the root VM's package, the words of
// fault rules. It loads no object.

export { layoutPackage, type RootImage, type RootPackage, segmentParts } from "./root-package.ts";
export {
  ABIS,
  type Behaviour,
  CAP_IDS,
  DEFAULT_BEHAVIOUR,
  IDLE_WATCHDOG,
  IPA_BITS,
  MSI_KINDS,
  QUIRKS,
  RESERVED_MEMORY_RULES,
  SIZE_MAX_RULES,
} from "./services/behaviour.ts";
export { fits } from "./services/faults.ts";
