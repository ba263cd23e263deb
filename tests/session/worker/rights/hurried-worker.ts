// A thread whose plan is here at once: it gives up services and rights without a turn between.

import { giveUpRights, giveUpServices } from "../../../../src/session/worker/rights/given-up.ts";

giveUpServices();
giveUpRights();
setTimeout(() => globalThis.postMessage("runs"), 20);
