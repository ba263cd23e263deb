import assert from "node:assert/strict";
import { namedByContent, withoutCache } from "../../scripts/dist/split.ts";

Deno.test("files of the program have names that follow from contents alone, also through their imports", () => {
  const built = (a: string, b: string, text = "export const x = 1;") =>
    namedByContent(
      new Map([
        [`run/chunk-${b}.js`, `import { x } from "./chunk-${a}.js";`],
        [`run/chunk-${a}.js`, text],
        ["run/run.js", `import "./chunk-${b}.js"; import("./late-${a.slice(1)}9.js");`],
        [`run/late-${a.slice(1)}9.js`, "late"],
      ]),
    );
  const files = built("AAAAAAAA", "BBBBBBBB");
  assert.deepEqual([...built("ZZZZZZZ1", "00000000")], [...files]);
  assert.deepEqual([...files.keys()], [...files.keys()].sort());
  for (const [, text] of files) {
    for (const [, path] of text.matchAll(/"\.\/(.+?)"/g)) assert.ok(files.has(`run/${path}`), `${path} is imported and there`);
  }
  assert.notDeepEqual([...built("AAAAAAAA", "BBBBBBBB", "export const x = 2;").keys()], [...files.keys()]);
});

Deno.test("modules of packages are named without the folder of the cache and the registry", () => {
  const module = (folder: string) => `// ${folder}/valibot/1.5.0/dist/index.mjs\n"${folder}/ajv/8/a.js"(exports) {`;
  assert.equal(withoutCache(module("../home/a b/npm/registry.example"), "../home/a b/npm"), module("npm"));
});
