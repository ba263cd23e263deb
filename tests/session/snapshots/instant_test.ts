// Which plans share a snapshot of their first prompt.

import assert from "node:assert/strict";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { instantPath, InstantSnapshot } from "../../../src/session/snapshots/instant.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { bootPlan } from "./systems.ts";

/** Where the prompt of a machine belongs whose clock shows `clock`. */
async function pathAt(plan: SessionPlan, clock: number | undefined, startsNow?: boolean): Promise<string> {
  assert.equal(plan.what.kind, "boot");
  return await instantPath({ ...plan, what: { ...plan.what, clock, startsNow } as SessionPlan["what"] });
}

Deno.test("a clock that shows the time makes no other machine from one run to the next; any other clock does", async () => {
  const plan = await bootPlan();
  const now = Math.floor(Date.now() / 1000);
  const first = await pathAt(plan, now - 86_400, true);
  assert.equal(await pathAt(plan, now, true), first);
  assert.notEqual(await pathAt(plan, now), first);
  assert.notEqual(await pathAt(plan, now), await pathAt(plan, 0));
  assert.notEqual(await pathAt(plan, undefined), first);
});

Deno.test("memory, seed and image make other machines; what executes them does not", async () => {
  const plan = await bootPlan();
  const first = await instantPath(plan);
  assert.equal(await instantPath({ ...plan, tier: "interp" }), first);
  assert.notEqual(await instantPath({ ...plan, memory: 2 * plan.memory }), first);
  assert.notEqual(await instantPath({ ...plan, seed: plan.seed + 1 }), first);
  assert.equal(plan.what.kind, "boot");
  // A change in the middle of a file, and one after the first pieces of a large file.
  for (const [size, at] of [[1000, 500], [9 << 20, (9 << 20) - 1]]) {
    const image = new Uint8Array(size), changed = image.slice();
    changed[at] = 1;
    const paths = await Promise.all(
      [image, image.slice(), changed].map((image) => instantPath({ ...plan, what: { ...plan.what, image } as SessionPlan["what"] })),
    );
    assert.equal(paths[1], paths[0]);
    assert.notEqual(paths[2], paths[0]);
  }
});

Deno.test("a disk with another content makes another machine: its guest has read it before the prompt", () =>
  inFolder(async (folder) => {
    const image = `${folder}/disk.img`, { what, ...plan } = await bootPlan();
    const devices = [{ kind: "block", image, mode: "overlay" }];
    const path = () => instantPath({ ...plan, what: { ...what, devices } as SessionPlan["what"] });
    const write = (byte: number) => Deno.writeFileSync(image, new Uint8Array(4096).fill(byte));
    const none = await path();
    write(1);
    const first = await path();
    assert.equal(await path(), first);
    Deno.utimeSync(image, 1, 1);
    const touched = await path();
    // Of the same size and time, at the same place.
    Deno.renameSync(image, `${folder}/old.img`);
    write(2);
    Deno.utimeSync(image, 1, 1);
    assert.equal(new Set([none, first, touched, await path()]).size, 4);
  }));

Deno.test("the oldest snapshots of first prompts go when there are many", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-instant-" });
  try {
    for (let day = 1; day <= 12; day++) {
      const old = `${folder}/${day}.snapshot`;
      await Deno.writeTextFile(old, "");
      await Deno.utime(old, 86400 * day, 86400 * day);
    }
    const plan = await bootPlan();
    for (const _ of new InstantSnapshot(assemble(plan), plan, `${folder}/new.snapshot`).write());
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(left.sort(), ["10", "11", "12", "6", "7", "8", "9", "new"].map((name) => `${name}.snapshot`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
