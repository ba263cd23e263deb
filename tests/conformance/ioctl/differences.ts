// Steps of recorded cases that el2 answers in another way than the real driver, on purpose.
// docs/differences.md has each with its reason.

/** Numbers of steps (from 1) by case. */
export const DIFFERENT_STEPS: Readonly<Record<string, { readonly reason: string; readonly steps: readonly number[] }>> = {
  "run-off-lend": { reason: "Lending memory out of a 1 GiB block: a lend always takes the host's access away", steps: [16] },
  "start-lend-touch": { reason: "Lending memory out of a 1 GiB block: a lend always takes the host's access away", steps: [13, 14] },
  "run-shared-visible": { reason: "Completed devicetree: the same nodes, packed more tightly", steps: [14] },
  "x-vmexit-ok-lend": { reason: "VM_EXIT: the Resource Manager acts before the VM's next exit", steps: [15] },
};

/** Reasons by case why the notifications differ. */
export const DIFFERENT_NOTIFICATIONS: Readonly<Record<string, string>> = {
  "x-append-lend": "the recorded region had 985 pieces, more than a VM is given at START (tests/machine/resource-manager); here it has one",
};
