// Each object type has a source file, a file of its hypercalls and a test file of its name.

import assert from "node:assert/strict";
import type { ObjectType } from "../../../src/machine/abi/rights.ts";
import { filesBelow } from "../../support/files.ts";

/** The names of the files, by type: its own, with words joined by hyphens. Threads are vCPUs. */
const NAMES: Record<ObjectType, string> = {
  partition: "partition",
  cspace: "cspace",
  addrspace: "addrspace",
  memextent: "memextent",
  thread: "vcpu",
  doorbell: "doorbell",
  msgqueue: "msgqueue",
  vic: "vic",
  vpm_group: "vpm-group",
  hwirq: "hwirq",
  virtio_mmio: "virtio-mmio",
};

Deno.test("each object type has one source file, one file of hypercalls and one test file of its name, in rooms of one name", () => {
  const sources = [...filesBelow(new URL("../../../src/machine/hypervisor/", import.meta.url))];
  const tests = [...filesBelow(new URL("./", import.meta.url))];
  for (const [type, name] of Object.entries(NAMES)) {
    const [room, ...others] = sources.filter((path) => path.endsWith(`/${name}.ts`)).map((path) => path.slice(0, path.indexOf("/")));
    assert.deepEqual(others, [], `${type} has several source files`);
    assert.ok(room, `${type} has no source file`);
    const text = Deno.readTextFileSync(new URL(`../../../src/machine/hypervisor/${room}/${name}.ts`, import.meta.url));
    assert.match(text, new RegExp(`interface ObjectTypes \\{\n {4}${type}: `), `${room}/${name}.ts does not declare ${type}`);
    assert.ok(sources.includes(`${room}/${name}-calls.ts`), `${type}: ${room}/${name}-calls.ts is missing`);
    assert.deepEqual(tests.filter((path) => path.endsWith(`/${name}_test.ts`)), [`${room}/${name}_test.ts`]);
  }
});
