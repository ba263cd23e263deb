// Linux's mailbox on the Resource Manager's link.

import { mailboxTest } from "./on-resource-manager.ts";

mailboxTest();
