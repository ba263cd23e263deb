// Columns of lists: those that say the same in every row are left out.

import assert from "node:assert/strict";
import { Rig } from "./rig.ts";
import { realMachine } from "./real-machine.ts";

const shown = await realMachine();

/** Headings of a list whose pane has this title, in a terminal where it has all columns. */
async function headingsOf(rig: Rig, title: string): Promise<string> {
  const lines = await rig.lines();
  const at = lines.findIndex((line) => new RegExp(`[=-] ${title}`).test(line));
  assert.ok(at >= 0, lines.join("\n"));
  return lines[at + 1];
}

Deno.test("a column with the usual value in every row is left out, and is there once a row has another", async () => {
  for (
    const [screen, keys, title, heading, table, change] of [
      ["5", "v", "Objects", "State", "obj.ls", { state: "init" }],
      ["7", "", "Requests to the Resource Manager", "Took", "rpc.ls", { latency: "1200" }],
      ["4", "", "Memory parcels", "Label", "mem.parcels", { label: 7 }],
    ] as const
  ) {
    const rig = new Rig(240, 60, {}, "16", shown);
    await rig.keys(screen + keys);
    assert.ok(!(await headingsOf(rig, title)).includes(heading), `${title}: ${heading} is the same everywhere`);
    const changed = new Rig(240, 60, {}, "16", shown), { answer } = changed;
    changed.answer = (query) => {
      const found = answer(query);
      return query.table === table ? { ...found, rows: found.rows.map((row, index) => index === 0 ? { ...row, ...change } : row) } : found;
    };
    await changed.keys(screen + keys);
    assert.ok((await headingsOf(changed, title)).includes(heading), `${title}: ${heading} is not`);
  }
});

Deno.test("columns are two blanks apart in every list at 120x36", async () => {
  const rig = new Rig(120, 36, {}, "16", shown);
  await rig.keys("2");
  assert.match(await headingsOf(rig, "vCPUs"), /for {2,}CPU {2,}last 10 s {2,}exits\/s {2}Waits for {2,}PC/);
});

Deno.test("lists have the columns that the user chose, in that order, also those that are usual or need width", async () => {
  const rig = new Rig(80, 30, { columns: { "obj.ls": ["state", "id", "name"] } }, "16", shown);
  await rig.keys("5v");
  assert.match(await headingsOf(rig, "Objects"), /^.{2,3}State +Id +Name *\|?$/);
});

Deno.test("s goes through the columns that are shown, and an arrow marks the one that sorts", async () => {
  const rig = new Rig(100, 30, {}, "16", shown);
  await rig.keys("3");
  const headings = async () => await headingsOf(rig, "Interrupts|Virtual interrupts|vIRQs");
  const seen = new Set<string>(), all = (await headings()).split(/ {2,}/).length;
  for (let round = 0; round < all + 2; round++) {
    await rig.keys("s");
    const line = (await rig.lines()).find((text) => / by \S+/.test(text));
    if (line === undefined) break;
    const column = / by (\S+)/.exec(line)![1];
    assert.match(await headings(), /\S\^/, column);
    seen.add(column);
  }
  assert.ok(seen.size > 2);
  await rig.keys("sS");
  assert.match(await headings(), /\Sv/);
});
