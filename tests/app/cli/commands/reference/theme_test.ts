import assert from "node:assert/strict";
import { el2 } from "../../program.ts";
import { ROLES } from "../../../../../src/app/tui/terminal/roles.ts";
import { THEME_NAMES } from "../../../../../src/app/tui/look/themes.ts";

Deno.test("theme ls lists the themes; theme show prints each role's direct color and entry of 256", async () => {
  const list = await el2("reference", "theme");
  assert.deepEqual(list.stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]), [...THEME_NAMES]);
  const dark = (await el2("reference", "theme", "dark")).stdout.trimEnd().split("\n");
  assert.deepEqual(dark.map((line) => line.split(" ")[0]), [...ROLES]);
  assert.match(dark[0], /^bg +#0f131b 233$/);
  assert.equal((await el2("reference", "theme", "terminal")).stdout, "the terminal's own colors\n");
});

Deno.test("theme ls and show have the themes of a configuration, and refuse what cannot be read", async () => {
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  const configuration = (dim: string) =>
    `el2 = 1\n[vm.a]\nimage = "a.bin"\nmemory = "4MiB"\n[ui.themes.mine]\nbased_on = "nord"\ndim = "${dim}"\n`;
  try {
    await Deno.writeTextFile(file, configuration("#d0d8e4"));
    const { stdout } = await el2("reference", "theme", "--config", file);
    assert.equal(stdout.trimEnd().split("\n").at(-1), `mine           of ${file}, based on nord`);
    assert.match((await el2("reference", "theme", "mine", "--config", file)).stdout, /^dim +#d0d8e4 \d+$/m);
    await Deno.writeTextFile(file, configuration("#404040"));
    const { code, stderr } = await el2("reference", "theme", "--config", file);
    assert.equal(code, 2);
    assert.match(stderr, /\[ui\.themes\.mine\]: dim on \w+ has a contrast of/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("theme show of a name that is none says which there are", async () => {
  const { code, stderr } = await el2("reference", "theme", "gruvbxo");
  assert.equal(code, 2);
  assert.match(stderr, /no theme called "gruvbxo"; did you mean "?gruvbox"?.*Use one of terminal, dark/);
});
