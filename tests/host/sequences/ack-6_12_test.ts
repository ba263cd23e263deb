// android16-6.12: as android15-6.6, with the firmware's parcel first. Only trusted VMs are authenticated, of which there are none.

import { sequenceTests } from "./generation.ts";

const END = `
addrspace_unmap 901 900 80000000 1 42000000 100000
memextent_donate 2 900 900 42000000 100000
addrspace_unmap 901 900 80104000 1 42104000 fc000
memextent_donate 2 900 900 42104000 fc000
VM_RESET vmid=80
MEM_RECLAIM handle=8
VM_DEALLOCATE vmid=80
`;

sequenceTests("ack-6.12", {
  made: "",
  start: `
VM_ALLOCATE
MEM_LEND acl=80:7 entries=1 bytes=4000
VM_CONFIG_IMAGE vmid=80 handle=8 dt_size=4000
VM_SET_DEMAND_PAGING vmid=80 ranges=80000000:200000
VM_SET_ADDRESS_LAYOUT vmid=80 base=80100000 size=4000
VM_INIT vmid=80
VM_SET_BOOT_CONTEXT vmid=80 register_set=1 value=80000000
VM_SET_BOOT_CONTEXT vmid=80 register_index=5 value=37
VM_GET_HYP_RESOURCES vmid=80
memextent_donate 2 900 900 42000000 100000
addrspace_map 901 900 80000000 f0066 1 42000000 100000
memextent_donate 2 900 900 42104000 fc000
addrspace_map 901 900 80104000 f0066 1 42104000 fc000
VM_START vmid=80
`,
  protectedStart: `
VM_ALLOCATE
MEM_LEND acl=80:7 entries=1 bytes=2000
MEM_LEND acl=80:7 entries=1 bytes=4000
VM_CONFIG_IMAGE vmid=80 auth_type=2 handle=18 dt_size=4000
VM_SET_FIRMWARE_MEM vmid=80 handle=8 size=2000
VM_SET_DEMAND_PAGING vmid=80 ranges=80000000:200000
VM_SET_ADDRESS_LAYOUT vmid=80 base=80100000 size=4000
VM_INIT vmid=80
VM_GET_HYP_RESOURCES vmid=80
memextent_donate 2 900 900 42002000 fe000
addrspace_map 901 900 80002000 f0066 1 42002000 fe000
memextent_donate 2 900 900 42104000 fc000
addrspace_map 901 900 80104000 f0066 1 42104000 fc000
VM_START vmid=80
`,
  stopped: `
VM_STOP vmid=80 flags=1 reason=3
${END}`,
  exited: END,
  unstarted: "",
  failures: {
    VM_ALLOCATE: ["ENODEV"],
    MEM_LEND: ["ENODEV", "VM_DEALLOCATE"],
    VM_CONFIG_IMAGE: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_SET_DEMAND_PAGING: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_SET_ADDRESS_LAYOUT: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_INIT: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_SET_BOOT_CONTEXT: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_GET_HYP_RESOURCES: ["ENODEV", "VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
    VM_START: [
      "ENODEV",
      "addrspace_unmap",
      "memextent_donate",
      "addrspace_unmap",
      "memextent_donate",
      "VM_RESET",
      "MEM_RECLAIM",
      "VM_DEALLOCATE",
    ],
  },
});
