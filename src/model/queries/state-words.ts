// States as lists and screens show them: one word for one state. JSON, TSV and filters keep the
// words of the specification, and filters take both.

/** Activities of vCPUs. */
export const VCPU_STATES = {
  run: "runs",
  ready: "ready",
  wfi: "waits",
  suspend: "suspended",
  off: "off",
  vmmio: "its VMM",
  proxy: "no turn",
  migrate: "migrates",
  new: "new",
  exited: "exited",
  killed: "killed",
  fault: "fault",
} as const;

/** States of VMs that have another word than the Resource Manager's or the host's. */
export const VM_STATES = { init: "new", init_failed: "failed", reset: "exited" } as const;
