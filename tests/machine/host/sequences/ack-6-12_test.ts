// android16-6.12: as android15-6.6, with the firmware's parcel first. Only trusted VMs are
// authenticated, of which there are none.

import { sequenceTests } from "./generation.ts";
import { pagedSequences } from "./paged.ts";

sequenceTests(
  "ack-6.12",
  pagedSequences({
    ...{ lent: false, attributes: "f0066", devicetree: "42100000", missed: "42105000" },
    parcels: ["firmware", "devicetree"],
    end: ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
  }),
);
