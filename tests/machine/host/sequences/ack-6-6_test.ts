// android15-6.6: user memory that is given page by page; the devicetree's parcel comes before the
// firmware's.

import { sequenceTests } from "./generation.ts";
import { pagedSequences } from "./paged.ts";

sequenceTests(
  "ack-6.6",
  pagedSequences({
    ...{ lent: false, attributes: "f0066", devicetree: "42100000", missed: "42105000" },
    parcels: ["devicetree", "firmware"],
    end: ["VM_RESET", "MEM_RECLAIM", "VM_DEALLOCATE"],
  }),
);
