// The primary VM's devicetree: nodes that depend on the machine's choices.

import assert from "node:assert/strict";
import { primaryDevicetree } from "../../../src/assembly/devices/primary-devicetree.ts";
import { findNode } from "../../../src/devicetree/tree.ts";

Deno.test("GenieZone's node is there where EL2 has its calls, with the names that its drivers look for", () => {
  const options = { cpus: 1, memory: 1 << 28, rngSeed: new Uint8Array(32) };
  const { root } = primaryDevicetree({ ...options, geniezone: true });
  const node = findNode(root, "/firmware/hypervisor");
  assert.deepEqual(node?.properties.get("compatible"), new TextEncoder().encode("mediatek,geniezone-hyp\0mediatek,geniezone\0"));
  assert.equal(findNode(primaryDevicetree(options).root, "/firmware"), undefined);
});
