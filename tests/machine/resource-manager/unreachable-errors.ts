// Errors that the specification lists for a request and that cannot come about here
// (docs/spec/resource-manager.md §3), each with its reason.

/** Reasons, by the request's name and the error's. */
export const UNREACHABLE_RPC_ERRORS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  VM_ALLOCATE: { NOMEM: "a VM is an entry of a table of 64, and takes no memory before VM_INIT: a full table is NORESOURCE" },
  VM_AUTH_IMAGE: { ARGUMENT_INVALID: "only VMs of authentication type 1 come to the state AUTH, and the state is checked first" },
  VM_EXIT: { ARGUMENT_INVALID: "a VM whose crash is fatal is trusted, and VM_INIT makes no trusted VMs on the open platform" },
  VM_GET_ID: { VALIDATE_FAILED: "the open platform knows one authority that signs, and each VM has it" },
  MEM_RELEASE: { VMID_INVALID: "who releases is the VM of the link on which it asks, which is always one" },
};
