import assert from "node:assert/strict";
import { documentedSymbols, recordExample, writeExamples } from "./examples.ts";
import { el2Command } from "../../support/el2.ts";

const ROOT = new URL("../../..", import.meta.url);

Deno.test("each symbol that mod.ts exports has an example, and all of them run", async () => {
  const symbols = await documentedSymbols(new URL("mod.ts", ROOT).pathname);
  assert.ok(symbols.length > 0);
  assert.deepEqual(symbols.filter(({ examples }) => examples.length === 0).map(({ name }) => name), []);
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await writeExamples(symbols, folder);
    await recordExample(folder, el2Command);
    await Deno.symlink(new URL("assets", ROOT), `${folder}/assets`);
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("import-map.json", ROOT)));
    await Deno.writeTextFile(`${folder}/map.json`, JSON.stringify({ imports: { ...imports, "@el2/el2": new URL("mod.ts", ROOT).href } }));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      // Its own sources say which engine it is.
      args: [
        ...["run", "-q", "--no-config", "--no-check", "--unstable-raw-imports", "--import-map", `${folder}/map.json`],
        ...[`--allow-read=assets,bug.rec,${new URL("assets", ROOT).pathname},${new URL("src", ROOT).pathname}`, `${folder}/main.ts`],
      ],
      cwd: folder,
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(code, 0, decode(stderr));
    for (const { name } of symbols) assert.match(decode(stdout), new RegExp(`^${name}-0\\.ts$`, "m"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
