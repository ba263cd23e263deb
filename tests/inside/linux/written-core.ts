// The core file of a Debian's VM, whole.

import assert from "node:assert/strict";
import { vmcoreOf } from "../../../src/session/inspection/linux/vmcore.ts";
import { Looks, View } from "../../../src/session/inspection/readers/inspected.ts";
import type { Debian } from "./debian.ts";

export function writtenCore(debian: Debian): Uint8Array<ArrayBuffer> {
  const core = vmcoreOf(new View(debian.system, new Looks()), undefined), file = new Uint8Array(core.size);
  assert.equal(core.lacks, undefined);
  file.set(core.beginning);
  for (const { offset, bytes } of core.pages()) file.set(bytes, offset);
  return file;
}
