import assert from "node:assert/strict";
import { characterLocale } from "../../../../src/kit/support/text/locale.ts";

const locale = (values: Record<string, string>) => characterLocale((name) => values[name]);

Deno.test("LC_ALL goes before LC_CTYPE, and that before LANG; an empty one counts as missing", () => {
  assert.deepEqual(locale({ LC_ALL: "C", LC_CTYPE: "de_DE.UTF-8", LANG: "en_US.UTF-8" }), { name: "C", utf8: false });
  assert.deepEqual(locale({ LC_ALL: "", LC_CTYPE: "de_DE.utf8", LANG: "C" }), { name: "de_DE.utf8", utf8: true });
  assert.deepEqual(locale({ LC_CTYPE: "", LANG: "C.UTF-8" }), { name: "C.UTF-8", utf8: true });
  assert.deepEqual(locale({}), { name: "", utf8: false });
});
