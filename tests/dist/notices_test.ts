// The notices that licenses ask for.

import assert from "node:assert/strict";
import { type BundledPackage, noticesText } from "../../scripts/dist/bundled-packages.ts";

Deno.test("notices have the text of the GPL where a package's license adds to it, and only there", async () => {
  const packaged = (name: string, license: string): BundledPackage => ({
    name,
    version: "1.0",
    license,
    notice: `${name}'s terms`,
    sha512: "",
  });
  const free = await noticesText([packaged("a", "MIT"), packaged("b", "ISC")]);
  assert.match(free, /a 1\.0 \(MIT\)\n\na's terms\n[^]*b 1\.0 \(ISC\)\n\nb's terms\n$/);
  assert.doesNotMatch(free, /GNU GENERAL PUBLIC LICENSE/);
  const lesser = await noticesText([packaged("a", "MIT"), packaged("c", "LGPL-3.0+")]);
  assert.match(lesser, /GNU GENERAL PUBLIC LICENSE\s+Version 3[^]*END OF TERMS AND CONDITIONS/);
});
