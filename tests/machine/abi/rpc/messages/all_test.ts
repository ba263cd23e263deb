// The index of messages (docs/spec/resource-manager.md §2): each id that is active is declared,
// under its name, as what it is.

import assert from "node:assert/strict";
import { RPC_MESSAGES, RPC_UNIMPLEMENTED, rpcName } from "../../../../../src/machine/abi/rpc/messages/all.ts";

const REQUESTS: readonly [id: number, name: string][] = [
  [0x5100_0010, "MEM_DONATE"],
  [0x5100_0011, "MEM_ACCEPT"],
  [0x5100_0012, "MEM_LEND"],
  [0x5100_0013, "MEM_SHARE"],
  [0x5100_0014, "MEM_RELEASE"],
  [0x5100_0015, "MEM_RECLAIM"],
  [0x5100_0017, "MEM_NOTIFY"],
  [0x5100_0018, "MEM_APPEND"],
  [0x5100_001a, "MEM_QCOM_LOOKUP_SGL"],
  [0x5100_0020, "FW_MILESTONE"],
  [0x5100_0021, "FW_SET_VM_FIRMWARE"],
  [0x5600_0001, "VM_ALLOCATE"],
  [0x5600_0002, "VM_DEALLOCATE"],
  [0x5600_0004, "VM_START"],
  [0x5600_0005, "VM_STOP"],
  [0x5600_0006, "VM_RESET"],
  [0x5600_0009, "VM_CONFIG_IMAGE"],
  [0x5600_000a, "VM_AUTH_IMAGE"],
  [0x5600_000b, "VM_INIT"],
  [0x5600_0010, "VM_GET_ID"],
  [0x5600_0011, "VM_LOOKUP_URI"],
  [0x5600_0012, "VM_LOOKUP_GUID"],
  [0x5600_0013, "VM_LOOKUP_NAME"],
  [0x5600_0015, "VM_GET_OWNER"],
  [0x5600_0017, "VM_GET_STATE"],
  [0x5600_0019, "VM_GET_CRASH_MSG"],
  [0x5600_0020, "VM_GET_HYP_RESOURCES"],
  [0x5600_0024, "VM_GET_VMID"],
  [0x5600_0025, "VM_GET_PEERS"],
  [0x5600_0030, "VM_SET_TIME_BASE"],
  [0x5600_0032, "VM_SET_FIRMWARE_MEM"],
  [0x5600_0050, "VM_IRQ_ACCEPT"],
  [0x5600_0051, "VM_IRQ_LEND"],
  [0x5600_0052, "VM_IRQ_RELEASE"],
  [0x5600_0053, "VM_IRQ_RECLAIM"],
  [0x5600_0054, "VM_IRQ_NOTIFY"],
  [0x5600_0080, "VM_SET_STATUS"],
  [0x5600_0081, "VM_CONSOLE_OPEN"],
  [0x5600_0082, "VM_CONSOLE_CLOSE"],
  [0x5600_0083, "VM_CONSOLE_WRITE"],
  [0x5600_0084, "VM_CONSOLE_FLUSH"],
  [0x5600_0085, "VM_EXIT"],
  [0x5600_0086, "VM_SET_CRASH_MSG"],
  [0x5600_00a0, "VM_HOST_GET_TYPE"],
  [0x5600_00b0, "IPA_RESERVE"],
];

/** Defined, but without a handler in the Resource Manager. */
const UNHANDLED: readonly [id: number, name: string][] = [
  [0x5600_0007, "VM_SUSPEND"],
  [0x5600_0008, "VM_RESUME"],
  [0x5600_0021, "VM_GET_HYP_CAPIDS"],
  [0x5600_0022, "VM_GET_HYP_IRQS"],
  [0x5600_0031, "VM_SET_CONTEXT"],
  [0x5600_0055, "VM_IRQ_UNMAP"],
  [0x5600_00b1, "IPA_UNRESERVE"],
];

const NOTIFICATIONS: readonly [id: number, name: string][] = [
  [0x5110_0011, "MEM_SHARED"],
  [0x5110_0012, "MEM_RELEASED"],
  [0x5110_0013, "MEM_ACCEPTED"],
  [0x5110_0014, "MEM_RECALL"],
  [0x5610_0001, "VM_EXITED"],
  [0x5610_0002, "VM_SHUTDOWN"],
  [0x5610_0008, "VM_STATUS"],
  [0x5610_0011, "VM_IRQ_LENT"],
  [0x5610_0012, "VM_IRQ_RELEASED"],
  [0x5610_0013, "VM_IRQ_ACCEPTED"],
  [0x5610_0080, "VM_CONSOLE_CHARS"],
];

/**
 * Requests of current drivers (§3.15); the first has the id of one that the index has without a
 * handler.
 */
const NEWER: readonly [id: number, name: string][] = [
  [0x5600_0031, "VM_SET_BOOT_CONTEXT"],
  [0x5600_0033, "VM_SET_DEMAND_PAGING"],
  [0x5600_0034, "VM_SET_ADDRESS_LAYOUT"],
];

/** Of other builds (docs/spec/phones.md §D5). */
const OF_OTHERS: readonly (readonly [number, string])[] = [
  [0x0000_0001, "GET_IDENT"],
  [0x0000_0002, "GET_FEATURES"],
  [0x5600_0003, "VM_SET_NAME"],
  [0x5600_000c, "VM_SET_BOOT_CONTEXT_DRAFT"],
  [0x5600_0040, "MINIDUMP_GET_INFO"],
  [0x5600_0041, "MINIDUMP_REGISTER_RANGE"],
  [0x5600_0042, "MINIDUMP_DEREGISTER_SLOT"],
  [0x5600_0043, "MINIDUMP_GET_SLOT_NUMBER"],
  [0x5600_0100, "GET_LOG_ADDRESS"],
];

const declared = (kind: string) => [...RPC_MESSAGES.values()].filter((message) => message.kind === kind).map(({ id, name }) => [id, name]);
const sorted = (rows: readonly (readonly unknown[])[]) => [...rows].sort(([a], [b]) => Number(a) - Number(b));

Deno.test("every request of the index that has a handler is declared, and those that current drivers need", () => {
  assert.deepEqual(sorted(declared("request")), sorted([...REQUESTS, ...NEWER]));
});

Deno.test("every notification of the index is declared", () => {
  assert.deepEqual(sorted(declared("notification")), sorted(NOTIFICATIONS));
});

Deno.test("ids without a handler are known by name", () => {
  const names = [...UNHANDLED.filter(([id]) => !NEWER.some(([newer]) => newer === id)), ...OF_OTHERS];
  assert.deepEqual(sorted([...RPC_UNIMPLEMENTED]), sorted(names));
  for (const [id, name] of names) assert.equal(rpcName(id), name);
});
