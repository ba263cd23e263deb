// Messages of Qualcomm's own drivers for Gunyah (drivers/virt/gunyah/gh_*.c of its kernels of 5.10
// to 6.12), which have other requests than those of Android's common kernels.

import type { Book } from "./sign.ts";
import { type FormEntry, formsOf, messageBook } from "./form.ts";

const gunyah = formsOf("gunyah");

/** Steps by the message in which each fails. */
const STEPS: Readonly<Record<string, string>> = { VM_CONFIG_IMAGE: "configure", VM_INIT: "init", VM_START: "start" };

/** A message that was refused or did not reach the Resource Manager, with the driver's errno. */
const step = (format: string, message: string): FormEntry =>
  gunyah(format, {
    names: ["errno"],
    sign: "step",
    values: { step: STEPS[message] ?? message, message },
    says: ({ errno }) => `${message} has failed with ${errno}; the line of gh_rm_call before it has the Resource Manager's error`,
    ...bookOf(message),
    own: true,
  });

function bookOf(message: string): { book?: Book } {
  const book = messageBook(message);
  return book ? { book } : {};
}

/** The loader of a VM whose image is a file of firmware. */
const loader = (format: string, names: readonly string[], step: string, says: FormEntry["says"]): FormEntry =>
  gunyah(format, { names, sign: "step", values: { step }, says, book: ["vm-manager", "7"], own: true });

export const VENDOR_FORMS: readonly FormEntry[] = [
  gunyah("Reply for seq:%d failed with RM err: %d", {
    names: ["_", "rm"],
    then: { format: "Unable to send %s to RM", names: ["request"] },
    sign: "rpc",
    says: ({ message, error }) => `the Resource Manager refused ${message === "?" ? "a message" : message} with ${error}`,
    own: true,
  }),
  ...["VM_CONFIG_IMAGE", "VM_AUTH_IMAGE", "VM_INIT"].map((message) => step(`Unable to send ${message} to RM: %d`, message)),
  ...["VM_ALLOCATE", "VM_START"].map((message) => step(`${message} failed with err: %d`, message)),
  gunyah("Failed to get the connection info for seq: %d", {
    names: ["_"],
    sign: "host",
    says: "the Resource Manager answered a request that the driver does not have under way",
    book: ["resource-manager", "1.3"],
    own: true,
  }),
  loader(
    'Error requesting fw "%s": %d',
    ["name", "errno"],
    "image-file",
    ({ name, errno }) => `the VM's image ${name} could not be had from the folders of firmware: ${errno}`,
  ),
  loader(
    'Failed to load fw "%s": %d',
    ["name", "errno"],
    "load",
    ({ name, errno }) => `the parts of the VM's image ${name} were not loaded: ${errno}`,
  ),
  loader(
    "Metadata cannot fit in mem_region %s",
    ["name"],
    "load",
    ({ name }) => `the image of ${name} is larger than the memory that the devicetree reserves for it (memory-region)`,
  ),
  loader(
    "Couldn't allocate cma memory for %s %d",
    ["name", "errno"],
    "image-memory",
    ({ name, errno }) => `the host has no contiguous memory for the VM ${name}: ${errno}`,
  ),
  loader(
    "Couldn't allocate VMID for %s %d",
    ["name", "errno"],
    "VM_ALLOCATE",
    ({ name, errno }) => `the VM ${name} was given no VMID: ${errno}`,
  ),
  loader(
    "Failed to provide memory for %s, %d",
    ["name", "errno"],
    "lend",
    ({ name, errno }) => `the memory of the VM ${name} was not given to it: ${errno}`,
  ),
  loader(
    "Requested Secure VM %s not supported",
    ["name"],
    "unknown-vm",
    ({ name }) => `the devicetree has no node of qcom,gh-secure-vm-loader for the VM ${name}`,
  ),
  loader("Secure VM %s already loaded %ld", ["name", "errno"], "loaded", ({ name }) => `the image ${name} is loaded already: a VM has one`),
  loader("Failed to start VM:%d %d", ["vm", "errno"], "start", ({ vm, errno }) => `the Resource Manager did not start VM ${vm}: ${errno}`),
  loader(
    "VM:%d has failed to run before",
    ["vm"],
    "run-again",
    ({ vm }) => `VM ${vm} has ended or was not started: VCPU_RUN is refused until a new VM is made`,
  ),
  loader(
    "VCPUs created %d doesn't match with allowed %d for VM %d",
    ["created", "allowed", "vm"],
    "vcpus",
    ({ created, allowed, vm }) => `VM ${vm} has ${created} vCPUs, and its image requests ${allowed}`,
  ),
  gunyah("failed qcom_scm_assign for 0x%x address of size %x - subsys VMid %d rc:%d", {
    names: ["address", "size", "_", "errno"],
    sign: "scm",
    says: ({ address, errno }) => `the secure world refused to change who may use the memory at ${address}: ${errno}`,
    call: "qcom_scm_assign_mem",
    book: ["vm-manager", "13"],
    own: true,
  }),
  gunyah("Unknown VCPU STATE: state=%d VCPU=%u of VM=%d", {
    names: ["reason", "vcpu", "vm"],
    sign: "exit",
    says: ({ reason, vcpu }) => `vcpu_run of vCPU ${vcpu} returned the state ${reason}, which this driver does not know`,
    call: "vcpu_run",
    book: ["hypervisor", "5.4"],
    own: true,
  }),
  gunyah("Failed vcpu_run %d", {
    names: ["errno"],
    sign: "call",
    values: { call: "GH_VCPU_RUN" },
    says: ({ errno }) => `the hypervisor refused to run a vCPU: ${errno}`,
    book: ["vm-manager", "9"],
    own: true,
  }),
  gunyah("Invalid VIRQ, proxy scheduling isn't supported", {
    sign: "host",
    says: "the Resource Manager gave a vCPU no interrupt: the hypervisor schedules it, and not this kernel",
    book: ["vm-manager", "9"],
    own: true,
    quiet: true,
  }),
];
