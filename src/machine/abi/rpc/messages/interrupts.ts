// Messages that lend hardware interrupts (docs/spec/resource-manager.md §3.13).

import { list, reserved, u16, u32 } from "../layout.ts";
import { notification, request } from "../message.ts";

/** `virq` of VM_IRQ_ACCEPT: the number of the hardware interrupt. */
export const VIRQ_SAME = 0xffff_ffff;
/** `flags` of VM_IRQ_NOTIFY. */
export const IrqNotifyFlags = { Lent: 1, Released: 2, Accepted: 4 } as const;

/** The borrower binds a lent interrupt. */
export const VM_IRQ_ACCEPT = request("VM_IRQ_ACCEPT", 0x5600_0050, { handle: u32, virq: u32 }, {
  section: "3.13",
  errors: ["MSG_INVALID", "HANDLE_INVALID", "IN_USE", "ARGUMENT_INVALID", "NOMEM", "DENIED"],
  reply: { virq: u32 },
});
/** An owner offers a hardware interrupt; it is unbound at once. */
export const VM_IRQ_LEND = request("VM_IRQ_LEND", 0x5600_0051, { borrower: u16, reserved: reserved(2), virq: u32, label: u32 }, {
  section: "3.13",
  errors: ["MSG_INVALID", "IRQ_INVALID", "IRQ_INUSE", "VMID_INVALID"],
  reply: { handle: u32 },
});
/** The borrower gives the interrupt up. */
export const VM_IRQ_RELEASE = request("VM_IRQ_RELEASE", 0x5600_0052, { handle: u32 }, {
  section: "3.13",
  errors: ["MSG_INVALID", "HANDLE_INVALID", "IN_USE"],
});
/** The owner reclaims an interrupt that was not accepted. */
export const VM_IRQ_RECLAIM = request("VM_IRQ_RECLAIM", 0x5600_0053, { handle: u32 }, {
  section: "3.13",
  errors: ["MSG_INVALID", "HANDLE_INVALID", "IN_USE", "IRQ_INVALID"],
});
/** `vmids` only with LENT. */
export const VM_IRQ_NOTIFY = request("VM_IRQ_NOTIFY", 0x5600_0054, {
  handle: u32,
  flags: u32,
  vmids: list({ vmid: u16, reserved: reserved(2) }),
}, {
  section: "3.13",
  errors: ["MSG_INVALID", "NORESOURCE", "HANDLE_INVALID", "IRQ_INUSE", "ARGUMENT_INVALID", "IRQ_RELEASED"],
});

/** To the borrower. */
export const VM_IRQ_LENT = notification("VM_IRQ_LENT", 0x5610_0011, "3.13", { owner: u16, reserved: reserved(2), handle: u32, label: u32 });
/** To the owner. */
export const VM_IRQ_RELEASED = notification("VM_IRQ_RELEASED", 0x5610_0012, "3.13", { handle: u32 });
/** To the owner. */
export const VM_IRQ_ACCEPTED = notification("VM_IRQ_ACCEPTED", 0x5610_0013, "3.13", { handle: u32 });
