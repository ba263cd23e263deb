// Messages of the Resource Manager's log, as the open one writes them. Its lines begin with [RM].

import { ExitType } from "../../../machine/abi/rpc/messages/vm.ts";
import { type FormEntry, formsOf, messageBook } from "./form.ts";
import type { SignValues } from "./sign.ts";

const rm = formsOf("rm");

/** A message with its answer: a refusal, or its success. */
function answered(format: string, names: readonly string[], message?: string): FormEntry[] {
  const book = message === undefined ? undefined : messageBook(message), of: SignValues = message === undefined ? {} : { message };
  const common = { names, values: of, own: true as const, ...book && { book } };
  return [
    rm(format, {
      ...common,
      sign: "rpc",
      says: (said) => `the Resource Manager refused ${said.message} with ${said.error}`,
      only: ({ error }) => error !== "OK",
    }),
    rm(format, {
      ...common,
      sign: "host",
      says: (said) => `the Resource Manager did ${said.message}`,
      quiet: true,
      only: ({ error }) => error === "OK",
    }),
  ];
}

/** A defect of a VM's devicetree. */
const tree = (format: string, names: readonly string[], says: FormEntry["says"], node = "other"): FormEntry =>
  rm(format, { names, sign: "lint", values: { kind: "refused", node }, says, book: ["resource-manager", "7.1"] });

const alignment = (property: string) =>
  tree(`${property} invalid alignment`, [], `the VM's configuration is refused: its ${property} is not aligned`);

export const RM_FORMS: readonly FormEntry[] = [
  rm("Starting Resource Manager, version: %s", {
    names: ["version"],
    sign: "host",
    says: "the Resource Manager starts",
    book: ["resource-manager", "9.2"],
    own: true,
    quiet: true,
  }),
  ...["RECLAIM", "ACCEPT", "RELEASE", "NOTIFY", "APPEND"].flatMap((name) =>
    answered(`MEM_${name} VM %d H %d ret %d`, ["vm", "handle", "rm"], `MEM_${name}`)
  ),
  ...answered("MEM_%s VM %d ret %d", ["operation", "vm", "rm"]),
  ...answered("VM_ALLOCATE: %d vmid=%d, ret=%d", ["_", "vm", "rm"], "VM_ALLOCATE"),
  ...answered("VM_DEALLOCATE: %d vmid=%d, ret=%d", ["_", "vm", "rm"], "VM_DEALLOCATE"),
  ...answered("VM_START: from:%d vmid:%d, ret=%d", ["_", "vm", "rm"], "VM_START"),
  ...answered("memparcel_construct 0x%x label 0x%x ret %d", ["handle", "label", "rm"], "MEM_LEND"),
  ...answered("memparcel_construct ret=%d", ["rm"], "MEM_LEND"),
  rm("create_resmem_nodes: memparcel labelled %d is the base memory at 0x%x", {
    names: ["label", "address"],
    sign: "host",
    says: ({ label, address }) => `the memory of the VM at ${address} is the parcel with the label ${label}`,
    book: ["resource-manager", "7.4"],
    own: true,
    quiet: true,
  }),
  rm("VM_CONFIG_IMAGE: from:%d vmid:%d auth:%d", {
    names: ["_", "vm", "auth"],
    sign: "host",
    says: ({ vm, auth }) => `VM ${vm} gets its image, with authentication of type ${auth}`,
    book: ["resource-manager", "3.8"],
    own: true,
    quiet: true,
  }),
  rm("VM_INIT: from:%d vmid:%d", {
    names: ["_", "vm"],
    sign: "host",
    says: ({ vm }) => `VM ${vm} is initialized: its devicetree is read now`,
    book: ["resource-manager", "3.8"],
    own: true,
    quiet: true,
  }),
  rm("VM_RESET: Invalid state: %d", {
    names: ["state"],
    sign: "rpc",
    values: { message: "VM_RESET", error: "VM_STATE" },
    says: ({ state }) => `VM_RESET was refused: the VM is in the state ${state}`,
    own: true,
  }),
  rm("VM_RESET: of VM %d not allowed", {
    names: ["vm"],
    sign: "rpc",
    values: { message: "VM_RESET", error: "DENIED" },
    says: ({ vm }) => `VM_RESET of VM ${vm} was refused: the caller does not own it`,
    own: true,
  }),
  rm("MEM_RELEASE: memparcel %d is locked", {
    names: ["handle"],
    sign: "rpc",
    values: { message: "MEM_RECLAIM", error: "BUSY" },
    says: ({ handle }) => `parcel ${handle} is locked: its VM may not release it yet`,
    book: ["resource-manager", "3.3"],
    own: true,
  }),
  ...["watchdog bite: VM %u, exit_code %d", "WDOG bite: VM %d"].map((format) =>
    rm(format, {
      names: format.includes("exit_code") ? ["vm", "_"] : ["vm"],
      sign: "vm-end",
      values: { type: ExitType.WatchdogBite },
      says: ({ vm }) => `the watchdog of VM ${vm} bit: it was not pinged in time`,
      book: ["resource-manager", "4.4"],
    })
  ),
  rm("VM_EXIT: VM %d exit_flags = %x, exit_code %d", {
    names: ["vm", "_", "code"],
    sign: "host",
    says: ({ vm, code }) => `VM ${vm} ended itself with the code ${code}`,
    book: ["resource-manager", "4.4"],
    own: true,
    quiet: true,
  }),
  rm("No memparcel matching /reserved-memory/%s!", {
    names: ["name"],
    sign: "lint",
    values: { kind: "refused", node: "reserved-memory" },
    says: ({ name }) => `the node ${name} of /reserved-memory has no parcel of its range`,
    book: ["resource-manager", "7.1"],
    own: true,
  }),
  tree(
    "resmem: memparcel label %#x already has a node",
    ["label"],
    ({ label }) => `two nodes of /reserved-memory name the parcel 0x${label}`,
    "reserved-memory",
  ),
  tree("process_dtb: ret %d", ["rm"], ({ error }) => `the VM's devicetree was not taken: ${error}`),
  tree("map_dtb: invalid dtb", [], "where VM_CONFIG_IMAGE names the devicetree, there is none"),
  tree("handle_vcpu: invalid priority", [], "a vCPU of the VM's configuration has a priority that it may not have"),
  tree("handle_vcpu: invalid timeslice", [], "a vCPU of the VM's configuration has a time slice that it may not have"),
  tree("parse vdevice node: base not aligned", [], "a vdevice of the VM's configuration is not aligned to pages"),
  tree("size-max too large for base-address", [], "base-address and size-max of the VM's configuration are beyond the address space"),
  ...["base-address", "size-max", "size-min", "firmware-size-max"].map(alignment),
];
