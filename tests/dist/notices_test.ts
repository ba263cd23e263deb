// The notices that licenses ask for.

import assert from "node:assert/strict";
import { type BundledPackage, noticesComment, noticesText } from "../../scripts/dist/bundled-packages.ts";

const packaged = (name: string, license: string, notice = `${name}'s terms`): BundledPackage => ({
  name,
  version: "1.0",
  license,
  notice,
  sha512: "",
});

Deno.test("a script has the notices of its packages in a comment that no text ends", async () => {
  const comment = await noticesComment([packaged("a", "MIT", "/* by A */")], "page.js");
  assert.match(comment, /^\/\*! The file page\.js contains [^]*a 1\.0 \(MIT\)\n\n\/\* by A \* \/\n\*\/\n$/);
  assert.equal(comment.indexOf("*/"), comment.length - 3);
  assert.equal(await noticesComment([], "page.js"), "");
});

Deno.test("notices have the text of the GPL where a package's license adds to it, and only there", async () => {
  const free = await noticesText([packaged("a", "MIT"), packaged("b", "ISC")]);
  assert.match(free, /a 1\.0 \(MIT\)\n\na's terms\n[^]*b 1\.0 \(ISC\)\n\nb's terms\n$/);
  assert.doesNotMatch(free, /GNU GENERAL PUBLIC LICENSE/);
  const lesser = await noticesText([packaged("a", "MIT"), packaged("c", "LGPL-3.0+")]);
  assert.match(lesser, /GNU GENERAL PUBLIC LICENSE\s+Version 3[^]*END OF TERMS AND CONDITIONS/);
});
