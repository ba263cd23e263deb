// Messages of Gunyah's drivers: drivers/virt/gunyah of android14-6.1 to android16-6.12 and of the
// mailing list's series, with the SMC calls of Qualcomm's platform hooks.

import { type FormEntry, formsOf } from "./form.ts";

const START = "GH_VM_START";

const gunyah = formsOf("gunyah");

/** A step of VM_START by its message. */
const step = (format: string, step: string, says: string, section: string): FormEntry =>
  gunyah(format, {
    names: ["errno"],
    sign: "step",
    values: { step },
    says: ({ errno }) => `VM_START fails with ${errno}: ${says}`,
    call: START,
    book: ["vm-manager", section],
  });

/** A hypercall that was refused for a page of a VM. */
const pageCall = (format: string, call: string, done: string, section: string): FormEntry =>
  gunyah(format, {
    names: ["address", "hyp"],
    sign: "hypercall",
    values: { call },
    says: ({ address, error }) => `the page at ${address} of the VM could not be ${done}: ${error}`,
    book: ["hypervisor", section],
    own: true,
  });

export const GUNYAH_FORMS: readonly FormEntry[] = [
  gunyah("RM rejected message %08x. Error: %d", {
    names: ["message", "rm"],
    sign: "rpc",
    says: ({ message, error }) => `the Resource Manager refused ${message} with ${error}`,
    own: true,
  }),
  step("Failed to allocate parcel for DTB: %d", "dtb", "the pages of the devicetree could not be made a parcel", "7"),
  step("Failed to allocate parcel for FW: %d", "firmware", "the pages of the firmware could not be made a parcel", "7"),
  step("Failed to configure VM: %d", "configure", "VM_CONFIG_IMAGE was refused", "7"),
  step("Failed to set up gmem demand paging: %d", "demand-paging", "VM_SET_DEMAND_PAGING was refused", "7"),
  step("Failed to set location of DTB mem parcel: %d", "layout", "VM_SET_ADDRESS_LAYOUT was refused", "7"),
  step("Failed to initialize VM: %d", "init", "VM_INIT was refused", "7"),
  step("Failed to setup boot context: %d", "boot-context", "VM_SET_BOOT_CONTEXT was refused", "6"),
  step("Failed to get hypervisor resources for VM: %d", "resources", "VM_GET_HYP_RESOURCES was refused", "7"),
  step("Failed to start VM: %d", "start", "the Resource Manager refused to start it", "7"),
  gunyah("Failed to %s parcel %d: %d", {
    names: ["step", "label", "errno"],
    sign: "step",
    says: ({ step, label, errno }) =>
      `VM_START fails with ${errno}: memory with the label ${label} could not be ${step === "lend" ? "lent" : "shared"}`,
    call: START,
    book: ["vm-manager", "5.2"],
    only: ({ step }) => step === "lend" || step === "share",
    own: true,
  }),
  gunyah("Failed to find the memory_handle for DTB", {
    sign: "step",
    values: { step: "dtb-region", errno: "EINVAL" },
    says: "VM_START fails with EINVAL: no memory of the VM holds the range of SET_DTB_CONFIG",
    call: START,
    book: ["vm-manager", "6"],
    own: true,
  }),
  gunyah("Failed to find the memory handle for pVM firmware", {
    sign: "step",
    values: { step: "firmware-region", errno: "EINVAL" },
    says: "VM_START fails with EINVAL: no memory of the VM holds the range of SET_FW_CONFIG",
    call: START,
    book: ["vm-manager", "6"],
    own: true,
  }),
  gunyah("Failed to configure pVM firmware", {
    sign: "step",
    values: { step: "firmware-memory" },
    says: "VM_START fails: VM_SET_FIRMWARE_MEM was refused",
    call: START,
    book: ["resource-manager", "3.12"],
    own: true,
  }),
  ...[
    ["Failed to reclaim parcel: %d", "a parcel"],
    ["Failed to reclaim firmware parcel: %d", "the firmware's parcel"],
    ["Failed to reclaim DTB parcel: %d", "the devicetree's parcel"],
  ].map(([format, what]) =>
    gunyah(format, {
      names: ["errno"],
      sign: "reclaim",
      says: ({ errno }) => `${what} did not come back (${errno}): the driver keeps its pages, as it does not know who has them`,
      book: ["vm-manager", "11"],
    })
  ),
  gunyah("Failed to reclaim memory parcel for label %d: %d", {
    names: ["label", "errno"],
    sign: "reclaim",
    says: ({ label, errno }) => `the parcel with the label ${label} did not come back (${errno})`,
    book: ["vm-manager", "11"],
    own: true,
  }),
  pageCall("Failed to map guest address 0x%016llx: %d", "addrspace_map", "mapped", "4.6"),
  gunyah("Failed to map guest address: GUNYAH_ERROR_%s (%d)", {
    names: ["_", "hyp"],
    sign: "hypercall",
    values: { call: "addrspace_map" },
    says: ({ error }) => `a page of the VM could not be mapped: ${error}`,
    book: ["hypervisor", "4.6"],
    own: true,
  }),
  pageCall("Failed to unmap guest address 0x%016llx: %d", "addrspace_unmap", "unmapped", "4.6"),
  pageCall("Failed to donate memory for guest address 0x%016llx: %d", "memextent_donate", "given to it", "4.8"),
  gunyah("Failed to reclaim memory donation for guest address 0x%016llx: %d", {
    names: ["address", "hyp"],
    sign: "reclaim",
    says: ({ address, error }) => `the page at ${address} of the VM could not be taken back: ${error}`,
    call: "memextent_donate",
    book: ["hypervisor", "4.8"],
    own: true,
  }),
  gunyah("Platform failed to reclaim memory for guest address 0x%016llx: %d", {
    names: ["address", "errno"],
    sign: "scm",
    says: ({ address, errno }) => `the secure world did not give back the page at ${address} of the VM: ${errno}`,
    book: ["vm-manager", "13"],
    own: true,
  }),
  gunyah("Failed to provide folio for guest addr: %016llx: %d", {
    names: ["address", "errno"],
    sign: "page-fault",
    says: ({ address, errno }) => `the VM touched ${address}, and the driver could not give it that page: ${errno}`,
    book: ["vm-manager", "5.4"],
    own: true,
  }),
  gunyah("Failed to provide folio: %d", {
    names: ["errno"],
    sign: "page-fault",
    says: ({ errno }) => `the VM touched a page that the driver could not give it: ${errno}`,
    book: ["vm-manager", "5.4"],
    own: true,
  }),
  gunyah("Failed to obtain memory for guest addr %016llx: %d", {
    names: ["address", "errno"],
    sign: "page-fault",
    says: ({ address, errno }) => `the VM touched ${address}, for which the host has no page: ${errno}`,
    book: ["vm-manager", "5.4"],
    own: true,
  }),
  gunyah("Gunyah page fault, attempt=%d", {
    names: ["errno"],
    sign: "page-fault",
    says: ({ errno }) => `RUN returned with a page fault of the VM that was not resolved: ${errno}`,
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "9"],
    own: true,
  }),
  gunyah("page fault attempt %d", {
    names: ["errno"],
    sign: "page-fault",
    says: ({ errno }) => `RUN returned with a page fault of the VM that was not resolved: ${errno}`,
    call: "GH_VCPU_RUN",
    book: ["vm-manager", "9"],
    only: ({ errno }) => typeof errno === "string",
  }),
  gunyah("Demand paging of CMA mem not supported", {
    sign: "page-fault",
    values: { errno: "EOPNOTSUPP" },
    says: "the VM touched a page of CMA memory that is not part of its parcel",
    book: ["vm-manager", "5.4"],
    own: true,
  }),
  gunyah("Failed to send request. Error: %d", {
    names: ["errno"],
    sign: "step",
    values: { step: "send" },
    says: ({ errno }) => `a request did not reach the Resource Manager: ${errno}`,
    book: ["vm-manager", "12"],
  }),
  gunyah("Failed to receive data: %d", {
    names: ["hyp"],
    sign: "hypercall",
    values: { call: "msgqueue_receive" },
    says: ({ error }) => `the driver could not read the Resource Manager's queue: ${error}`,
    book: ["hypervisor", "4.3"],
  }),
  gunyah("Limit (%lu bytes) exceeded for the maximum message size: %lu", {
    names: ["limit", "size"],
    sign: "step",
    values: { step: "message", errno: "E2BIG" },
    says: ({ limit, size }) => `a request of ${size} bytes is longer than the ${limit} that a message may have`,
    book: ["resource-manager", "1.3"],
  }),
  gunyah("Unknown vCPU state: %llx", {
    names: ["reason"],
    sign: "exit",
    says: ({ reason }) => `vcpu_run returned the state 0x${reason}, which this driver does not know`,
    call: "vcpu_run",
    book: ["hypervisor", "5.4"],
    own: true,
  }),
  gunyah("vcpu%d already got a Gunyah resource.", {
    names: ["vcpu"],
    sign: "step",
    values: { step: "vcpu-twice", errno: "EEXIST" },
    says: ({ vcpu }) => `the Resource Manager gave vCPU ${vcpu} twice`,
    book: ["vm-manager", "9"],
    own: true,
  }),
  gunyah("Failed to request vcpu irq %d: %d", {
    names: ["_", "errno"],
    sign: "step",
    values: { step: "vcpu-irq" },
    says: ({ errno }) => `the interrupt by which a vCPU wakes its driver could not be had: ${errno}`,
    book: ["vm-manager", "9"],
    own: true,
  }),
  gunyah("Failed to translate interrupt for resource %d label: %d: %d", {
    names: ["type", "label", "errno"],
    sign: "step",
    values: { step: "resources" },
    says: ({ type, label, errno }) => `the interrupt of a resource (type ${type}, label ${label}) is not one that Linux can take: ${errno}`,
    book: ["vm-manager", "12"],
  }),
  gunyah("Failed to allocate interrupt for resource %d label: %d: %d", {
    names: ["type", "label", "errno"],
    sign: "step",
    values: { step: "resources" },
    says: ({ type, label, errno }) => `Linux has no interrupt for a resource (type ${type}, label ${label}): ${errno}`,
    book: ["vm-manager", "12"],
  }),
  gunyah("%s: arg_size > %d", {
    names: ["_", "most"],
    sign: "call",
    values: { call: "GH_VM_ADD_FUNCTION", errno: "EINVAL" },
    says: ({ most }) => `ADD_FUNCTION with an argument of more than ${most} bytes`,
    book: ["vm-manager", "10"],
  }),
  gunyah("Failed to stop VM: %d", {
    names: ["errno"],
    sign: "step",
    values: { step: "stop" },
    says: ({ errno }) => `VM_STOP was refused: ${errno}`,
    book: ["vm-manager", "11"],
  }),
  gunyah("Failed to reset the vm: %d", {
    names: ["errno"],
    sign: "step",
    values: { step: "reset" },
    says: ({ errno }) => `VM_RESET was refused: ${errno}`,
    book: ["vm-manager", "11"],
  }),
  gunyah("Dangling resource tickets", {
    sign: "step",
    values: { step: "tickets" },
    says: "a VM ended while functions still held its resources",
    book: ["vm-manager", "11"],
    own: true,
  }),
  gunyah("Running under Gunyah hypervisor %llx/v%u", {
    names: ["variant", "version"],
    sign: "host",
    says: ({ version }) => `this kernel is a VM of Gunyah, version ${version} of the API`,
    book: ["hypervisor", "1.4"],
    own: true,
    quiet: true,
  }),
  gunyah("Unsupported Gunyah API version: %u", {
    names: ["version"],
    sign: "step",
    values: { step: "probe", errno: "ENODEV" },
    says: ({ version }) => `hypervisor_identify gave version ${version} of the API, and the driver knows only 1`,
    call: "hypervisor_identify",
    book: ["hypervisor", "1.4"],
    own: true,
  }),
  // The calls to the secure world.
  ...["Assign memory protection call failed %d", "qcom_scm_assign_mem failed: %d"].map((format) =>
    gunyah(format, {
      names: ["errno"],
      sign: "scm",
      says: ({ errno }) => `the secure world refused to change who may use pages: ${errno}`,
      call: "qcom_scm_assign_mem",
      book: ["vm-manager", "13"],
      own: true,
    })
  ),
  gunyah("Assign failed %d", {
    names: ["vmid"],
    sign: "scm",
    says: ({ vmid }) => `the secure world refused to assign pages (${vmid})`,
    call: "qcom_scm_assign_mem",
    book: ["vm-manager", "13"],
    own: true,
  }),
  ...["%s: probe of %s failed with error %d", "%s %s: probe with driver %s failed with error %d"].map((format) =>
    gunyah(format, {
      names: format.includes("with driver") ? ["_", "_", "driver", "errno"] : ["driver", "_", "errno"],
      sign: "watchdog",
      says: ({ errno }) => `the driver of Gunyah's watchdog did not take it: ${errno}`,
      book: ["hypervisor", "7.2"],
      own: true,
      only: ({ driver }) => /^gunyah.?wdt/.test(String(driver)),
    })
  ),
];
