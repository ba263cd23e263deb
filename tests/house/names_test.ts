// Commands and screens are in a file of their name. tests/machine/hypervisor/object-files_test.ts
// has the hypervisor's object types, tests/house/groups_test.ts RM messages and instructions.

import assert from "node:assert/strict";
import { commandTree } from "../../src/app/cli/common/command-tree.ts";
import { COMMANDS } from "../../src/model/commands/all.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import { SCREENS } from "../../src/app/tui/actions/screen-table.ts";
import { repositoryFiles } from "../support/files.ts";

Deno.test("each top-level command is an entry of src/model/commands or has a source file with its name, and has a test file", () => {
  const entries = new Set(COMMANDS.map(({ name }) => name.split(".")[0]));
  const commands = commandTree(makeProgram(new URL(import.meta.url), () => {})).commands.map(({ name }) => name);
  assert.ok(commands.length > 40, commands.join());
  const found = [...repositoryFiles("src/app/cli/commands/"), ...repositoryFiles("tests/app/cli/commands/")];
  const missing = commands.flatMap((name) => {
    const source = entries.has(name) ? [] : [`/${name}.ts`];
    return [...source, `/${name}_test.ts`].filter((ending) => !found.some((path) => path.endsWith(ending)));
  });
  assert.deepEqual(missing, []);
});

Deno.test("each screen has a source file and a test file with its name", () => {
  const found = new Set([...repositoryFiles("src/app/tui/"), ...repositoryFiles("tests/app/tui/")]);
  assert.ok(SCREENS.length > 0);
  const missing = SCREENS.flatMap(({ name, title }) => {
    // Its name in actions is short: memory is `mem`, and its title has the whole word.
    const stems = [name, title.toLowerCase()];
    const held = (path: (stem: string) => string) => stems.some((stem) => found.has(path(stem)));
    const source = held((stem) => `src/app/tui/screens/${stem}-screen.ts`),
      test = held((stem) => `tests/app/tui/screens/${stem}-screen_test.ts`);
    return source && test ? [] : [title];
  });
  assert.deepEqual(missing, []);
});
