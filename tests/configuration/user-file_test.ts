// ~/.config/el2/ui.toml: the user's own commands.

import assert from "node:assert/strict";
import { readUserFile } from "../../src/configuration/user-file.ts";

Deno.test("the user's file has commands, with defaults", () => {
  assert.deepEqual(
    readUserFile("ui.toml", '[[ui.command]]\nname = "b"\nrun = ["y", "{id}"]\n'),
    { commands: [{ name: "b", run: ["y", "{id}"], confirm: false, output: "pane", timeout: 30_000, read_only: false }] },
  );
  assert.deepEqual(readUserFile("ui.toml", ""), { commands: [] });
});

Deno.test("all errors of the user's file are reported at once, each with its place; other tables of a configuration are refused", () => {
  const text = 'theme = 1\n[vm.a]\nimage = "a"\n[ui]\nkeys = {}\n[[ui.command]]\nname = "A"\nrun = "x"\nwher = 3\n';
  assert.deepEqual(readUserFile("ui.toml", text), {
    errors: [
      'ui.toml:1:1: unknown key "theme"; this file has [[ui.command]] only',
      'ui.toml:2:2: unknown key "vm"; this file has [[ui.command]] only',
      'ui.toml:5:1: unknown key "keys"; this file has [[ui.command]] only',
      'ui.toml:7:8: name "A" is not of the form [a-z][a-z0-9-]*',
      'ui.toml:8:7: run "x" is not a list of words, such as ["echo", "hi"]',
      'ui.toml:9:1: unknown key "wher"; did you mean "where"? This file has [[ui.command]] only',
    ],
  });
  assert.deepEqual(readUserFile("ui.toml", "a = "), { errors: ["ui.toml:1:5: this is not TOML: invalid value"] });
});

Deno.test("each key of a command is checked, and names are unique", () => {
  const command = (more: string) => readUserFile("ui.toml", `[[ui.command]]\nname = "a"\nrun = ["{x}"]\n${more}\n`);
  const wrong = 'key = ""\nwhere = ["VM"]\noutput = "window"\ntimeout = "1h"\nconfirm = "yes"';
  assert.deepEqual(command(wrong), {
    errors: [
      "ui.toml:3:7: run has a field in the name of its program",
      'ui.toml:4:7: key "" is not a key',
      'ui.toml:5:10: where "VM" is not a kind of ids, such as "vm"',
      'ui.toml:6:10: output "window" is not known; use "pane", "message" or "none"',
      'ui.toml:7:11: timeout "1h" is not a duration; use for example "10s"',
      'ui.toml:8:11: confirm "yes" is not true or false',
    ],
  });
  const twice = '[[ui.command]]\nname = "a"\nrun = ["x"]\n';
  assert.deepEqual(readUserFile("ui.toml", twice + twice), { errors: ["ui.toml:1:6: command has a name twice"] });
});
