// The Resource Manager for rooms above that read its rules or its state; resource-manager.ts makes
// one.

export { Refusal } from "./calls/refusals.ts";
export { PUSH_MAX, RPC_PUSH_MAX, VDEVICE_TYPES } from "./config/vdevice-config.ts";
export {
  DEFAULT_BASE_ADDRESS,
  DEFAULT_FIRMWARE_SIZE_MAX,
  IMAGE_ALIGNMENT,
  NAME_MAX,
  readVmConfig,
  TRUSTED_ONLY,
  type VmConfig,
} from "./config/vm-config.ts";
export { findVm, type Parcel, type Vdevice, type Vm } from "./state/state.ts";
