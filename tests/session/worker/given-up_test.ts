// The end of a worker's rights.

import assert from "node:assert/strict";

Deno.test("a worker whose plan is here at once gives up its modules, and runs", async () => {
  const worker = new Worker(new URL("./hurried-worker.ts", import.meta.url), { type: "module" });
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
