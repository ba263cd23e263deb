// Errors of the requests about lent interrupts, the console, firmware, time base and reserved
// addresses.

import { ErrorCode } from "../../../../src/machine/abi/errors.ts";
import * as consoles from "../../../../src/machine/abi/rpc/messages/console.ts";
import * as interrupts from "../../../../src/machine/abi/rpc/messages/interrupts.ts";
import * as memory from "../../../../src/machine/abi/rpc/messages/memory.ts";
import * as platform from "../../../../src/machine/abi/rpc/messages/platform.ts";
import { AuthType } from "../../../../src/machine/abi/rpc/messages/vm.ts";
import type { Client } from "../client.ts";
import { guestTree, HOST_BASE, type Machine, MEMORY, rmRpc } from "../machine.ts";
import {
  allocated,
  type Cases,
  encode,
  firmware,
  LIST_513,
  malformed,
  onGuestSide,
  PAGE,
  parcel,
  running,
  surplus,
  UNKNOWN_HANDLE,
  UNKNOWN_VMID,
} from "./case.ts";

/** A lent interrupt that the VM may accept. */
function irqLent(machine: Machine): { client: Client; vmid: number; handle: number } {
  const { vmid, client } = running(machine);
  const { handle } = machine.primary.get(interrupts.VM_IRQ_LEND, { borrower: vmid, virq: 40, label: 1 });
  return { client, vmid, handle };
}

function irqAccepted(machine: Machine): { client: Client; vmid: number; handle: number } {
  const lent = irqLent(machine);
  lent.client.get(interrupts.VM_IRQ_ACCEPT, { handle: lent.handle, virq: interrupts.VIRQ_SAME });
  return lent;
}

function second(machine: Machine): { vmid: number; client: Client } {
  const { vmid } = machine.start(guestTree("second", [rmRpc()]), HOST_BASE + MEMORY);
  return { vmid, client: machine.guest(vmid) };
}

const consoleSide = (message: typeof consoles.VM_CONSOLE_OPEN): Cases => ({
  MSG_INVALID: malformed(),
  ARGUMENT_INVALID: () => ({ ...encode(message, { target: 0 }), rule: "the VM has no console", object: "vm:0x3" }),
  DENIED: (machine) => {
    const { vmid, client } = running(machine);
    return { ...encode(message, { target: vmid }), by: client, rule: "the console belongs to another VM's owner", object: "vm:0x80" };
  },
});

const firmwarePlace = (vmid: number, handle: number, size = PAGE) =>
  encode(platform.VM_SET_FIRMWARE_MEM, { vmid, handle, offset: 0n, size });

const irqLend = (borrower: number, virq: number) => encode(interrupts.VM_IRQ_LEND, { borrower, virq, label: 1 });

const irqAccept = (handle: number, virq: number = interrupts.VIRQ_SAME) => encode(interrupts.VM_IRQ_ACCEPT, { handle, virq });

function irqNotify(handle: number, flags: number) {
  return { payload: encode(interrupts.VM_IRQ_NOTIFY, { handle, flags, vmids: [] }).payload.subarray(0, 8) };
}

const setFirmware = (handle: number, auth_type = 2) => encode(platform.FW_SET_VM_FIRMWARE, { auth_type, handle, offset: 0n, size: PAGE });

const donated = (machine: Machine) => machine.primary.get(memory.MEM_DONATE, parcel(255)).handle;

const timeBase = (vmid: number) => encode(platform.VM_SET_TIME_BASE, { vmid, time_base: 0n, sys_timer_ref: 0n });

function reserve(type: number, ranges: [bigint, bigint][], generic_constraints = 0) {
  const fixed = ranges.map(([base, size]) => ({ base, size }));
  return encode(platform.IPA_RESERVE, { type, generic_constraints, platform_constraints: 0, fixed, requested: [] });
}

/** By the name of the request. */
export const OTHER_CASES: Readonly<Record<string, Cases>> = {
  VM_IRQ_LEND: {
    MSG_INVALID: malformed(),
    IRQ_INVALID: () => ({ ...irqLend(255, 960), rule: "the interrupt is not a hardware interrupt of the caller's", object: "irq:0x3c0" }),
    IRQ_INUSE: (machine) => {
      const { handle, vmid } = irqAccepted(machine);
      const values = {
        loan: handle,
        owner: 3,
        borrower: vmid,
        accepted: true,
        hwirq_cap: machine.system.rm.state.environment!.resources.vic_hwirq[40],
      };
      return { ...irqLend(vmid, 40), rule: "the interrupt is lent already", object: "irq:0x28", values };
    },
    VMID_INVALID: () => ({
      ...irqLend(UNKNOWN_VMID, 40),
      rule: "there is no VM of this id to lend to",
      values: { vmid: UNKNOWN_VMID },
    }),
  },
  VM_IRQ_ACCEPT: {
    MSG_INVALID: malformed(),
    HANDLE_INVALID: (machine) => ({ ...irqAccept(irqLent(machine).handle), rule: "there is no such loan for the caller" }),
    IN_USE: (machine) => {
      const { client, handle, vmid } = irqAccepted(machine);
      const values = { loan: handle, owner: 3, borrower: vmid, accepted: true };
      return { ...irqAccept(handle), by: client, rule: "the interrupt was accepted already", object: "irq:0x28", values };
    },
    ARGUMENT_INVALID: (machine) => {
      const { client, handle } = irqLent(machine);
      return { ...irqAccept(handle, 41), by: client, rule: "a lent interrupt keeps its number", object: "irq:0x28", values: { virq: 41 } };
    },
    NOMEM: (machine) => {
      const { client, handle } = irqLent(machine);
      return { ...irqAccept(handle), by: client, fail: ["hwirq_bind_virq", ErrorCode.NOMEM] };
    },
    DENIED: (machine) => {
      const { client, handle } = irqLent(machine);
      return { ...irqAccept(handle), by: client, fail: ["hwirq_bind_virq", ErrorCode.VIRQ_BOUND] };
    },
  },
  VM_IRQ_RELEASE: {
    MSG_INVALID: malformed(),
    HANDLE_INVALID: () => ({ ...encode(interrupts.VM_IRQ_RELEASE, { handle: 1 }), rule: "there is no such loan for the caller" }),
    IN_USE: (machine) => {
      const { client, handle } = irqLent(machine);
      const rule = "the interrupt was not accepted";
      return { ...encode(interrupts.VM_IRQ_RELEASE, { handle }), by: client, rule, object: "irq:0x28", values: { accepted: false } };
    },
  },
  VM_IRQ_RECLAIM: {
    MSG_INVALID: malformed(),
    HANDLE_INVALID: () => ({ ...encode(interrupts.VM_IRQ_RECLAIM, { handle: 1 }), rule: "there is no such loan for the caller" }),
    IN_USE: (machine) => {
      const { handle, vmid } = irqAccepted(machine);
      const values = { loan: handle, borrower: vmid, accepted: true };
      return {
        ...encode(interrupts.VM_IRQ_RECLAIM, { handle }),
        ...{ rule: "the borrower still has the interrupt", object: "irq:0x28", values },
      };
    },
    IRQ_INVALID: (machine) => {
      const { handle } = irqLent(machine);
      const rule = "the interrupt belongs to another VM";
      return { ...encode(interrupts.VM_IRQ_RECLAIM, { handle }), by: second(machine).client, rule, object: "irq:0x28" };
    },
  },
  VM_IRQ_NOTIFY: {
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ payload: LIST_513(8), rule: "a list of 513 entries exceeds 512", section: "1.6" }),
    HANDLE_INVALID: () => ({ ...irqNotify(1, 1), rule: "there is no such loan for the caller" }),
    IRQ_INUSE: (machine) => {
      const { handle, vmid } = irqAccepted(machine);
      return { ...irqNotify(handle, 1), rule: "the interrupt was accepted already", object: "irq:0x28", values: { borrower: vmid } };
    },
    ARGUMENT_INVALID: (machine) => ({
      ...irqNotify(irqLent(machine).handle, 3),
      rule: "the flags are not exactly one of the three",
      values: { flags: 3 },
    }),
    IRQ_RELEASED: (machine) => {
      const { handle, client } = irqLent(machine);
      return { ...irqNotify(handle, 4), by: client, rule: "the caller has not accepted the interrupt", object: "irq:0x28" };
    },
  },
  VM_CONSOLE_OPEN: consoleSide(consoles.VM_CONSOLE_OPEN),
  VM_CONSOLE_CLOSE: consoleSide(consoles.VM_CONSOLE_CLOSE),
  VM_CONSOLE_FLUSH: {
    ...consoleSide(consoles.VM_CONSOLE_FLUSH),
    DENIED: (machine) => ({
      ...encode(consoles.VM_CONSOLE_FLUSH, { target: running(machine).vmid }),
      rule: "the caller's side of the console is closed",
      object: "vm:0x80",
    }),
  },
  VM_CONSOLE_WRITE: {
    MSG_INVALID: malformed(Uint8Array.of(0, 0, 5, 0, 1)),
    ARGUMENT_INVALID: () => ({
      ...encode(consoles.VM_CONSOLE_WRITE, { target: UNKNOWN_VMID, data: new Uint8Array(1) }),
      rule: "the VM has no console",
      object: "vm:0x99",
    }),
    DENIED: (machine) => ({
      ...encode(consoles.VM_CONSOLE_WRITE, { target: running(machine).vmid, data: new Uint8Array(1) }),
      rule: "the caller's side of the console is closed",
      object: "vm:0x80",
    }),
  },
  FW_MILESTONE: {
    DENIED: (machine) => ({
      ...encode(platform.FW_MILESTONE, {}),
      by: onGuestSide(machine),
      rule: "only the primary VM may do this",
    }),
    MSG_INVALID: surplus,
  },
  FW_SET_VM_FIRMWARE: {
    DENIED: (machine) => {
      machine.primary.get(platform.FW_MILESTONE, {});
      return { ...setFirmware(0), rule: "the firmware milestone has passed" };
    },
    MSG_INVALID: malformed(),
    UNIMPLEMENTED: () => ({ payload: Uint8Array.of(2, 0, 1, ...new Array(21).fill(0)), rule: "a reserved field is not zero" }),
    ARGUMENT_INVALID: () => ({ ...setFirmware(0, 1), rule: "only Android's protected VMs have firmware", values: { auth_type: 1 } }),
    BUSY: (machine) => {
      firmware(machine);
      return { ...setFirmware(0), rule: "there is a firmware image already", values: { size: 0x2000 } };
    },
    HANDLE_INVALID: () => ({
      ...setFirmware(UNKNOWN_HANDLE),
      rule: "no parcel of this handle is for the Resource Manager",
      object: "parcel:0x77",
    }),
    MEM_INVALID: (machine) => ({ ...setFirmware(donated(machine)), fail: ["memextent_donate", ErrorCode.DENIED] }),
    MAP_FAILED: (machine) => ({ ...setFirmware(donated(machine)), fail: ["addrspace_map", ErrorCode.NOMEM] }),
  },
  VM_SET_FIRMWARE_MEM: {
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ ...firmwarePlace(UNKNOWN_VMID, 0), rule: "there is no VM of this id", object: "vm:0x99" }),
    DENIED: (machine) => {
      const { vmid, handle } = machine.configured(guestTree("early", []), AuthType.Android);
      return { ...firmwarePlace(vmid, handle), rule: "no firmware image is loaded", object: "vm:0x80" };
    },
    VM_STATE: (machine) => ({ ...firmwarePlace(allocated(machine), 0), rule: "the VM is not in the state INIT", object: "vm:0x80" }),
    ARGUMENT_INVALID: (machine) => {
      const { vmid, handle } = machine.configured(guestTree("plain", []));
      return { ...firmwarePlace(vmid, handle), rule: "only Android's protected VMs have firmware", object: "vm:0x80" };
    },
    MEM_INVALID: (machine) => {
      firmware(machine);
      const { vmid } = machine.configured(guestTree("protected", []), AuthType.Android);
      return { ...firmwarePlace(vmid, UNKNOWN_HANDLE), rule: "no parcel of this handle is for the VM", object: "parcel:0x77" };
    },
  },
  VM_SET_TIME_BASE: {
    MSG_INVALID: malformed(),
    NORESOURCE: () => ({ ...timeBase(UNKNOWN_VMID), rule: "there is no VM of this id", object: "vm:0x99" }),
    DENIED: (machine) => {
      const { client } = running(machine);
      const rule = "the caller is neither the VM nor its owner nor a peer";
      return { ...timeBase(allocated(machine)), by: client, rule, object: "vm:0x81" };
    },
    VM_STATE: () => ({ ...timeBase(0), rule: "the VM is not in the state INIT or READY", object: "vm:0x3" }),
    ARGUMENT_INVALID: (machine) => ({
      ...timeBase(machine.configured(guestTree("timeless", [])).vmid),
      rule: "the platform has no virtual RTC",
      object: "vm:0x80",
    }),
  },
  IPA_RESERVE: {
    DENIED: () => ({ ...reserve(0, [[0x9000_0000n, PAGE]]), rule: "the caller is mapped directly", object: "vm:0x3" }),
    MSG_INVALID: malformed(new Uint8Array(15)),
    ARGUMENT_INVALID: () => ({ ...reserve(0, [], 0x10), rule: "the constraints cannot be met", values: { generic: 0x10 } }),
    NORESOURCE: () => ({
      ...reserve(0, Array.from({ length: 31 }, () => [0x9000_0000n, PAGE])),
      rule: "a list of 31 entries exceeds 30",
      section: "1.6",
    }),
  },
};
