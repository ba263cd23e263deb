// Instructions are in groups, one file each: every entry of the table is defined in exactly one of
// them, and docs/architecture/machine.md lists them all.

import assert from "node:assert/strict";
import { instructions } from "../../src/isa/table.ts";

const FOLDER = new URL("../../src/isa/", import.meta.url);
const PAGE = new URL("../../docs/architecture/machine.md", import.meta.url);

/** Files that join groups and define nothing themselves. */
const JOINING = ["table.ts", "fp-simd.ts"];

/** The entries of the table that a file exports, by the file's name. */
async function groups(): Promise<Map<string, readonly unknown[]>> {
  const known = new Set<unknown>(instructions), found = new Map<string, readonly unknown[]>();
  for (const { name } of Deno.readDirSync(FOLDER)) {
    if (JOINING.includes(name)) continue;
    const exported: Record<string, unknown> = await import(new URL(name, FOLDER).href);
    const entries = Object.values(exported).flatMap((value) => Array.isArray(value) ? value.filter((one) => known.has(one)) : []);
    if (entries.length) found.set(name, entries);
  }
  return found;
}

Deno.test("every instruction is defined once, in one group's file", async () => {
  const files = [...await groups()].flatMap(([file, entries]) => entries.map((entry) => [entry, file] as const));
  const byEntry = Map.groupBy(files, ([entry]) => entry);
  const wrong = instructions.filter((entry) => byEntry.get(entry)?.length !== 1);
  assert.deepEqual(
    wrong.map(({ name }) => [name, byEntry.get(instructions.find((one) => one.name === name))?.map(([, file]) => file)]),
    [],
  );
  const names = Map.groupBy(instructions, ({ name }) => name);
  assert.deepEqual([...names].filter(([, entries]) => entries.length > 1).map(([name]) => name), [], "names that two entries have");
});

Deno.test("the list of groups in docs/architecture/machine.md is complete", async () => {
  const text = await Deno.readTextFile(PAGE);
  const section = text.slice(text.indexOf("\n## Instructions\n"), text.indexOf("\n## Physical memory\n"));
  const listed = [...section.matchAll(/^\| `([a-z-]+\.ts)`/gm)].map(([, file]) => file);
  assert.deepEqual(listed.toSorted(), [...(await groups()).keys()].toSorted());
});
