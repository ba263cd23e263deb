// The bounds of a process's garbage, of which V8 knows one by an option only.

import assert from "node:assert/strict";
import { HEAP_OPTIONS } from "../../src/support/garbage.ts";

/** A program of two threads that prints the limits of their heaps, in MiB. */
const LIMITS = `
  import { getHeapStatistics } from "node:v8";
  const limit = getHeapStatistics().heap_size_limit / 2 ** 20;
  if (typeof WorkerGlobalScope !== "undefined") postMessage(limit);
  else {
    const worker = new Worker(import.meta.url, { type: "module" });
    worker.onmessage = ({ data }) => {
      console.log(JSON.stringify([limit, data]));
      worker.terminate();
    };
  }
`;

async function limitsWith(options: readonly string[]): Promise<number[]> {
  const program = `data:application/javascript,${encodeURIComponent(LIMITS)}`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--no-config", ...options, program] }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("the options of el2 bound the young generation of both threads, which V8 lets grow by more than 40 MiB otherwise", async () => {
  const [bounded, other] = await Promise.all([limitsWith(HEAP_OPTIONS), limitsWith([])]);
  assert.equal(bounded.length, 2);
  bounded.forEach((limit, thread) => assert.ok(other[thread] - limit > 40, `${other} and ${bounded} MiB`));
});
