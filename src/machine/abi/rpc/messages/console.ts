// Messages of the console that a VM has through the Resource Manager (docs/spec/resource-manager.md
// §3.14).

import { countedBytes, reserved, u16 } from "../layout.ts";
import { notification, request } from "../message.ts";

const target = { target: u16, reserved: reserved(2) } as const;
const side = { section: "3.14", errors: ["MSG_INVALID", "ARGUMENT_INVALID", "DENIED"] } as const;

/** `target` 0 is the caller's own console; otherwise the owner names the VM. */
export const VM_CONSOLE_OPEN = request("VM_CONSOLE_OPEN", 0x5600_0081, target, side);
/** Closes the caller's side. */
export const VM_CONSOLE_CLOSE = request("VM_CONSOLE_CLOSE", 0x5600_0082, target, side);
/** Characters for the other side; lost when that is closed. */
export const VM_CONSOLE_WRITE = request("VM_CONSOLE_WRITE", 0x5600_0083, { target: u16, data: countedBytes }, side);
/** Returns at once, as nothing is buffered. */
export const VM_CONSOLE_FLUSH = request("VM_CONSOLE_FLUSH", 0x5600_0084, target, side);

/** `from` is the VM for its owner, 0 for the VM itself. */
export const VM_CONSOLE_CHARS = notification("VM_CONSOLE_CHARS", 0x5610_0080, "3.14", { from: u16, data: countedBytes });
