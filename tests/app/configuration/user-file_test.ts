// ~/.config/el2/ui.toml: the user's own settings, columns and commands.

import assert from "node:assert/strict";
import { configProblem } from "../../../src/model/plans/config-fact.ts";
import { problemText } from "../../../src/kit/support/problem.ts";
import { DEFAULT_UI } from "../../../src/app/configuration/schema.ts";
import { readUserFile } from "../../../src/app/configuration/user-file.ts";

/** The content of a file, and its errors. */
function read(text: string) {
  const { file, errors } = readUserFile(text);
  return { ...file, errors: errors.sorted().map((error) => problemText(configProblem("ui.toml", error))) };
}

Deno.test("the user's file has settings of the screens, columns and commands, with defaults", () => {
  const command = '[[ui.command]]\nname = "b"\nrun = ["y", "{id}"]\n';
  const settings = '[ui]\ntheme = "nord"\nmouse = false\nkeys = { "list.sort" = "O" }\n[ui.columns]\n"vm.ls" = ["id", "state"]\n';
  assert.deepEqual(read(settings + command), {
    ui: { ...DEFAULT_UI, theme: "nord", mouse: false, keys: { "list.sort": "O" } },
    columns: { "vm.ls": ["id", "state"] },
    commands: [{ name: "b", run: ["y", "{id}"], confirm: false, output: "pane", timeout: 30_000, read_only: false }],
    errors: [],
  });
  assert.deepEqual(read(""), { ui: DEFAULT_UI, columns: {}, commands: [], errors: [] });
});

Deno.test("what is wrong in the user's file is left out, and reported with its place; the rest counts", () => {
  const text = `theme = 1
[vm.a]
image = "a"
[ui]
them = "dark"
mouse = "no"
braille = false
keys = { "list.sort" = "O", "leave" = 3 }
columns = { "vm.ls" = [], "irq.ls" = ["id"] }
[[ui.command]]
name = "A"
run = "x"
wher = 3
[[ui.command]]
name = "good"
run = ["x"]
[[ui.command]]
name = "good"
run = ["y"]
`;
  const { ui, columns, commands, errors } = read(text);
  assert.deepEqual(ui, { ...DEFAULT_UI, braille: false, keys: { "list.sort": "O" } });
  assert.deepEqual(columns, { "irq.ls": ["id"] });
  assert.deepEqual(commands.map(({ name, run }) => ({ name, run })), [{ name: "good", run: ["x"] }]);
  assert.deepEqual(errors, [
    'ui.toml:1:1: unknown key "theme"; this file has [ui] and [[ui.command]]',
    'ui.toml:2:2: unknown key "vm"; this file has [ui] and [[ui.command]]',
    'ui.toml:5:1: unknown key "them"; did you mean "theme"? This file has [ui] and [[ui.command]]',
    'ui.toml:6:9: mouse "no" is not true or false',
    'ui.toml:8:39: leave 3 is not a key; names have dots: keys = { "machine.pause" = "P" }',
    "ui.toml:9:23: vm.ls has no column",
    'ui.toml:10:6: there are two commands "good"; change one',
    'ui.toml:11:8: name "A" is not of the form [a-z][a-z0-9-]*',
    'ui.toml:12:7: run "x" is not a list of words, such as ["echo", "hi"]',
    'ui.toml:13:1: unknown key "wher"; did you mean "where"? This file has [ui] and [[ui.command]]',
  ]);
  assert.deepEqual(read("a = ").errors, ["ui.toml:1:5: this is not TOML: invalid value"]);
  assert.deepEqual(read("ui = 3\n").errors, ["ui.toml:1:6: ui 3 is not a table"]);
  const theme = read('[ui]\ntheme = "nrod"\nmouse = false\n');
  assert.match(theme.errors.join(), /^ui\.toml:2:9: theme "nrod" is not known; use "auto"/);
  assert.deepEqual([theme.ui.theme, theme.ui.mouse], [undefined, false]);
});

Deno.test("each key of a command is checked", () => {
  const command = (more: string) => read(`[[ui.command]]\nname = "a"\nrun = ["{x}"]\n${more}\n`);
  const wrong = 'key = ""\nwhere = ["VM"]\noutput = "window"\ntimeout = "1h"\nconfirm = "yes"';
  assert.deepEqual(command(wrong).errors, [
    "ui.toml:3:7: run has a field in the name of its program",
    'ui.toml:4:7: key "" is not a key',
    'ui.toml:5:10: where "VM" is not a kind of ids, such as "vm"',
    'ui.toml:6:10: output "window" is not known; use "pane", "message" or "none"',
    'ui.toml:7:11: timeout "1h" is outside 100ms..10min',
    'ui.toml:8:11: confirm "yes" is not true or false',
  ]);
});
