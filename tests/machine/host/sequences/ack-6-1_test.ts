// android14-6.1: the calls of version 14, but the VMID is allocated in CREATE_VM. All parcels are
// made before VM_CONFIG_IMAGE.

import { EXITED, sequenceTests, STOPPED } from "./generation.ts";

sequenceTests("ack-6.1", {
  made: `
VM_ALLOCATE
VM_GET_VMID
`,
  start: `
MEM_SHARE label=1 acl=80:7,3:7 entries=1 bytes=200000
VM_CONFIG_IMAGE vmid=80 handle=101 dt_offset=100000 dt_size=4000
VM_INIT vmid=80
VM_GET_HYP_RESOURCES vmid=80
VM_START vmid=80
`,
  protectedStart: `
MEM_LEND label=1 acl=80:7 entries=1 bytes=200000
VM_CONFIG_IMAGE vmid=80 auth_type=2 handle=8 dt_offset=100000 dt_size=4000
VM_SET_FIRMWARE_MEM vmid=80 handle=8 size=2000
VM_INIT vmid=80
VM_GET_HYP_RESOURCES vmid=80
VM_START vmid=80
`,
  stopped: STOPPED,
  exited: EXITED,
  unstarted: "VM_DEALLOCATE vmid=80",
  failures: {
    MEM_SHARE: ["ENODEV", "VM_DEALLOCATE"],
    VM_CONFIG_IMAGE: ["ENODEV", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_INIT: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_GET_HYP_RESOURCES: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_START: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
  },
});
