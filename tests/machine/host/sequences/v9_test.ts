// Version 9 of the series: START shares all memory; every error of the Resource Manager is EINVAL.

import { EXITED, sequenceTests, STOPPED } from "./generation.ts";

sequenceTests("v9", {
  made: `
VM_ALLOCATE
VM_GET_VMID
`,
  start: `
MEM_SHARE label=1 acl=80:7,3:7 entries=1 bytes=200000
VM_CONFIG_IMAGE vmid=80 handle=101 dt_offset=100000 dt_size=4000
VM_INIT vmid=80
VM_START vmid=80
`,
  stopped: STOPPED,
  exited: EXITED,
  unstarted: "VM_DEALLOCATE vmid=80",
  failures: {
    MEM_SHARE: ["EINVAL", "VM_DEALLOCATE"],
    VM_CONFIG_IMAGE: ["EINVAL", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_INIT: ["EINVAL", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_START: ["EINVAL", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
  },
});
