// The bounds of a process's garbage, of which V8 knows one by an option only.

import assert from "node:assert/strict";
import { isCollectionDue, patienceAfter, whenSettled } from "../../../../src/kit/support/computer/garbage.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { V8_OPTIONS } from "../../../../src/kit/support/computer/v8-options.ts";
import { inFolder } from "../../../support/temporary-folder.ts";

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

/** A program in which threads get their collectors at once; it prints how many are done. */
const COLLECTORS = `
  import { ownCollector } from "${new URL("../../../../src/kit/support/computer/garbage.ts", import.meta.url)}";
  if (typeof WorkerGlobalScope !== "undefined") {
    for (let i = 0; i < 25; i++) (await ownCollector())();
    postMessage("done");
  } else {
    const workers = Array.from({ length: 4 }, () => new Worker(import.meta.url, { type: "module" }));
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.onmessage = resolve)));
    console.log(workers.length);
    Deno.exit();
  }
`;

Deno.test("threads that get their collectors at once all get one, though the flag for it is one for all", async () => {
  await inFolder(async (folder) => {
    const program = `${folder}/collectors.ts`;
    await Deno.writeTextFile(program, COLLECTORS);
    const config = new URL("../../../../deno.json", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--allow-read", "--config", config, program] })
      .output();
    assert.equal(new TextDecoder().decode(stderr), "");
    assert.equal(new TextDecoder().decode(stdout), "4\n");
  });
});

async function limitsWith(options: readonly string[]): Promise<number[]> {
  const program = `data:application/javascript,${encodeURIComponent(LIMITS)}`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", "-q", "--no-config", ...options, program] }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("the options of el2 bound the young generation of both threads, which V8 lets grow by more than 40 MiB otherwise", async () => {
  const [bounded, other] = await Promise.all([limitsWith(V8_OPTIONS), limitsWith([])]);
  assert.equal(bounded.length, 2);
  bounded.forEach((limit, thread) => assert.ok(other[thread] - limit > 40, `${other} and ${bounded} MiB`));
});

Deno.test("garbage is collected after 2 MiB or a tenth of the heap, or where memory beside it has grown", () => {
  const due = (held: number, beside: number, lastHeld = 10, lastBeside = 200) =>
    isCollectionDue({ held: held * MiB, beside: beside * MiB }, { held: lastHeld * MiB, beside: lastBeside * MiB });
  assert.deepEqual([due(10, 200), due(12, 202), due(12.1, 200), due(10, 202.1), due(0, 100)], [false, false, true, true, false]);
  assert.deepEqual([due(43.9, 200, 40), due(44.1, 200, 40)], [false, true]);
});

Deno.test("collections that free little of what has gathered come later and later, until one frees much", () => {
  const after = (patience: number, last: number, before: number, then: number) =>
    patienceAfter(patience, last * MiB, before * MiB, then * MiB);
  assert.deepEqual([after(1, 40, 60, 58), after(2, 58, 80, 78), after(16, 58, 80, 78)], [2, 4, 16], "events are kept");
  assert.deepEqual([after(1, 20, 20, 20), after(1, 20, 20.5, 20)], [2, 2], "another thread's memory has grown");
  assert.deepEqual([after(8, 40, 60, 45), after(8, 40, 60, 50)], [1, 1]);
  const due = (patience: number) => isCollectionDue({ held: 50 * MiB, beside: 210 * MiB }, { held: 40 * MiB, beside: 200 * MiB }, patience);
  assert.deepEqual([due(1), due(2), due(4), due(8)], [true, true, true, false]);
});

/** How often a thread is asked before its heap is checked. */
function questions(busyTimes: number, limit: number): Promise<number> {
  let asked = 0;
  // The check does not keep a process alive.
  const alive = setInterval(() => {}, 1000);
  return new Promise<number>((resolve) => {
    whenSettled(() => ++asked <= busyTimes, () => resolve(asked), { after: 1, again: 1, limit });
  }).finally(() => clearInterval(alive));
}

Deno.test("the first check of a heap waits for a thread that is busy, but not for ever", async () => {
  assert.equal(await questions(0, Infinity), 1);
  assert.equal(await questions(5, Infinity), 6);
  assert.ok(await questions(Infinity, 20) > 1);
});
