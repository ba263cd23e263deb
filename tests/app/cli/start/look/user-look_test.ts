// The user's own file over and under a configuration: what is wrong in it stops nothing.

import assert from "node:assert/strict";
import { surroundings } from "../../../../../src/app/cli/start/look/surroundings.ts";
import { withUserFile } from "../../../../../src/app/cli/start/look/user-look.ts";
import { DEFAULT_UI } from "../../../../../src/app/configuration/schema.ts";
import { inFolder } from "../../../../support/temporary-folder.ts";

/** Uses a `ui.toml` of this content as the user's own. */
async function withOwnFile(text: string, use: (file: string) => void): Promise<void> {
  await inFolder((folder) => {
    const before = Deno.env.get("XDG_CONFIG_HOME"), file = `${folder}/el2/ui.toml`;
    Deno.mkdirSync(`${folder}/el2`);
    Deno.writeTextFileSync(file, text, { mode: 0o600 });
    Deno.env.set("XDG_CONFIG_HOME", folder);
    try {
      use(file);
    } finally {
      if (before === undefined) Deno.env.delete("XDG_CONFIG_HOME");
      else Deno.env.set("XDG_CONFIG_HOME", before);
    }
    return Promise.resolve();
  });
}

const command = (name: string, key: string) => `[[ui.command]]\nname = "${name}"\nkey = "${key}"\nrun = ["true"]\n`;

Deno.test("the user's settings count in every session, below those that a configuration sets", () =>
  withOwnFile('[ui]\ntheme = "nord"\nmouse = false\nbraille = false\nkeys = { "list.sort" = "O", "leave" = "Q" }\n', () => {
    const alone = surroundings({});
    assert.deepEqual([alone.theme, alone.mouse, alone.braille, alone.keys, alone.note], [
      ...["nord", false, false],
      { "list.sort": "O", "leave": "Q" },
      undefined,
    ]);
    const configured = surroundings({}, { ...DEFAULT_UI, theme: "gruvbox", keys: { "leave": "X" } });
    assert.deepEqual([configured.theme, configured.mouse, configured.keys], ["gruvbox", false, { "list.sort": "O", "leave": "X" }]);
    assert.equal(surroundings({ theme: "dark" }).theme, "dark");
  }));

Deno.test("keys that clash, unknown columns, illegible themes and keys of commands are left out one by one", async () => {
  const text = `[ui]
keys = { "list.sort" = "q", "list.sort-reverse" = "O", "no.such" = "x" }
[ui.columns]
"vm.ls" = ["id", "stat"]
"vm.lss" = ["id"]
[ui.themes.faint]
based_on = "dark"
dim = "#404040"
${command("a", "Z")}${command("b", "Z")}${command("c", "q")}`;
  await withOwnFile(text, (file) => {
    const { keys, columns, ui, commands, problems, note } = withUserFile(DEFAULT_UI);
    assert.deepEqual(keys, { "list.sort-reverse": "O" });
    assert.deepEqual(columns, { "vm.ls": ["id"] });
    assert.deepEqual(ui.themes, {});
    assert.deepEqual(commands.map(({ name, key }) => [name, key]), [["a", "Z"], ["b", undefined], ["c", undefined]]);
    const found = problems.map((problem) => problem.replace(`${file}:`, ""));
    for (
      const [index, problem] of [
        /^2:10: key q is list\.sort's and leave's; change one$/,
        /^2:56: there is no action "no\.such"/,
        /^4:18: vm\.ls has no column "stat"; did you mean "state"\? Use one of id, /,
        /^5:1: "vm\.lss" is not the name of a list; did you mean "vm\.ls"\? List the names with el2 reference schema$/,
        /^6:12: \[ui\.themes\.faint\]: dim on /,
        /^9:6: command b: key Z is a's; use another one$/,
        /^9:6: command c: key q is leave's; use another one$/,
      ].entries()
    ) assert.match(found[index], problem);
    assert.equal(found.length, 7);
    assert.equal(note, `left out: ${problems[0]} (and 6 more: el2 doctor)`);
  });
  // Together with a configuration's, which stay.
  await withOwnFile('[ui]\nkeys = { "list.sort" = "O" }\n', () => {
    const { keys, problems } = withUserFile({ ...DEFAULT_UI, keys: { "list.sort-reverse": "O" } });
    assert.deepEqual([keys, problems.length], [{ "list.sort-reverse": "O" }, 1]);
  });
});

Deno.test("a file that others can change is not read", () =>
  withOwnFile(command("a", "Z"), (file) => {
    assert.deepEqual(withUserFile(DEFAULT_UI).commands.map(({ name }) => name), ["a"]);
    Deno.chmodSync(file, 0o666);
    const { commands, note } = withUserFile(DEFAULT_UI);
    assert.deepEqual(commands, []);
    assert.match(note ?? "", /ui\.toml has mode 0666, others can change it; chmod go-w/);
  }));
