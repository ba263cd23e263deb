// Version 6 of the series: memory changes hands in the call that names it, and nothing is reset.

import { sequenceTests } from "./generation.ts";

sequenceTests("v6", {
  made: `
VM_ALLOCATE
MEM_SHARE label=1 acl=80:7,3:7 entries=1 bytes=200000
`,
  start: `
VM_CONFIG_IMAGE vmid=80 handle=101 dt_offset=100000 dt_size=4000
VM_INIT vmid=80
VM_START vmid=80
`,
  stopped: `
VM_STOP vmid=80 flags=1 reason=3
MEM_RECLAIM handle=101
VM_DEALLOCATE vmid=80
`,
  exited: `
MEM_RECLAIM handle=101
VM_DEALLOCATE vmid=80
`,
  unstarted: `
MEM_RECLAIM handle=101
VM_DEALLOCATE vmid=80
`,
  failures: {
    VM_CONFIG_IMAGE: ["EINVAL", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_INIT: ["EINVAL", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_START: ["EINVAL", "MEM_RECLAIM", "VM_DEALLOCATE"],
  },
});
