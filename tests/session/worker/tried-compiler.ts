// The worker that compiles, which then tries which rights it has left. It has none to load modules
// from elsewhere than its own folder: all come with it.

import { remains } from "../../support/remains.ts";
import { triedRights } from "../../support/tried-rights.ts";
import "../../../src/session/worker/compiler-worker.ts";

const rights = triedRights().join(" ");
remains().then((all) => globalThis.postMessage(`rights: ${rights}\nremains: ${JSON.stringify(all)}`));
