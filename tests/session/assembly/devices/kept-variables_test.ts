// The file of a firmware's variables, beside machines of the past.

import assert from "node:assert/strict";
import { KeptVariables } from "../../../../src/session/assembly/devices/kept-variables.ts";
import { Outside } from "../../../../src/session/outside/outside.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

const SIZE = 64 * 1024;

Deno.test("a machine of the past has the variables of its time, and its writes do not reach the file", () =>
  inFolder((folder) => {
    const path = `${folder}/vars.fd`, content = new Uint8Array(SIZE).fill(0xff);
    Deno.writeFileSync(path, content);
    const outside = new Outside(), present = new KeptVariables("rt", { path, content }, outside);
    present.write(0, Uint8Array.of(1));
    const then = present.part.save();
    present.write(0, Uint8Array.of(2));
    present.flush();
    const past = new KeptVariables("rt", { path, content }, new Outside(true));
    past.part.restore(then);
    assert.equal(past.content[0], 1);
    past.write(1, Uint8Array.of(3));
    past.flush();
    assert.deepEqual([...past.content.subarray(0, 3)], [1, 3, 0xff]);
    assert.deepEqual([...Deno.readFileSync(path).subarray(0, 3)], [2, 0xff, 0xff]);
    assert.deepEqual(present.content, Deno.readFileSync(path));
    // The present itself, in an earlier state: its next write brings the file to that.
    present.part.restore(then);
    present.write(2, Uint8Array.of(4));
    assert.deepEqual([...Deno.readFileSync(path).subarray(0, 3)], [1, 0xff, 4]);
    outside.close();
    return Promise.resolve();
  }));
