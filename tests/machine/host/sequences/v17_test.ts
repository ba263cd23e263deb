// Version 17 of the series: guest memfds, the devicetree's pages alone are a parcel. That is taken
// back before the reset of a VM that never ran.

import { sequenceTests } from "./generation.ts";
import { pagedSequences } from "./paged.ts";

sequenceTests(
  "v17",
  pagedSequences({
    ...{ lent: true, attributes: "f0077", devicetree: "42001000", missed: "42006000" },
    end: ["MEM_RECLAIM", "VM_RESET", "VM_DEALLOCATE"],
  }),
);
