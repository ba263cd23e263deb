// ~/.config/el2/ui.toml: the user's own commands and hooks.

import assert from "node:assert/strict";
import { readUserFile } from "../../src/configuration/user-file.ts";

Deno.test("the user's file has commands and hooks, with defaults", () => {
  assert.deepEqual(
    readUserFile("ui.toml", '[[hook]]\nname = "a"\non = "kind=rpc"\nrun = ["x"]\n[[ui.command]]\nname = "b"\nrun = ["y", "{id}"]\n'),
    {
      hooks: [{ name: "a", on: "kind=rpc", run: ["x"], timeout: 10_000, limit: 100 }],
      commands: [{ name: "b", run: ["y", "{id}"], confirm: false, output: "pane", timeout: 30_000, read_only: false }],
    },
  );
  assert.deepEqual(readUserFile("ui.toml", ""), { commands: [], hooks: [] });
});

Deno.test("all errors of the user's file are reported at once, each with its place; other tables of a configuration are refused", () => {
  const text = 'theme = 1\n[vm.a]\nimage = "a"\n[[hook]]\nname = "A"\nrun = "x"\nlimt = 3\n[ui]\nkeys = {}\n';
  assert.deepEqual(readUserFile("ui.toml", text), {
    errors: [
      'ui.toml:1:1: unknown key "theme"; a file of commands and hooks has [[ui.command]] and [[hook]]',
      'ui.toml:2:2: unknown key "vm"; a file of commands and hooks has [[ui.command]] and [[hook]]',
      "ui.toml:4:3: on is missing",
      'ui.toml:5:8: name "A" is not of the form [a-z][a-z0-9-]*',
      'ui.toml:6:7: run "x" is not a list of words, such as ["echo", "hi"]',
      'ui.toml:7:1: unknown key "limt"; did you mean "limit"? A file of commands and hooks has [[ui.command]] and [[hook]]',
      'ui.toml:9:1: unknown key "keys"; a file of commands and hooks has [[ui.command]] and [[hook]]',
    ],
  });
  assert.deepEqual(readUserFile("ui.toml", "a = "), { errors: ["ui.toml:1:5: this is not TOML: invalid value"] });
});
