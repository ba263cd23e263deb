import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { VERSION } from "../../../../../src/kit/support/version.ts";

Deno.test("version prints the version of el2, of its protocol and of what it runs on", async () => {
  const { code, stdout } = await el2("version");
  assert.equal(code, 0);
  assert.match(
    stdout,
    new RegExp(`^el2 +${VERSION.replaceAll(".", "\\.")}\nengine +[0-9a-f]{16}\n(?:commit +[0-9a-f]{40}\n)?protocol +\\d+\ndeno +\\d`),
  );
  const { el2: version, deno } = JSON.parse((await el2("version", "--json")).stdout);
  assert.deepEqual([version, typeof deno], [VERSION, "string"]);
});
