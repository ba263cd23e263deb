// The content of the start screen: configurations, recordings and snapshots here, guests of the
// cache, tutorials.

import assert from "node:assert/strict";
import { startOffers } from "../../../../../src/app/cli/start/screens/start-offers.ts";

Deno.test("the start screen offers the demo first, then files of this folder, each with what Enter does", async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  const before = ["XDG_RUNTIME_DIR", "EL2_CACHE"].map((name): [string, string | undefined] => [name, Deno.env.get(name)]);
  const where = Deno.cwd();
  try {
    await Deno.mkdir(`${folder}/run`, { mode: 0o700 });
    await Deno.mkdir(`${folder}/cache`);
    await Deno.mkdir(`${folder}/here/examples`, { recursive: true });
    Deno.env.set("XDG_RUNTIME_DIR", `${folder}/run`);
    Deno.env.set("EL2_CACHE", `${folder}/cache`);
    Deno.chdir(`${folder}/here`);
    for (const name of ["phone.toml", "demo.test.toml", "examples/two-hypervisors.toml", "bug.rec", "a.snap", "notes.txt"]) {
      await Deno.writeTextFile(name, "x");
    }
    const { sections } = await startOffers();
    const rows = sections.map((section) => section.rows.map(({ name, deed }) => [name, deed?.kind]));
    assert.deepEqual(rows, [
      [["demo", "run"], ["tour", "tour"], ["phone.toml", "run"], ["examples/two-hypervisors.toml", "run"]],
      [],
      [],
      [["bug.rec", "replay"], ["a.snap", "load"]],
    ]);
    for (const { rows, empty } of sections) if (!rows.length) assert.ok(empty.every((text) => text.length > 10));
  } finally {
    Deno.chdir(where);
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the start screen names every tutorial", async () => {
  const { learn } = await startOffers();
  const files = [...Deno.readDirSync(new URL("../../../../../docs/tutorials", import.meta.url))].map(({ name }) => name);
  assert.deepEqual(learn.map(([name]) => name).sort(), files.filter((name) => /^\d/.test(name)).sort());
});
