// Each class of verdicts: guests that are broken in its way get it, soon and whenever one asks,
// with cause and place as facts; healthy look-alikes are asked every 10 ms of virtual time, and
// nothing is found wrong with them.

import { testBroken, testHealthy } from "./class-cases.ts";
import { BROKEN_CLASSES, guests, HEALTHY_CLASSES, TRAILS } from "./classes.ts";

testBroken(guests, { ...BROKEN_CLASSES, "a mishap before": TRAILS });
testHealthy(guests, HEALTHY_CLASSES);
