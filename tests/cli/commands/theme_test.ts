import assert from "node:assert/strict";
import { el2 } from "../program.ts";
import { ROLES } from "../../../src/tui/roles.ts";
import { THEME_NAMES } from "../../../src/tui/themes.ts";

Deno.test("theme ls lists the themes; theme show prints each role's direct color and entry of 256", async () => {
  const list = await el2("theme", "ls");
  assert.deepEqual(list.stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]), [...THEME_NAMES]);
  const dark = (await el2("theme", "show", "dark")).stdout.trimEnd().split("\n");
  assert.deepEqual(dark.map((line) => line.split(" ")[0]), [...ROLES]);
  assert.match(dark[0], /^bg +#0f131b 233$/);
  assert.equal((await el2("theme", "show", "terminal")).stdout, "the terminal's own colors\n");
});

Deno.test("theme show of a name that is none says which there are", async () => {
  const { code, stderr } = await el2("theme", "show", "gruvbxo");
  assert.equal(code, 2);
  assert.match(stderr, /no theme called "gruvbxo"; did you mean "?gruvbox"?.*There are terminal, dark/);
});
