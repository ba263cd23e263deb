// A folder that was there when its machine was planned, and is gone when the machine is made.

import assert from "node:assert/strict";
import { beginSystem } from "../../../../src/session/snapshots/begin.ts";
import { bootPlan } from "../../snapshots/systems.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

Deno.test("a shared folder that is missing, or a file, is the user's to fix and not a bug of el2", () =>
  inFolder(async (folder) => {
    const plan = await bootPlan(), file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    for (const path of [`${folder}/none`, file]) {
      const devices = [{ kind: "9p", folder: path, mode: "ro", tag: "t" }] as const;
      assert.ok(plan.what.kind === "boot");
      assert.deepEqual(beginSystem({ ...plan, what: { ...plan.what, devices } }), { refused: { what: `folder ${path}: no such folder` } });
    }
  }));
