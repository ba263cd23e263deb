// Builds the core of a page's program, and asks machines for it, in a thread that has no core yet;
// posts the error if there is one.

import assert from "node:assert/strict";
import { type CoreBlueprint, equipCores } from "../../../src/cpu/core/boot.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { prepare } from "../../../src/session/assembly/assemble.ts";
import { decodeBlueprint } from "../../../src/session/assembly/code/blueprint-file.ts";
import { buildCore, useBuiltCore } from "../../../src/session/assembly/built-core.ts";

/** The keys that a machine with so much memory looks for, and those of what it generates. */
function asked(memory: number, store: (key: string) => CoreBlueprint | undefined = () => undefined) {
  const keys: string[] = [], generated: string[] = [];
  equipCores({
    blueprints: {
      load(key) {
        keys.push(key);
        return store(key);
      },
      keep: (key) => void generated.push(key),
    },
  });
  prepare({ memory }, false);
  return { keys, generated };
}

function check(): void {
  const built = buildCore(), blueprint = decodeBlueprint(built.file), none = { keys: [], generated: [] };
  assert.ok(blueprint);
  assert.throws(buildCore, /this thread has a core/);
  // This thread has the core of their layout: it looks for no other.
  for (const memory of [96, 1024]) assert.deepEqual(asked(memory * MiB), none, `${memory}`);
  // It keeps two layouts.
  for (const memory of [2048, 3000]) assert.deepEqual(asked(memory * MiB).generated.length, 1);
  const stored = (key: string) => key === built.key ? blueprint : undefined;
  assert.deepEqual(asked(96 * MiB, stored), { keys: [built.key], generated: [] });
  const damaged = built.file.map((byte, at) => at === built.file.length - 9 ? byte ^ 1 : byte);
  assert.equal(useBuiltCore({ ...built, file: damaged }), false);
  assert.equal(useBuiltCore(built), true);
}

try {
  check();
  postMessage("");
} catch (error) {
  postMessage(String(error));
}
