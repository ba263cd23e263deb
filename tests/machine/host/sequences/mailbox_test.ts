// Linux's mailbox on the resource manager's link.

import { mailboxTest } from "./on-resource-manager.ts";

mailboxTest();
