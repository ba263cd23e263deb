// When a checkout's prepared program is used, and when its sources are.

import assert from "node:assert/strict";
import { dirname } from "node:path";
import { COMPILER_NAME, JOB_NAME, newWorker, startWorker } from "../../../src/session/worker/client.ts";
import {
  FROM_SOURCES,
  PARTS,
  PREPARATION,
  type Preparation,
  preparedProgram,
  stateOf,
} from "../../../src/session/worker/prepared-program.ts";
import { PREPARED_FOLDER } from "../../../src/kit/support/files/folder-names.ts";
import { inFolder } from "../../support/temporary-folder.ts";

/** A small checkout whose workers are prepared. */
interface Checkout {
  readonly root: string;
  readonly entry: URL;
  readonly prepared: string;
  /** The path of the prepared worker. */
  readonly worker: string;
  /** Changes what the list of sources says. */
  relist(change: Partial<Preparation>): void;
  /** Whether the build is used; if not, its list is still there. */
  readonly used: boolean;
}

/** A worker that reports where it comes from. */
const reporting = (name: string) => `postMessage([{ kind: "failed", message: ${JSON.stringify(name)} }]);\n`;
const SOURCE = "one.ts";

async function inCheckout(work: (checkout: Checkout) => void | Promise<void>): Promise<void> {
  const before = Deno.env.get(FROM_SOURCES);
  Deno.env.delete(FROM_SOURCES);
  try {
    await inFolder(async (folder) => {
      const root = `${folder}/a checkout/`, prepared = root + PREPARED_FOLDER, entry = new URL("main.ts", new URL(root, "file:"));
      const build = `${PREPARED_FOLDER}build/`, made = [PARTS.worker, PARTS.jobs, PARTS.compiler].map((path) => build + path);
      const [worker, jobs, compiler] = made;
      Deno.mkdirSync(root);
      Deno.mkdirSync(prepared, { mode: 0o700 });
      for (const path of made) Deno.mkdirSync(dirname(root + path), { recursive: true });
      Deno.writeTextFileSync(`${root}main.ts`, reporting("sources"));
      Deno.writeTextFileSync(root + SOURCE, "// one\n");
      Deno.writeTextFileSync(root + worker, reporting("prepared"));
      Deno.writeTextFileSync(root + jobs, reporting("prepared for jobs"));
      Deno.writeTextFileSync(root + compiler, reporting("prepared for compiling"));
      let list: Preparation = {
        deno: Deno.version.deno,
        build,
        made: made.map((path) => stateOf(root, path)),
        sources: [stateOf(root, "main.ts"), stateOf(root, SOURCE)],
      };
      const relist = (change: Partial<Preparation>) =>
        Deno.writeTextFileSync(prepared + PREPARATION, JSON.stringify(list = { ...list, ...change }));
      relist({});
      await work({
        root,
        entry,
        prepared,
        worker: root + worker,
        relist,
        get used() {
          const text = Deno.readTextFileSync(prepared + PREPARATION), isUsed = preparedProgram(entry)?.isCurrent() ?? false;
          Deno.writeTextFileSync(prepared + PREPARATION, text);
          return isUsed;
        },
      });
    });
  } finally {
    if (before !== undefined) Deno.env.set(FROM_SOURCES, before);
  }
}

/** Where a worker for jobs, or one that compiles, comes from. */
function originOf(entry: URL, name: typeof JOB_NAME | typeof COMPILER_NAME): Promise<string> {
  const worker = newWorker(entry, name), { promise, resolve } = Promise.withResolvers<string>();
  worker.onmessage = ({ data: [{ message }] }) => resolve(message);
  return promise.finally(() => worker.terminate());
}

/** Where the worker that is started comes from. */
async function origin(entry: URL): Promise<string> {
  const client = startWorker(entry);
  try {
    return await new Promise((resolve) => client.onEvent = (event) => resolve(event.kind === "failed" ? event.message : event.kind));
  } finally {
    client.close();
  }
}

Deno.test("the prepared worker runs while its sources are what it was made from; afterwards they run themselves", () =>
  inCheckout(async ({ root, entry }) => {
    assert.equal(await origin(entry), "prepared");
    assert.equal(await originOf(entry, JOB_NAME), "prepared for jobs");
    assert.equal(await originOf(entry, COMPILER_NAME), "prepared for compiling");
    Deno.writeTextFileSync(root + SOURCE, "// another\n");
    assert.ok(preparedProgram(entry));
    assert.equal(await origin(entry), "sources");
    // The next start need not find out again.
    assert.equal(preparedProgram(entry), undefined);
    assert.equal(await origin(entry), "sources");
    assert.equal(await originOf(entry, JOB_NAME), "sources");
    assert.equal(await originOf(entry, COMPILER_NAME), "sources");
  }));

Deno.test("a source of the same size and another time, one that is gone, and one that became a link have changed", () =>
  inCheckout((checkout) => {
    const path = checkout.root + SOURCE, { mtime } = Deno.statSync(path), other = `${checkout.root}two.ts`;
    assert.ok(mtime && checkout.used);
    Deno.utimeSync(path, mtime, new Date(mtime.getTime() - 1));
    assert.ok(!checkout.used);
    Deno.utimeSync(path, mtime, mtime);
    assert.ok(checkout.used);
    Deno.renameSync(path, other);
    assert.ok(!checkout.used);
    Deno.symlinkSync(other, path);
    assert.ok(!checkout.used);
  }));

Deno.test("a prepared worker that was cut off or changed, and one that is missing, are not used", () =>
  inCheckout(async (checkout) => {
    const path = checkout.worker, text = Deno.readTextFileSync(path);
    Deno.truncateSync(path, 10);
    assert.equal(await origin(checkout.entry), "sources");
    Deno.writeTextFileSync(path, text.replace("prepared", "replaced"));
    Deno.utimeSync(path, new Date(), new Date(0));
    assert.ok(!checkout.used);
    Deno.removeSync(path);
    assert.equal(await origin(checkout.entry), "sources");
  }));

Deno.test("a list of sources that is damaged or missing, or was made by another Deno, counts for nothing", () =>
  inCheckout(async (checkout) => {
    const path = checkout.prepared + PREPARATION, text = Deno.readTextFileSync(path);
    for (const damaged of ["", "{}", "null", text.slice(0, -2), JSON.stringify({ ...JSON.parse(text), sources: [["main.ts"]] })]) {
      Deno.writeTextFileSync(path, damaged);
      assert.ok(!checkout.used, damaged);
    }
    assert.equal(await origin(checkout.entry), "sources");
    checkout.relist({ deno: "2.0.0" });
    assert.ok(!checkout.used);
    checkout.relist({ deno: Deno.version.deno });
    assert.ok(checkout.used);
    Deno.removeSync(path);
    assert.equal(await origin(checkout.entry), "sources");
  }));

Deno.test("a prepared worker in a folder that others can enter, or behind a link, is not used", () =>
  inCheckout(async (checkout) => {
    const folder = checkout.prepared.slice(0, -1);
    for (const mode of [0o710, 0o701, 0o755, 0o777]) {
      Deno.chmodSync(folder, mode);
      assert.ok(!checkout.used, mode.toString(8));
    }
    assert.equal(await origin(checkout.entry), "sources");
    Deno.chmodSync(folder, 0o700);
    assert.ok(checkout.used);
    Deno.renameSync(folder, `${folder}-moved`);
    Deno.symlinkSync(`${folder}-moved`, folder);
    assert.ok(!checkout.used);
  }));

Deno.test("EL2_FROM_SOURCES makes all of the program run from its sources, as tests by name do", () =>
  inCheckout(async (checkout) => {
    Deno.env.set(FROM_SOURCES, "1");
    try {
      assert.equal(await origin(checkout.entry), "sources");
    } finally {
      Deno.env.delete(FROM_SOURCES);
    }
    assert.equal(await origin(checkout.entry), "prepared");
  }));
