// The core that is built with a page's program.

import assert from "node:assert/strict";

Deno.test("the built core is that of machines with at most 1 GiB, which then generate none; a damaged one is not used", async () => {
  // Other tests of this process have made machines in this thread.
  const worker = new Worker(new URL("built-core-worker.ts", import.meta.url), { type: "module" });
  try {
    const error = await new Promise<string>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
    assert.equal(error, "");
  } finally {
    worker.terminate();
  }
});
