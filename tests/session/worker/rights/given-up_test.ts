// The end of a worker's rights.

import assert from "node:assert/strict";
import { codeOf, workerPermissions } from "../../../../src/session/worker/rights/worker-rights.ts";
import { ROOT } from "../../../support/files.ts";

Deno.test("a worker whose plan is here at once gives up its modules, and runs", async () => {
  // With the rights of its process it would take them from all tests of this process.
  const permissions = workerPermissions(codeOf(new URL("main.ts", ROOT)));
  const worker = new Worker(new URL("./hurried-worker.ts", import.meta.url), { type: "module", deno: { permissions } });
  try {
    const said = await new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (error) => {
        error.preventDefault();
        resolve(error.message);
      };
    });
    assert.equal(said, "runs");
  } finally {
    worker.terminate();
  }
});
