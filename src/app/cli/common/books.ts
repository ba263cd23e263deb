// The books of docs/spec and docs/design, inside the program: the one file has no folder to read
// them from. Only `el2 reference spec` loads them, as they are half a megabyte.

import core from "../../../../docs/design/core.md" with { type: "text" };
import decisions from "../../../../docs/design/decisions.md" with { type: "text" };
import look from "../../../../docs/design/look.md" with { type: "text" };
import workstation from "../../../../docs/design/workstation.md" with { type: "text" };
import geniezone from "../../../../docs/spec/geniezone.md" with { type: "text" };
import hypervisor from "../../../../docs/spec/hypervisor.md" with { type: "text" };
import observedIoctl from "../../../../docs/spec/observed-ioctl.md" with { type: "text" };
import observed from "../../../../docs/spec/observed.md" with { type: "text" };
import phones from "../../../../docs/spec/phones.md" with { type: "text" };
import resourceManager from "../../../../docs/spec/resource-manager.md" with { type: "text" };
import vmManager from "../../../../docs/spec/vm-manager.md" with { type: "text" };

/** Markdown of each book by its name, as reasons and citations name it. */
export const BOOKS: ReadonlyMap<string, string> = new Map(Object.entries({
  hypervisor,
  "resource-manager": resourceManager,
  "vm-manager": vmManager,
  geniezone,
  phones,
  observed,
  "observed-ioctl": observedIoctl,
  decisions,
  workstation,
  look,
  core,
}));
