// The calls of generations that give a page when the guest misses it: what differs is how the pages
// are mapped, and which parcel comes first.

import type { Sequences } from "./generation.ts";

/** The differences of a generation. */
export interface Paged {
  /** Attributes of the guest's mappings, in hexadecimal. */
  readonly attributes: string;
  /** Whether memory is the VM's alone; otherwise the host keeps it, but for the parcels. */
  readonly lent: boolean;
  /**
   * Host address of the pages of the devicetree, and of the first that is missed, in hexadecimal.
   */
  readonly devicetree: string;
  readonly missed: string;
  /**
   * MEM_LEND of a protected VM's parcels in their order, by what they hold; undefined if there
   * are no protected VMs.
   */
  readonly parcels?: readonly ["devicetree" | "firmware", "devicetree" | "firmware"];
  /** The calls of the end of a VM that did not run, from INIT on. */
  readonly end: readonly string[];
}

const LENT = { devicetree: "4000", firmware: "2000" } as const;
/** Requests between the parcels and the pages. */
const CONFIGURE = [
  "VM_CONFIG_IMAGE",
  "VM_SET_DEMAND_PAGING",
  "VM_SET_ADDRESS_LAYOUT",
  "VM_INIT",
  "VM_SET_BOOT_CONTEXT",
  "VM_GET_HYP_RESOURCES",
];
/** The page that is missed. */
export const MISSED = 0x8010_5000;

/** The texts of a generation. */
export function pagedSequences({ attributes, lent, missed, devicetree, parcels, end }: Paged): Sequences {
  const [give, take, flags] = lent ? [3, 4, 3] : [2, 2, 5];
  const exited = `
addrspace_unmap 901 900 80100000 3 ${devicetree} 4000
memextent_donate 4 900 900 ${devicetree} 4000
VM_RESET vmid=80
VM_DEALLOCATE vmid=80
`;
  const paging = `
VM_SET_DEMAND_PAGING vmid=80 ranges=80000000:200000
VM_SET_ADDRESS_LAYOUT vmid=80 base=80100000 size=4000
VM_INIT vmid=80
`;
  // The first parcel has the handle 8, the second 18.
  const handleOf = (parcel: "devicetree" | "firmware") => parcels?.[0] === parcel ? "8" : "18";
  return {
    made: "",
    start: `
VM_ALLOCATE
MEM_LEND acl=80:7 entries=1 bytes=4000
VM_CONFIG_IMAGE vmid=80 handle=8 dt_size=4000
${paging}
VM_SET_BOOT_CONTEXT vmid=80 register_set=1 value=80000000
VM_SET_BOOT_CONTEXT vmid=80 register_index=5 value=37
VM_GET_HYP_RESOURCES vmid=80
VM_START vmid=80
`,
    protectedStart: parcels && `
VM_ALLOCATE
${parcels.map((parcel) => `MEM_LEND acl=80:7 entries=1 bytes=${LENT[parcel]}`).join("\n")}
VM_CONFIG_IMAGE vmid=80 auth_type=2 handle=${handleOf("devicetree")} dt_size=4000
VM_SET_FIRMWARE_MEM vmid=80 handle=${handleOf("firmware")} size=2000
${paging}
VM_GET_HYP_RESOURCES vmid=80
VM_START vmid=80
`,
    stopped: `VM_STOP vmid=80 flags=1 reason=3${exited}`,
    exited,
    unstarted: "",
    failures: {
      VM_ALLOCATE: ["ENODEV"],
      MEM_LEND: ["ENODEV", "VM_DEALLOCATE"],
      ...Object.fromEntries(CONFIGURE.map((name) => [name, ["ENODEV", ...end]])),
      VM_START: ["ENODEV", ...end],
    },
    missed: `
memextent_donate ${give} 900 900 ${missed} 1000
addrspace_map 901 900 ${MISSED.toString(16)} ${attributes} ${flags} ${missed} 1000
`,
    missedEnd: `
VM_STOP vmid=80 flags=1 reason=3
addrspace_unmap 901 900 80100000 3 ${devicetree} 4000
memextent_donate 4 900 900 ${devicetree} 4000
addrspace_unmap 901 900 ${MISSED.toString(16)} ${flags} ${missed} 1000
memextent_donate ${take} 900 900 ${missed} 1000
VM_RESET vmid=80
VM_DEALLOCATE vmid=80
`,
  };
}
