// Deno's names in a page, which has no files.

import assert from "node:assert/strict";
import { pageDeno } from "../../../../src/app/web/host/page-deno.ts";

Deno.test("in a page the root alone is there, where a search for a folder that is there ends", () => {
  assert.equal(pageDeno.realPathSync("/"), "/");
  assert.throws(() => pageDeno.realPathSync("/etc/passwd"), /NotFound: \/etc\/passwd: a page has no files/);
});
