// Messages about the life of VMs, from their id to their end (docs/spec/resource-manager.md §3.7,
// §4).

import { mustBeZero, reserved, rest, u16, u32, u8 } from "../layout.ts";
import { notification, request } from "../message.ts";

const vmidOnly = { vmid: u16, reserved: reserved(2) } as const;

/** vmid 0 asks for any dynamic id; only then does the reply carry one. */
export const VM_ALLOCATE = request("VM_ALLOCATE", 0x5600_0001, vmidOnly, {
  section: "3.7",
  errors: ["DENIED", "MSG_INVALID", "NORESOURCE"],
  reply: { vmid: u32 },
});
/** Gives an id back; the VM is in the state LOAD or RESET. */
export const VM_DEALLOCATE = request("VM_DEALLOCATE", 0x5600_0002, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE"],
});
/** Starts a VM that is READY. */
export const VM_START = request("VM_START", 0x5600_0004, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE", "NORESOURCE", "MEM_INVALID"],
});
/** Ends a VM at once, or asks it to shut down. */
export const VM_STOP = request("VM_STOP", 0x5600_0005, { vmid: u16, flags: u8, reserved: reserved(1), reason: u32 }, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "VM_STATE", "NORESOURCE"],
});
/** `flags` of VM_STOP. */
export const StopFlags = { Force: 1 } as const;
/** Dismantles a VM that has ended; VM_STATUS reports when that is done. */
export const VM_RESET = request("VM_RESET", 0x5600_0006, vmidOnly, {
  section: "3.7",
  errors: ["MSG_INVALID", "VMID_INVALID", "DENIED", "VM_STATE"],
});
/** Sent by a VM about itself. */
export const VM_EXIT = request("VM_EXIT", 0x5600_0085, { exit_flags: u16, exit_code: u8, reserved: mustBeZero(1) }, {
  section: "3.7",
  errors: ["MSG_INVALID", "DENIED", "VM_STATE"],
});

/** To the owner. The first word of the reason is exit_flags | exit_code << 16. */
export const VM_EXITED = notification("VM_EXITED", 0x5610_0001, "4.3", { vmid: u16, exit_type: u16, reason_size: u32, reason: rest });
/** To the VM that is asked to stop. */
export const VM_SHUTDOWN = notification("VM_SHUTDOWN", 0x5610_0002, "3.7", { reason: u32 });
