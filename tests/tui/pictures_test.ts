import assert from "node:assert/strict";
import { drawPictures } from "./pictures.ts";

Deno.test("the pictures of the documentation are what the screens draw (deno task reference draws them)", async () => {
  for (const { file, svg } of await drawPictures()) {
    assert.equal(Deno.readTextFileSync(new URL(`../../docs/pictures/${file}`, import.meta.url)), svg, file);
    assert.match(svg, /^<svg [\s\S]*<\/svg>\n$/);
  }
});
