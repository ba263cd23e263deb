// Snapshots of strangers: plans that contain themselves, and more pages than their machine has.

import assert from "node:assert/strict";
import { encodePlain } from "../../../src/machine/hardware/plain.ts";
import { readSnapshot, type Snapshot, SnapshotError, writeSnapshot } from "../../../src/session/snapshots/file.ts";
import { snapshotPlan } from "../../../src/app/cli/start/plans/saved-plans.ts";
import { snapshotOf } from "../../../src/session/snapshots/save.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { Page, PageMap } from "../../../src/session/state/page-map.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { inFolder } from "../../support/temporary-folder.ts";
import { fileOf, holding, sectionsOf } from "./sections.ts";
import { bootPlan, ofPages } from "./systems.ts";

const PLAN = 2;

/** A snapshot of a plan with pages that are not zero. */
async function snapshotWith(
  changes: { pages?: number; says?: Partial<Snapshot["header"]> },
): Promise<Snapshot> {
  const plan = await bootPlan(), { header, saved, state, memory } = snapshotOf(assemble(plan), plan, "a");
  const filled = [...ofPages(changes.pages ?? 1).pages].map(([page, { bytes }]) => [0x4_0000 + page, new Page(bytes.fill(1))] as const);
  const pages = PageMap.EMPTY.with(filled);
  return { header: { ...header, pages: pages.size, ...changes.says }, saved, state: { ...state, pages }, memory };
}

/** Why the file of a snapshot is refused, by its reader or as it makes no machine. */
async function refusal(snapshot: Snapshot, plan?: unknown): Promise<string> {
  let message = "";
  await inFolder(async (folder) => {
    const path = `${folder}/a.snap`;
    for (const _ of writeSnapshot(path, snapshot));
    const sections = sectionsOf(Deno.readFileSync(path)).map((section) =>
      plan !== undefined && section.kind === PLAN ? holding(section, encodePlain(plan), true) : section
    );
    try {
      await snapshotPlan(path, readSnapshot(path, false, fileOf(sections)));
    } catch (error) {
      if (!(error instanceof SnapshotError)) throw error;
      message = error.message.replace(path, "PATH");
    }
  });
  return message;
}

Deno.test("a plan that contains itself, or parts many times over, is refused before anybody goes through it", async () => {
  const snapshot = await snapshotWith({}), { table, run } = snapshot.saved, loop: Record<string, unknown> = { ...table.keys };
  loop.extra = { loop };
  assert.match(
    await refusal(snapshot, { table: { ...table, keys: loop }, run }),
    /its plan cannot be read: plain data contains itself$/,
  );
  let many: unknown[] = [1];
  for (let level = 0; level < 26; level++) many = [many, many];
  assert.match(
    await refusal(snapshot, { table: { ...table, keys: { ...table.keys, many } }, run }),
    /its plan cannot be read: plain data has more than 100000 values$/,
  );
});

Deno.test("a plan may have a file in two places", async () => {
  const snapshot = await snapshotWith({}), { table: { keys, files, variables }, run } = snapshot.saved;
  const host = { ...keys.host as object, initrd: "initrd" },
    table = { keys: { ...keys, host }, files: { ...files, initrd: files.image }, variables };
  assert.doesNotMatch(await refusal(snapshot, { table, run }), /plan/);
});

Deno.test("pages are as many as the machine has, and where it has memory, or none is read", async () => {
  assert.match(await refusal(await snapshotWith({ says: { pages: 40_000 } })), /its header says 40000 pages; its machine has 4096$/);
  assert.match(await refusal(await snapshotWith({ pages: 600, says: { pages: 100 } })), /it has more than the 100 pages of its header$/);
  assert.match(
    await refusal(await snapshotWith({ says: { memory: 16 * MiB } })),
    /its plan has 1 CPUs and 8388608 bytes, its header says 1 and 16777216$/,
  );
  assert.match(await refusal(await snapshotWith({ says: { cpus: 2 } })), /its plan has 1 CPUs .*, its header says 2 and/);
  assert.match(
    await refusal(await snapshotWith({ says: { memory: 2 ** 50 } })),
    /its header cannot be read: memory of 1125899906842624 bytes/,
  );
  const far = await snapshotWith({});
  const pages = PageMap.EMPTY.with([[0x9_0000, new Page(new Uint8Array(4096).fill(1))]]);
  assert.match(await refusal({ ...far, state: { ...far.state, pages } }), /page 0x90000 is not in its machine's memory$/);
});
