// Which keys of a configuration name objects of this computer: each text that a file can have is
// either declared as a path or listed here.

import assert from "node:assert/strict";
import { EVERY, textsOf } from "../../../../src/app/configuration/keys/host-paths.ts";
import { Schema } from "../../../../src/app/configuration/schema.ts";

/** Texts that name nothing of this computer; `*` and numbers stand for any key. */
const OTHERS = [
  ...["machine.cpu", "host.cmdline", "host.el2_args", "host.reclaim_after", "host.rtc"],
  ...["rm.low_memory", "vm.*.cmdline", "vm.*.start", "vm.*.timeslice", "vm.*.size_max"],
  ...["host.devices.0.ports.0", "host.devices.0.backend", "host.devices.0.forward.0", "host.devices.0.tag"],
  ...["host.devices.0.allow.0", "host.devices.0.deny.0", "host.devices.0.partitions.0.label", "host.devices.0.partitions.0.guid"],
  ...["vm.*.devices.0.ports.0", "vm.*.devices.0.backend", "vm.*.devices.0.forward.0", "vm.*.devices.0.tag"],
  ...["vm.*.devices.0.allow.0", "vm.*.devices.0.deny.0", "vm.*.devices.0.partitions.0.label", "vm.*.devices.0.partitions.0.guid"],
  ...["link.*.between.0", "link.*.from", "link.*.to", "link.*.size", "ui.theme", "ui.layout", "ui.console_prefix", "ui.keys.*"],
];

const all = [...textsOf(Schema, EVERY)].map(({ keys, use }) => ({ key: keys.join("."), use }));

Deno.test("each text of a configuration is declared as a path of this computer, or known not to be one", () => {
  const undeclared = new Set(all.filter(({ use }) => use === undefined).map(({ key }) => key));
  assert.deepEqual([...undeclared].sort(), [...OTHERS].sort(), "declare it with hostPath(), or list it above");
  const paths = new Set(all.filter(({ use }) => use).map(({ key }) => key));
  for (const key of ["vm.*.image", "host.initrd", "rm.app", "machine.record", "vm.*.devices.0.log", "host.devices.0.folder"]) {
    assert.ok(paths.has(key), key);
  }
});

Deno.test("a path's use follows from its declaration: what is written, and by which mode", () => {
  const uses = Object.fromEntries(all.flatMap(({ key, use }) => use ? [[key, [use.kind, use.written]]] : []));
  assert.deepEqual(uses["vm.*.devices.0.image"], ["disk", "mode"]);
  assert.deepEqual(uses["vm.*.devices.0.partitions.0.image"], ["disk", "mode"]);
  assert.deepEqual(uses["vm.*.devices.0.folder"], ["folder", "mode"]);
  assert.deepEqual(uses["machine.record"], ["recording", true]);
  assert.deepEqual(uses["host.firmware_vars"], ["firmware variables", true]);
  assert.deepEqual(uses["vm.*.kernel"], ["file", false]);
});
