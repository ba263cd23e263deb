import assert from "node:assert/strict";
import { documentedSymbols, writeExamples } from "./examples.ts";

const ROOT = new URL("../../..", import.meta.url);

Deno.test("each symbol that mod.ts exports has an example, and all of them run", async () => {
  const symbols = await documentedSymbols(new URL("mod.ts", ROOT).pathname);
  assert.ok(symbols.length > 0);
  assert.deepEqual(symbols.filter(({ examples }) => examples.length === 0).map(({ name }) => name), []);
  const folder = await Deno.makeTempDir({ prefix: "el2-test-" });
  try {
    await writeExamples(symbols, folder);
    const { imports } = JSON.parse(await Deno.readTextFile(new URL("import-map.json", ROOT)));
    await Deno.writeTextFile(`${folder}/map.json`, JSON.stringify({ imports: { ...imports, "@el2/el2": new URL("mod.ts", ROOT).href } }));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-config", "--no-check", "--import-map", `${folder}/map.json`, "--allow-read=assets", `${folder}/main.ts`],
      cwd: ROOT,
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.equal(code, 0, decode(stderr));
    for (const { name } of symbols) assert.match(decode(stdout), new RegExp(`^${name}-0\\.ts$`, "m"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
