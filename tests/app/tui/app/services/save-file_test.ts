import assert from "node:assert/strict";
import { saveFile } from "../../../../../src/app/tui/app/services/save-file.ts";

Deno.test("a file beside those that are there has a number before its extension, whatever was typed", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.mkdir(`${folder}/report.v1`);
  for (
    const [name, second] of [["rows.ndjson", "rows-2.ndjson"], ["rows", "rows-2"], ["report.v1/rows", "report.v1/rows-2"], [
      ".rows",
      ".rows-2",
    ]]
  ) {
    assert.deepEqual(await saveFile(`${folder}/${name}`, "1"), { path: `${folder}/${name}` });
    assert.deepEqual(await saveFile(`${folder}/${name}`, "2"), { path: `${folder}/${second}` });
    assert.equal(await Deno.readTextFile(`${folder}/${second}`), "2");
  }
  assert.match(JSON.stringify(await saveFile(`${folder}/none/rows`, "")), /"error":"No such file/);
  await Deno.remove(folder, { recursive: true });
});
